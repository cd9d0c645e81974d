"""Float training of recurrent layers: against numpy by hand, autograd, torch.nn.RNN and devices."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tpsgd_edge.frontend.data import Dataset
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.graph import Dense, Graph, Labels, Layer, Rnn, Weights
from tpsgd_edge.quantize import quantize
from tpsgd_edge.reference import Reference
from tpsgd_edge.rule import pretrain
from tpsgd_edge.rule.layers import update_sums
from tpsgd_edge.rule.lessons import Lesson, lessons
from tpsgd_edge.rule.losses import local_losses
from tpsgd_edge.rule.network import FloatNetwork, first_network
from tpsgd_edge.rule.rules import Losses
from tpsgd_edge.rule.train import label_rows, train_float
from tpsgd_edge.spec import LossSpec, ProjectionSpec, Spec, spec_from_dict

HIDDEN = LossSpec(kind="projected_cross_entropy")
LAST = LossSpec(kind="softmax_cross_entropy")
STEPS, BATCH, N_X, N_CLASSES = 6, 4, 3, 3
CLASSES = np.array([0, 1, 2, 0])


def small_net(*leaks: float, activation: str = "tanh", each_step: bool = False) -> Graph:
    """Recurrent layers of 5 units, a dense layer of 4, and one of 3."""
    layers: list[Layer] = []
    for index, leak in enumerate(leaks):
        layers.append(Rnn(f"rnn{index}", 5 if layers else N_X, 5, (leak,), activation))
    layers += [Dense("fc1", 5, 4, activation), Dense("fc2", 4, N_CLASSES, "linear")]
    return Graph("net", tuple(layers), Labels("class", N_CLASSES, each_step), {}, STEPS)


def random_network(graph: Graph, *, seed: int = 1) -> FloatNetwork:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64) / 2

    return FloatNetwork(
        graph.layers,
        tuple(draw(layer.n_out, layer.n_in) for layer in graph.trained),
        tuple(draw(layer.n_out) for layer in graph.trained),
        graph.labels.each_step,
    )


def losses_of(graph: Graph) -> Losses:
    specs = (*[HIDDEN] * (len(graph.layers) - 1), LAST)
    return local_losses(graph, specs, ProjectionSpec(), seed=3, dtype=torch.float64)


def samples(seed: int = 7) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((BATCH, STEPS * N_X), generator=generator, dtype=torch.float64)


def labels_of(graph: Graph) -> Tensor:
    """(BATCH, 1 or STEPS, K)."""
    classes = CLASSES
    if graph.labels.each_step:
        classes = np.random.default_rng(0).integers(0, N_CLASSES, (BATCH, STEPS))
    return label_rows(classes, graph.labels).double().view(BATCH, -1, N_CLASSES)


def changes(graph: Graph, lesson: Lesson) -> list[tuple[Tensor, Tensor]]:
    return [
        update_sums(layer, x, delta)
        for layer, x, delta in zip(graph.layers, lesson.inputs, lesson.deltas, strict=True)
    ]


# ------------------------------------------------------------------ tpSGD


def test_tpsgd_by_hand():
    """Section 15 in numpy, one sample after the other."""
    graph = small_net(0.3, 0.6)
    net, losses = random_network(graph), losses_of(graph)
    (lesson,) = lessons(net, samples(), labels_of(graph), rule="tpsgd", losses=losses)
    w, b = [t.numpy() for t in net.w], [t.numpy() for t in net.b]
    dw, db = [np.zeros_like(t) for t in w], [np.zeros_like(t) for t in b]
    for sample, label in zip(samples().numpy(), CLASSES, strict=True):
        h, traces = [np.zeros(5), np.zeros(5)], [np.zeros(N_X + 5), np.zeros(10)]
        for x in sample.reshape(STEPS, N_X):
            for index, leak in enumerate((0.3, 0.6)):
                v = np.concatenate([h[0] if index else x, h[index]])
                h[index] = (1 - leak) * h[index] + leak * np.tanh(w[index] @ v + b[index])
                traces[index] = (1 - leak) * traces[index] + leak * v
        for index in range(2):
            p = losses[index].projection.numpy()
            q = np.exp(p.T @ h[index] / np.sqrt(5))
            error = p @ (np.eye(N_CLASSES)[label] - q / q.sum())
            delta = error * (1 - h[index] ** 2)
            dw[index] += np.outer(delta, traces[index])
            db[index] += delta
    for index, (found_w, found_b) in enumerate(changes(graph, lesson)[:2]):
        np.testing.assert_allclose(found_w.numpy(), dw[index], atol=1e-12)
        np.testing.assert_allclose(found_b.numpy(), db[index], atol=1e-12)


@pytest.mark.parametrize("rule", ["tpsgd", "backprop", "last_layer"])
def test_one_step_without_leak_is_a_dense_layer_to_the_bit(rule):
    labels, out = Labels("class", 3), Dense("out", 5, 3, "linear")
    recurrent = Graph("net", (Rnn("hidden", N_X, 5, (1.0,), "tanh"), out), labels, {})
    dense = Graph("net", (Dense("hidden", N_X + 5, 5, "tanh"), out), labels, {})
    x = samples()[:, :N_X].numpy()
    padded = np.concatenate([x, np.zeros((BATCH, 5))], axis=1)
    common = {"rule": rule, "losses": (HIDDEN, LAST), "learning_rate": 0.3, "batch": 2}
    first = train_float(recurrent, x, CLASSES, **common)
    second = train_float(dense, padded, CLASSES, **common)
    for tensor, expected in zip((*first.w, *first.b), (*second.w, *second.b), strict=True):
        assert torch.equal(tensor, expected)
    assert torch.equal(first.w[0], first_network(recurrent, seed=1).w[0]) == (rule == "last_layer")


def test_a_label_at_each_step_is_one_lesson_after_each_step():
    """Lessons nobody learns from: each is that of the sequence up to its step."""
    graph = small_net(0.3, each_step=True)
    net, x, labels, losses = random_network(graph), samples(), labels_of(graph), losses_of(graph)
    taught = list(lessons(net, x, labels, rule="tpsgd", losses=losses))
    assert len(taught) == STEPS
    for step, lesson in enumerate(taught):
        head, label = x[:, : (step + 1) * N_X], labels[:, step : step + 1]
        (alone,) = lessons(net, head, label, rule="tpsgd", losses=losses)
        torch.testing.assert_close(changes(graph, lesson), changes(graph, alone))


# ------------------------------------------------------------------ backpropagation through time


def unrolled(graph: Graph, w: list[Tensor], b: list[Tensor], x: Tensor, f=torch.tanh) -> Tensor:
    """Outputs at every step (BATCH, STEPS, K), written for autograd."""
    h, outputs = [torch.zeros(BATCH, 5, dtype=x.dtype) for _ in graph.recurrent], []
    for x_t in x.view(BATCH, STEPS, N_X).unbind(1):
        for index, layer in enumerate(graph.recurrent):
            n_x = layer.n_x
            below = h[index - 1] if index else x_t
            z = below @ w[index][:, :n_x].T + h[index] @ w[index][:, n_x:].T + b[index]
            leak = layer.leaks[0]
            h[index] = (1 - leak) * h[index] + leak * f(z)
        outputs.append(f(h[-1] @ w[-2].T + b[-2]) @ w[-1].T + b[-1])
    return torch.stack(outputs, dim=1)


@pytest.mark.parametrize("each_step", [False, True])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
@pytest.mark.parametrize("leaks", [(1.0,), (0.2,), (0.3, 0.6), (0.5, 1.0, 0.1)])
def test_backprop_follows_autograd(leaks, activation, each_step):
    graph = small_net(*leaks, activation=activation, each_step=each_step)
    net, x, labels = random_network(graph), samples(), labels_of(graph)
    (lesson,) = lessons(net, x, labels, rule="backprop", losses=losses_of(graph))
    w, b = ([t.clone().requires_grad_() for t in tensors] for tensors in (net.w, net.b))
    outputs = unrolled(graph, w, b, x, {"tanh": torch.tanh, "sigmoid": torch.sigmoid}[activation])
    y = outputs if each_step else outputs[:, -1:]
    torch.testing.assert_close(net.activity(x)[-1], y if each_step else y[:, 0])
    functional.cross_entropy(
        y.flatten(0, 1), labels.flatten(0, 1).argmax(dim=1), reduction="sum"
    ).backward()
    for index, (dw, db) in enumerate(changes(graph, lesson)):
        torch.testing.assert_close(dw, -w[index].grad)
        torch.testing.assert_close(db, -b[index].grad)


def test_without_leak_it_is_the_rnn_of_torch():
    graph = small_net(1.0, 1.0)
    net, x, labels = random_network(graph), samples(), labels_of(graph)
    rnn = torch.nn.RNN(N_X, 5, num_layers=2, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        for index, layer in enumerate(graph.recurrent):
            getattr(rnn, f"weight_ih_l{index}").copy_(net.w[index][:, : layer.n_x])
            getattr(rnn, f"weight_hh_l{index}").copy_(net.w[index][:, layer.n_x :])
            getattr(rnn, f"bias_ih_l{index}").copy_(net.b[index])
            getattr(rnn, f"bias_hh_l{index}").zero_()
    h = rnn(x.view(BATCH, STEPS, N_X))[0][:, -1]
    torch.testing.assert_close(net.activity(x)[2], h.detach())
    y = torch.tanh(h @ net.w[2].T + net.b[2]) @ net.w[3].T + net.b[3]
    functional.cross_entropy(y, torch.tensor(CLASSES), reduction="sum").backward()
    (lesson,) = lessons(net, x, labels, rule="backprop", losses=losses_of(graph))
    for index, (dw, db) in enumerate(changes(graph, lesson)[:2]):
        grads = [getattr(rnn, f"weight_{kind}_l{index}").grad for kind in ("ih", "hh")]
        torch.testing.assert_close(dw, -torch.cat(grads, dim=1))
        torch.testing.assert_close(db, -getattr(rnn, f"bias_ih_l{index}").grad)


@pytest.mark.parametrize("each_step", [False, True])
def test_a_gate_stops_backprop_as_if_the_samples_had_no_hidden_gradient(each_step):
    graph = small_net(0.3, 0.6, each_step=each_step)
    net, x, labels, losses = random_network(graph), samples(), labels_of(graph), losses_of(graph)
    probability = (torch.softmax(net.activity(x)[-1], dim=-1).view(BATCH, -1, 3) * labels).sum(-1)
    gate = float(probability.median())
    (lesson,) = lessons(net, x, labels, rule="backprop", losses=losses, error_gate=gate)
    w, b = ([t.clone().requires_grad_() for t in tensors] for tensors in (net.w, net.b))
    y = unrolled(graph, w, b, x)
    y = y if each_step else y[:, -1:]
    surprise = -(torch.log_softmax(y, dim=-1) * labels).sum(-1)
    hidden = (surprise * (probability < gate)).sum()
    assert 0 < (probability < gate).sum() < probability.numel()
    grads = torch.autograd.grad(hidden, w[:-1])
    for (dw, _), grad in zip(changes(graph, lesson)[:-1], grads, strict=True):
        torch.testing.assert_close(dw, -grad)


def test_a_clipped_gradient_keeps_its_direction():
    graph = small_net(0.5)
    common = {"rule": "backprop", "losses": (HIDDEN, HIDDEN, LAST), "learning_rate": 1.0}
    common |= {"epochs": 1, "schedule": "constant"}
    x = samples().numpy()
    weights = {
        layer.name: Weights(w.numpy(), b.numpy())
        for layer, w, b in zip(
            graph.trained, random_network(graph).w, random_network(graph).b, strict=True
        )
    }
    graph = Graph(graph.name, graph.layers, graph.labels, weights, STEPS)
    first = first_network(graph, seed=1)

    def moved(**settings: float) -> Tensor:
        net = train_float(graph, x, CLASSES, **common, **settings)
        pairs = zip((*net.w, *net.b), (*first.w, *first.b), strict=True)
        return torch.cat([(after - before).flatten() for after, before in pairs])

    free, clipped = moved(), moved(clip_norm=0.1)
    assert float(clipped.norm()) == pytest.approx(0.1, rel=1e-4)
    torch.testing.assert_close(clipped / 0.1, free / free.norm(), rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(moved(clip_norm=100.0), free)


# ------------------------------------------------------------------ as a device does


def dataset(kind: str, *, each_step: bool) -> Dataset:
    random = np.random.default_rng(2)
    x = random.standard_normal((40, STEPS * N_X)).astype(np.float32)
    each = (STEPS,) if each_step else ()
    if kind == "class":
        y, names = random.integers(0, N_CLASSES, (40, *each)), tuple("abc")
    else:
        y, names = random.normal(size=(40, *each, N_CLASSES)), ()
    labels = Labels(kind, N_CLASSES, each_step)
    return Dataset(x, y, x, y, labels, names, (STEPS, N_X), "data.npz")


def f32_spec(kind: str, leaks: tuple[float, ...], *, gate: bool) -> Spec:
    recurrent = [
        {"name": f"rnn{i}", "kind": "rnn", "units": 7, "leak": leak} for i, leak in enumerate(leaks)
    ]
    dense = [{"name": "fc1", "units": 6}, {"name": "fc2", "units": N_CLASSES}]
    rule = {"learning_rate": 0.05, "schedule": "constant", "dead_zone": 0.01}
    rule |= {"loss": "projected_l2" if kind == "vector" else "projected_cross_entropy"}
    rule |= {"error_gate": 0.35} if gate else {}
    return spec_from_dict(
        {
            "name": "net",
            "seed": 11,
            "model": {"layers": [*recurrent, *dense]},
            "numbers": {"weights": "f32"},
            "rule": rule,
            "data": {"file": "data.npz", "scaling": "none"},
        }
    )


@pytest.mark.parametrize("each_step", [False, True])
@pytest.mark.parametrize(("kind", "gate"), [("class", False), ("class", True), ("vector", False)])
@pytest.mark.parametrize("leaks", [(0.125,), (1.0, 0.25)])
def test_tpsgd_does_what_an_f32_device_does(leaks, kind, gate, each_step):
    spec, data = f32_spec(kind, leaks, gate=gate), dataset(kind, each_step=each_step)
    graph = build_graph(spec, data)
    device, n = Reference(quantize(spec, graph, data)), 5
    order = np.random.default_rng((11, 1)).permutation(n)
    for index in order:
        label = data.y_train[index]
        device.train_step(data.x_train[index], label if kind == "class" else label.astype("f4"))
    hidden = LossSpec(kind="projected_l2") if kind == "vector" else HIDDEN
    net = train_float(
        graph,
        data.x_train[:n],
        np.asarray(data.y_train[:n]),
        rule="tpsgd",
        losses=(*[hidden] * (len(leaks) + 1), LossSpec(kind="l2") if kind == "vector" else LAST),
        learning_rate=0.05,
        epochs=1,
        batch=1,
        schedule="constant",
        dead_zone=0.01,
        error_gate=0.35 if gate else None,
        seed=11,
    )
    state = device.state()
    for name, weights in net.weights().items():
        np.testing.assert_allclose(weights.w, state[f"{name}.w"], rtol=1e-4, atol=2e-6)
        np.testing.assert_allclose(weights.b, state[f"{name}.b"], rtol=1e-4, atol=2e-6)
    x = data.x_train[n]
    np.testing.assert_allclose(net.outputs(x[None])[0], device.output(x), rtol=1e-3, atol=1e-5)
    first = first_network(graph, seed=11)
    assert not any(torch.equal(a, b) for a, b in zip(net.w, first.w, strict=True))


# ------------------------------------------------------------------ what is learned


def quadrants(n: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """The class is the quadrant of the sum of the first two of eight values over all steps."""
    x = np.random.default_rng(1).standard_normal((n, STEPS, 8))
    first, second = x[:, :, :2].sum(axis=1).T
    return x.reshape(n, -1), 2 * (first > 0) + (second > 0)


def sequence_net(n_x: int = 8, *, each_step: bool = False) -> Graph:
    layers = (Rnn("rnn1", n_x, 24, (0.25,), "tanh"), Dense("out", 24, 4, "linear"))
    return Graph("net", layers, Labels("class", 4, each_step), {}, STEPS)


def test_what_the_rules_learn():
    x, y = quadrants()
    common = {"losses": (HIDDEN, LAST), "batch": 8, "epochs": 15}
    nets = [
        train_float(sequence_net(), x, y, rule=rule, learning_rate=rate, **common)
        for rule, rate in (("last_layer", 0.2), ("tpsgd", 0.05), ("backprop", 0.2))
    ]
    random, local, best = (net.accuracy(x, y) for net in nets)
    assert random + 0.05 < local < best


@pytest.mark.parametrize("rule", ["tpsgd", "backprop"])
def test_labels_of_each_step_are_learned(rule):
    random = np.random.default_rng(1)
    x = random.standard_normal((300, STEPS, 2))
    y = 2 * (x[:, :, 0].cumsum(axis=1) > 0) + (x[:, :, 1] > 0)
    graph = sequence_net(2, each_step=True)
    x = x.reshape(300, -1)
    common = {"losses": (HIDDEN, LAST), "learning_rate": 0.05, "batch": 4, "epochs": 15}
    net = train_float(graph, x, y, rule=rule, **common)
    assert net.outputs(x).shape == (300, STEPS, 4)
    assert net.accuracy(x, y) > 0.75 > 2 * first_network(graph, seed=1).accuracy(x, y)


@pytest.mark.parametrize("method", ["backprop", "tpsgd"])
def test_pretrain_of_a_recurrent_spec(method):
    spec = spec_from_dict(
        {
            "name": "net",
            "model": {
                "layers": [
                    {"name": "rnn1", "kind": "rnn", "units": 24, "leak": 0.25},
                    {"name": "out", "units": 4},
                ],
                "pretrain": {"method": method, "epochs": 10, "batch": 8},
            },
            "data": {"file": "sequences.npz"},
        }
    )
    x, y = quadrants()
    graph = sequence_net()
    weights = pretrain(spec, graph, x, y)
    trained = Graph(graph.name, graph.layers, graph.labels, weights, STEPS)
    assert (
        first_network(trained, seed=9).accuracy(x, y)
        > 0.6
        > 2 * first_network(graph, seed=9).accuracy(x, y)
    )
