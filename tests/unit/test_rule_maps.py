"""Float training of maps: against autograd, by hand, and against a device in binary32."""

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.support.rules import deltas_of
from tests.unit.test_rule_device import check_one_step
from tpsgd_edge.frontend.data import Dataset
from tpsgd_edge.graph import Conv2d, Dense, Graph, Labels, WeightedLayer, conv2d, pool, seen_through
from tpsgd_edge.rule import pretrain
from tpsgd_edge.rule.activations import activate
from tpsgd_edge.rule.layers import LAYERS, forward, update_sums
from tpsgd_edge.rule.losses import LocalLoss, local_delta, local_losses, target
from tpsgd_edge.rule.network import FloatNetwork, first_network
from tpsgd_edge.rule.train import train_float
from tpsgd_edge.rule.windows import make_windows
from tpsgd_edge.spec import LossSpec, ProjectionSpec, spec_from_dict

HIDDEN = LossSpec(kind="projected_cross_entropy")
LAST = LossSpec(kind="softmax_cross_entropy")
ONE_HOT = functional.one_hot(torch.tensor([0, 1, 2, 0]), 3).double()


def small_net(mode: str = "max", target_pool: int = 2) -> Graph:
    """Padding, strides, groups, both convolutions and a pool whose windows overlap."""
    first = conv2d(
        "conv1", (7, 8, 2), filters=4, stride=(2, 1), padding="same", target_pool=target_pool
    )
    pooled = pool("pool1", mode, first.y_shape, (2, 3), (1, 2))
    second = conv2d(
        "conv2", pooled.y_shape, filters=6, kernel=(2, 2), groups=2, target_pool=target_pool
    )
    last = Dense("fc", second.y_count, 3, "linear")
    return Graph("net", (first, pooled, second, last), Labels("class", 3), {})


def random_network(graph: Graph, *, seed: int = 1) -> FloatNetwork:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64) / 2

    layers = graph.layers
    return FloatNetwork(
        layers,
        tuple(
            draw(la.n_out, la.n_in) if isinstance(la, WeightedLayer) else draw(0) for la in layers
        ),
        tuple(draw(la.n_out) if isinstance(la, WeightedLayer) else draw(0) for la in layers),
    )


def losses_of(graph: Graph, hidden: LossSpec = HIDDEN) -> tuple[LocalLoss | None, ...]:
    specs = (hidden, hidden, LAST)
    return local_losses(graph, specs, ProjectionSpec(), seed=3, dtype=torch.float64)


def samples(graph: Graph) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    return torch.randn((4, graph.n_inputs), generator=generator, dtype=torch.float64)


def patch_by_hand(layer: Conv2d, x: np.ndarray, row: int, column: int, output: int) -> list[float]:
    """Section 14, word for word."""
    (height, width, channels), per_group = layer.x_shape, layer.x_shape[2] // layer.groups
    group = output // (layer.n_out // layer.groups)
    maps, patch = x.reshape(height, width, channels), []
    for ky, kx, q in itertools.product(*map(range, layer.kernel), range(per_group)):
        r = row * layer.stride[0] - layer.padding[0] + ky
        s = column * layer.stride[1] - layer.padding[1] + kx
        inside = 0 <= r < height and 0 <= s < width
        patch.append(maps[r, s, group * per_group + q] if inside else 0.0)
    return patch


@pytest.mark.parametrize("index", [0, 2])
def test_a_convolution_is_a_dense_layer_of_each_patch(index):
    graph = small_net()
    net, layer = random_network(graph), graph.layers[index]
    assert isinstance(layer, Conv2d)
    x = torch.randn((1, layer.x_count), dtype=torch.float64)
    delta = torch.randn((1, layer.y_count), dtype=torch.float64)
    z = forward(layer, x, net.w[index], net.b[index])[0]
    dw, db = np.zeros((layer.n_out, layer.n_in)), np.zeros(layer.n_out)
    for unit, (row, column, output) in enumerate(itertools.product(*map(range, layer.y_shape))):
        patch = np.array(patch_by_hand(layer, x[0].numpy(), row, column, output))
        expected = net.w[index][output].numpy() @ patch + float(net.b[index][output])
        assert float(z[unit]) == pytest.approx(expected)
        dw[output] += float(delta[0, unit]) * patch
        db[output] += float(delta[0, unit])
    found = update_sums(layer, x, delta)
    np.testing.assert_allclose(found[0].numpy(), dw)
    np.testing.assert_allclose(found[1].numpy(), db)


@pytest.mark.parametrize("mode", ["max", "average"])
@pytest.mark.parametrize("kernel", [(2, 2), (3, 2)])
def test_pooling_by_hand(mode, kernel):
    layer = pool("pool", mode, (5, 4, 3), kernel, (2, 1))
    x = torch.randn((1, 60), dtype=torch.float64)
    y = forward(layer, x, torch.empty(0), torch.empty(0))[0].view(layer.y_shape)
    maps = x.view(5, 4, 3)
    for row, column in itertools.product(range(layer.y_shape[0]), range(layer.y_shape[1])):
        window = maps[2 * row : 2 * row + kernel[0], column : column + kernel[1]].flatten(0, 1)
        expected = window.max(dim=0).values if mode == "max" else window.mean(dim=0)
        torch.testing.assert_close(y[row, column], expected)


@pytest.mark.parametrize("mode", ["max", "average"])
def test_backprop_follows_autograd(mode):
    graph = small_net(mode)
    net, x = random_network(graph), samples(graph)
    activity = net.activity(x)
    deltas = deltas_of("backprop", net, x, ONE_HOT, losses_of(graph))
    for tensor in (*net.w, *net.b):
        tensor.requires_grad_()
    functional.cross_entropy(net.activity(x)[-1], ONE_HOT, reduction="sum").backward()
    assert deltas[1] is None
    for index, layer in enumerate(graph.layers):
        if isinstance(layer, WeightedLayer):
            dw, db = update_sums(layer, activity[index], deltas[index])
            torch.testing.assert_close(dw, -net.w[index].grad)
            torch.testing.assert_close(db, -net.b[index].grad)


# J of the averaged map m, as anyone would write it, and what -dJ/dm must be divided by to be e.
def l2(loss: LocalLoss, m: Tensor) -> tuple[Tensor, float]:
    return 0.5 * ((target(loss, ONE_HOT) - m) ** 2).sum(), 1.0


def projected_cross_entropy(loss: LocalLoss, m: Tensor) -> tuple[Tensor, float]:
    logits = loss.gain * m @ loss.projection
    return functional.cross_entropy(logits, ONE_HOT, reduction="sum"), loss.gain


@pytest.mark.parametrize("j_of", [l2, projected_cross_entropy])
@pytest.mark.parametrize("target_pool", [1, 2, 9])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_tpsgd_update_is_autograd_of_the_averaged_map(j_of, target_pool, activation):
    layer = conv2d(
        "conv1", (5, 7, 2), filters=4, kernel=(2, 2), target_pool=target_pool, activation=activation
    )
    graph = Graph("net", (layer, Dense("fc", 96, 3, "linear")), Labels("class", 3), {})
    spec = LossSpec(kind=j_of.__name__)
    losses = local_losses(graph, (spec, LAST), ProjectionSpec(), seed=3, dtype=torch.float64)
    net, x = random_network(graph), samples(graph)
    dw, db = update_sums(layer, x, deltas_of("tpsgd", net, x, ONE_HOT, losses)[0])

    w, b = (tensor[0].clone().requires_grad_() for tensor in (net.w, net.b))
    y = activate(layer, forward(layer, x, w, b))
    rows, columns = min(target_pool, 4), min(target_pool, 6)
    maps = y.view(4, rows, 4 // rows, columns, 6 // columns, 4)
    j, gain = j_of(losses[0], maps.mean(dim=(2, 4)).flatten(1))
    area = (4 // rows) * (6 // columns)
    for found, grad in zip((dw, db), torch.autograd.grad(j, (w, b)), strict=True):
        torch.testing.assert_close(found, -area / gain * grad)


def averages(maps: torch.Tensor, layer: Conv2d) -> torch.Tensor:
    """What the loss sees, by torch's own pooling; its windows are of equal size here or single."""
    seen = maps.view(-1, *layer.y_shape).permute(0, 3, 1, 2)
    if layer.pool is not None:
        seen = torch.nn.functional.max_pool2d(seen, layer.pool.kernel, layer.pool.stride)
    seen = torch.nn.functional.adaptive_avg_pool2d(seen, layer.windows)
    return seen.permute(0, 2, 3, 1).flatten(1)


@pytest.mark.parametrize("stride", [None, (2, 2), (3, 2)])
@pytest.mark.parametrize("target_pool", [1, 2, "position"])
def test_training_follows_the_true_gradient_of_the_averages(target_pool, stride):
    """1 / area of the windows is part of the learning rate: one rate for maps and vectors."""
    layer = conv2d("conv1", (5, 9, 1), filters=4, kernel=(2, 2), target_pool=target_pool)
    if stride is not None:
        layer = seen_through(layer, pool("pool1", "max", (4, 8, 4), (2, 2), stride), target_pool)
    graph = Graph("net", (layer, Dense("fc", 128, 3, "linear")), Labels("class", 3), {})
    spec = LossSpec(kind="l2")
    loss = local_losses(graph, (spec, LAST), ProjectionSpec(), seed=3)[0]
    x, y = samples(graph).float(), np.array([0, 1, 2, 0])
    first = first_network(graph, seed=3)
    net = train_float(
        graph,
        x.numpy(),
        y,
        rule="tpsgd",
        losses=(spec, LAST),
        learning_rate=0.5,
        epochs=1,
        batch=4,
        schedule="constant",
        seed=3,
    )
    w = first.w[0].clone().requires_grad_()
    maps = torch.tanh(forward(layer, x, w, first.b[0]))
    seen = maps if loss.windows is None else averages(maps, layer)
    j = 0.5 * ((target(loss, ONE_HOT.float()) - seen) ** 2).sum(dim=1).mean()
    torch.testing.assert_close(net.w[0], w.detach() - 0.5 * torch.autograd.grad(j, w)[0])


def test_windows_of_unequal_size():
    layer = conv2d("conv1", (5, 3, 1), filters=2, kernel=(1, 1), target_pool=2)
    windows = make_windows(layer, torch.float64)
    y = torch.arange(30, dtype=torch.float64).view(1, 30)
    maps, averaged = y.view(5, 3, 2), windows.averaged(y).view(2, 2, 2)
    torch.testing.assert_close(averaged[0, 0], maps[:2, :1].mean(dim=(0, 1)))
    torch.testing.assert_close(averaged[1, 1], maps[2:, 1:].mean(dim=(0, 1)))
    e = torch.tensor([[1.0, 2, 3, 4, 5, 6, 7, 8]], dtype=torch.float64)
    spread = windows.spread(e, y).view(5, 3, 2)
    assert spread[:, :, 0].tolist() == [[1, 3, 3]] * 2 + [[5, 7, 7]] * 3
    assert spread[:, :, 1].tolist() == [[2, 4, 4]] * 2 + [[6, 8, 8]] * 3


@pytest.mark.parametrize("target_pool", ["position", 4])
def test_a_target_for_each_position_needs_no_windows(target_pool):
    layer = conv2d("conv1", (4, 3, 1), filters=2, kernel=(1, 1), target_pool=target_pool)
    assert make_windows(layer) is None
    assert layer.n_target == layer.y_count


def test_cross_entropy_on_sigmoid_filters_spreads_the_error_alone():
    shape = {"filters": 2, "kernel": (1, 1), "target_pool": 2}
    layer = conv2d("conv1", (4, 4, 1), **shape, activation="sigmoid")
    graph = Graph("net", (layer, Dense("fc", 32, 3, "linear")), Labels("class", 3), {})
    specs = (LossSpec(kind="cross_entropy"), LAST)
    loss = local_losses(graph, specs, ProjectionSpec(), seed=3, dtype=torch.float64)[0]
    y = torch.rand((4, 32), dtype=torch.float64)
    delta = local_delta(loss, y, ONE_HOT).view(4, 4, 4, 2)
    assert torch.equal(delta[:, 0, 0], delta[:, 1, 1])


def test_every_layer_kind_of_a_graph_has_its_functions():
    kinds = {layer.kind for mode in ("max", "average") for layer in small_net(mode).layers}
    assert LAYERS.keys() == kinds | {"rnn", "gru", "lstm", "memory", "norm"}


def test_last_layer_leaves_the_filters_alone():
    graph = small_net()
    x, y = np.random.default_rng(0).standard_normal((20, 112)), np.arange(20) % 3
    common = {"losses": (HIDDEN, HIDDEN, LAST), "learning_rate": 0.1, "epochs": 1}
    before = first_network(graph, seed=1)
    after = train_float(graph, x, y, rule="last_layer", **common)
    assert [torch.equal(a, b) for a, b in zip(before.w, after.w, strict=True)] == [
        True,
        True,
        True,
        False,
    ]
    learned = train_float(graph, x, y, rule="tpsgd", **common)
    assert not torch.equal(before.w[0], learned.w[0])
    assert not torch.equal(before.w[2], learned.w[2])


def test_one_rate_for_each_layer_with_weights():
    graph = small_net()
    x, y = np.random.default_rng(0).standard_normal((8, 112)), np.arange(8) % 3
    common = {"rule": "tpsgd", "losses": (HIDDEN, HIDDEN, LAST), "epochs": 1}
    net = train_float(graph, x, y, learning_rate=(0.0, 0.1, 0.0), **common)
    before = first_network(graph, seed=1)
    assert [torch.equal(a, b) for a, b in zip(before.w, net.w, strict=True)] == [
        True,
        True,
        False,
        True,
    ]


def bars(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Three classes of 8 x 8 images: bars that lie, stand or lean, anywhere, in noise."""
    random = np.random.default_rng(1)
    x, y = random.normal(0, 0.3, (n, 8, 8)), random.integers(0, 3, n)
    for image, kind in zip(x, y, strict=True):
        row, column = random.integers(0, 5, 2)
        for step in range(4):
            image[row + step * (kind != 0), column + step * (kind != 1)] += 1
    return x.reshape(n, 64), y


def bars_graph() -> Graph:
    # The mean over a map tells textures apart only where the units rectify.
    layer = conv2d("conv1", (8, 8, 1), filters=6, target_pool=1, activation="relu")
    pooled = pool("pool1", "average", layer.y_shape, (6, 6), (1, 1))
    last = Dense("fc", pooled.y_count, 3, "linear")
    return Graph("bars", (layer, pooled, last), Labels("class", 3), {})


@pytest.mark.parametrize(("rule", "low", "high"), [("last_layer", 0, 0.6), ("tpsgd", 0.8, 1)])
def test_filters_learn_what_random_ones_miss(rule, low, high):
    x, y = bars(300)
    losses = (HIDDEN, LAST)
    net = train_float(
        bars_graph(), x, y, rule=rule, losses=losses, learning_rate=(1, 1), epochs=12, batch=10
    )
    assert low < net.accuracy(x, y) < high


def conv_spec(**rule: object):
    return spec_from_dict(
        {
            "name": "net",
            "seed": 11,
            "model": {
                "layers": [
                    {"kind": "conv2d", "name": "conv1", "filters": 4, "padding": "same"},
                    {"kind": "max_pool"},
                    {"kind": "conv2d", "name": "conv2", "filters": 6, "kernel": 2, "stride": 2},
                    {"kind": "avg_pool", "size": [1, 2], "stride": 1},
                    {"kind": "flatten"},
                    {"name": "fc", "units": 4},
                ],
                **({"pretrain": {"epochs": 1}} if not rule else {}),
            },
            "numbers": {"weights": "f32"},
            "rule": {
                "learning_rate": 0.05,
                "output_learning_rate": 0.1,
                "schedule": "constant",
                "dead_zone": 0.01,
                **rule,
            },
            "projection": {"scale": 0.7},
            "data": {"file": "data.npz", "scaling": "none", "input_shape": [9, 8, 2]},
        }
    )


def map_dataset() -> Dataset:
    random = np.random.default_rng(2)
    x = random.standard_normal((12, 144)).astype(np.float32)
    y = random.integers(0, 4, 12)
    return Dataset(x, y, x, y, Labels("class", 4), tuple("abcd"), (9, 8, 2), "data.npz")


@pytest.mark.parametrize("loss", ["projected_cross_entropy", "l2", "huber"])
def test_one_step_is_that_of_an_f32_device(loss):
    check_one_step(conv_spec(loss=loss), map_dataset())


def test_pretrain_covers_maps():
    from tpsgd_edge.frontend.network import build_graph

    spec, data = conv_spec(), map_dataset()
    graph = build_graph(spec, data)
    weights = pretrain(spec, graph, data.x_train, data.y_train)
    assert {name: array.w.shape for name, array in weights.items()} == {
        "conv1": (4, 18),
        "conv2": (6, 16),
        "fc": (4, 12),
    }
    Graph(graph.name, graph.layers, graph.labels, weights)
