"""Attention in floating point: its outputs, its gradients, what local losses teach around it."""

import math
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402
from torch.nn import functional  # noqa: E402

from tests.support.attention import (  # noqa: E402
    CLASSES,
    HEADS,
    STEPS,
    WIDTH,
    block_graph,
)
from tests.support.rules import changes_of  # noqa: E402
from tpsgd_edge.errors import SpecError  # noqa: E402
from tpsgd_edge.graph import Attention, Graph, Learning, attention  # noqa: E402
from tpsgd_edge.graph.attention_layer import LONGEST, attended  # noqa: E402
from tpsgd_edge.graph.forward import outputs  # noqa: E402
from tpsgd_edge.rule.attention import attention_forward, attention_gradients  # noqa: E402
from tpsgd_edge.rule.layers import update_sums  # noqa: E402
from tpsgd_edge.rule.losses import local_losses, read_out  # noqa: E402
from tpsgd_edge.rule.network import FloatNetwork, first_network  # noqa: E402
from tpsgd_edge.rule.rules import RULES, Task  # noqa: E402
from tpsgd_edge.rule.train import train_float  # noqa: E402
from tpsgd_edge.spec import LossSpec, ProjectionSpec  # noqa: E402

GRAPH = block_graph()
RNG = np.random.default_rng(1)
X = torch.tensor(RNG.normal(size=(6, GRAPH.n_inputs)).astype(np.float32))
LABELS = functional.one_hot(torch.tensor([0, 1, 2, 0, 1, 2]), CLASSES).float()
SPECS = tuple(
    LossSpec(kind="softmax_cross_entropy" if la.name == "out" else "projected_cross_entropy")
    for la in GRAPH.weighted
)
LOSSES = local_losses(GRAPH, SPECS, ProjectionSpec(), seed=1)
HIDDEN = ("embed", "q", "k", "v", "o", "up", "down")


def scalar(layer: Attention, q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Attention of one window, number by number."""
    _, steps, channels = layer.y_shape
    size = channels // layer.heads
    y = np.zeros((steps, channels))
    for head in range(layer.heads):
        own = range(head * size, (head + 1) * size)
        for t in range(steps):
            fits = [
                sum(q[t, c] * k[other, c] for c in own) / math.sqrt(size) for other in range(steps)
            ]
            whole = sum(math.exp(fit) for fit in fits)
            for c in own:
                y[t, c] = sum(math.exp(fits[s]) / whole * v[s, c] for s in range(steps))
    return y


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_outputs_are_means_weighted_by_how_queries_fit_keys(heads):
    layer = attention("mix", [(1, STEPS, WIDTH)] * 3, heads)
    q, k, v = RNG.normal(size=(3, STEPS, WIDTH))
    found = attended(layer, [part.reshape(1, -1) for part in (q, k, v)])
    np.testing.assert_allclose(found.reshape(STEPS, WIDTH), scalar(layer, q, k, v), atol=1e-12)


def test_large_scores_do_not_overflow():
    layer = attention("mix", [(1, STEPS, WIDTH)] * 3, 1)
    q, k, v = (1000 * RNG.normal(size=(2, STEPS * WIDTH)) for _ in range(3))
    assert np.isfinite(attended(layer, [q, k, v])).all()


def test_torch_makes_what_numpy_makes():
    made = first_network(GRAPH, seed=1).activity(X)[1:]
    expected = outputs(GRAPH, X.numpy().astype(np.float64), 1)
    for ours, theirs in zip(made, expected, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_torch_has_the_heads_that_numpy_has(heads):
    layer = attention("mix", [(1, STEPS, WIDTH)] * 3, heads)
    values = [torch.randn(6, STEPS * WIDTH, dtype=torch.float64) for _ in range(3)]
    expected = attended(layer, [value.numpy() for value in values])
    np.testing.assert_allclose(attention_forward(layer, values).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("heads", [1, HEADS])
def test_gradients_are_those_of_autograd(heads):
    layer = attention("mix", [(1, STEPS, WIDTH)] * 3, heads)
    values = [torch.randn(6, STEPS * WIDTH, dtype=torch.float64) for _ in range(3)]
    grad = torch.randn(6, STEPS * WIDTH, dtype=torch.float64)
    free = [value.clone().requires_grad_(True) for value in values]
    attention_forward(layer, free).backward(grad)
    for found, value in zip(attention_gradients(layer, values, grad), free, strict=True):
        torch.testing.assert_close(found, value.grad)


def freed() -> tuple[FloatNetwork, FloatNetwork]:
    """The net with its initial weights, and the same whose weights autograd follows."""
    net = first_network(GRAPH, seed=1)
    w, b = (tuple(t.clone().requires_grad_(True) for t in tensors) for tensors in (net.w, net.b))
    return net, replace(net, w=w, b=b)


def assert_learns(net: FloatNetwork, free: FloatNetwork, index: int, x: Tensor, delta: Tensor):
    """What a layer learns is the descent that autograd found for it."""
    of_w, of_b = update_sums(net.layers[index], x, delta)
    torch.testing.assert_close(of_w, -free.w[index].grad, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(of_b, -free.b[index].grad, rtol=1e-4, atol=1e-4)


def test_backpropagation_passes_the_block_as_autograd_says():
    net, free = freed()
    functional.cross_entropy(free.activity(X)[-1], LABELS, reduction="sum").backward()
    found = changes_of("backprop", net, X, LABELS, LOSSES)
    assert [net.layers[change.layer].name for change in found] == [*HIDDEN, "out"]
    for index, x, delta in found:
        assert_learns(net, free, index, x, delta)


@pytest.mark.parametrize("name", HIDDEN)
def test_a_layer_learns_its_own_loss_alone_as_autograd_says(name):
    """The local loss of one layer, with all that it reads held fixed."""
    net, free = freed()
    index = [layer.name for layer in net.layers].index(name)
    loss, layer = LOSSES[index], net.layers[index].weighted
    assert loss is not None
    assert layer is not None
    x = net.read(index, net.activity(X))
    y = free.output(index, [x])
    # The rule leaves out 1 / area of the windows, which is in its rate, and the read-out's gain.
    scale = layer.target_area / loss.gain
    (scale * functional.cross_entropy(read_out(loss, y), LABELS, reduction="sum")).backward()
    change = next(one for one in changes_of("tpsgd", net, X, LABELS, LOSSES) if one.layer == index)
    assert_learns(net, free, index, change.x, change.delta)


def test_projections_that_are_passed_an_error_learn_the_loss_behind_attention():
    """Queries, keys and values descend the local loss of the layer that reads the attention."""
    passed = Learning(is_passed=True)
    layers = tuple(
        replace(layer, learning=passed) if layer.name in ("q", "k", "v") else layer
        for layer in GRAPH.layers
    )
    net = first_network(replace(GRAPH, layers=layers), seed=1)
    names = [layer.name for layer in net.layers]
    assert [[names[place] for place in block] for block in net.blocks] == [
        ["o", "mix", "v", "k", "q"]
    ]
    w, b = (tuple(t.clone().requires_grad_(True) for t in tensors) for tensors in (net.w, net.b))
    free, head = replace(net, w=w, b=b), names.index("o")
    loss, own = LOSSES[head], net.layers[head].weighted
    assert loss is not None
    assert own is not None
    y = free.activity(X)[head + 1]
    scale = own.target_area / loss.gain
    (scale * functional.cross_entropy(read_out(loss, y), LABELS, reduction="sum")).backward()
    found = {change.layer: change for change in changes_of("tpsgd", net, X, LABELS, LOSSES)}
    for name in ("q", "k", "v", "o"):
        change = found[names.index(name)]
        assert_learns(net, free, change.layer, change.x, change.delta)
    order = [c.layer for c in RULES["tpsgd"](Task(net, X, LABELS, LOSSES))]
    assert order.index(head) < min(order.index(names.index(name)) for name in "qkv")


def test_carried_scores_are_those_of_all_layers_so_far():
    net, _ = freed()
    values, total = net.activity(X), torch.zeros(len(X), CLASSES)
    found = {change.layer: change for change in changes_of("tpsgd_carried", net, X, LABELS, LOSSES)}
    for index, loss in enumerate(LOSSES[:-1]):
        if loss is None:
            continue
        total = total + read_out(loss, values[index + 1])
        assert loss.projection is not None
        q = LABELS - torch.softmax(total, dim=1)
        windows = q @ loss.projection.T
        delta = found[index].delta.view(len(X), STEPS, -1)
        own = net.layers[index].weighted
        if own is not None and own.activation == "linear":
            expected = windows.view(len(X), -1, delta.shape[2])
            for step in range(STEPS):
                window = step * expected.shape[1] // STEPS
                torch.testing.assert_close(delta[:, step], expected[:, window])


@pytest.mark.parametrize("rule", ["tpsgd", "tpsgd_carried", "backprop", "fa", "dfa", "last_layer"])
def test_the_block_trains_by_every_rule(rule):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(60, GRAPH.n_inputs))
    y = np.arange(60) % CLASSES
    x[np.arange(60), y] += 3
    fresh: Graph = replace(GRAPH, weights={})
    net = train_float(
        fresh, x, y, rule=rule, losses=SPECS, learning_rate=0.05, epochs=20, batch=10, seed=1
    )
    assert net.accuracy(x, y) > 0.6


@pytest.mark.parametrize(
    ("shapes", "heads", "words"),
    [
        ([(1, 5, 4)] * 2, 1, "needs queries, keys and values"),
        ([(1, 5, 4), (1, 5, 4), (1, 5, 6)], 1, "found: 1 x 5 x 4 and 1 x 5 x 4 and 1 x 5 x 6"),
        ([(2, 5, 4)] * 3, 1, "a row of steps"),
        ([(1, LONGEST + 1, 4)] * 3, 1, "65 steps; 64 at most"),
        ([(1, 5, 4)] * 3, 3, "3 heads for 4 channels"),
    ],
)
def test_what_it_cannot_read_is_refused_in_words(shapes, heads, words):
    with pytest.raises(SpecError, match=words):
        attention("mix", shapes, heads)


def test_the_longest_window_is_taken():
    assert attention("mix", [(1, LONGEST, 4)] * 3, 1).macs == 2 * 64 * 64 * 4
