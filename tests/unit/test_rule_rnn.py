"""Float training of recurrent layers: against numpy by hand, autograd and torch.nn.RNN."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tpsgd_edge.graph import Dense, Graph, Labels, Layer, Rnn, Weights
from tpsgd_edge.rule.deltas import LayerDeltas, batch_deltas
from tpsgd_edge.rule.layers import update_sums
from tpsgd_edge.rule.losses import local_losses
from tpsgd_edge.rule.network import FloatNetwork, first_network
from tpsgd_edge.rule.rules import Losses
from tpsgd_edge.rule.train import label_rows, train_float
from tpsgd_edge.spec import LossSpec, ProjectionSpec

HIDDEN = LossSpec(kind="projected_cross_entropy")
LAST = LossSpec(kind="softmax_cross_entropy")
STEPS, BATCH, N_X, N_CLASSES = 6, 4, 3, 3
CLASSES = np.array([0, 1, 2, 0])


def small_net(
    *leaks: float | tuple[float, ...],
    activation: str = "tanh",
    each_step: bool = False,
    traces: tuple[bool, ...] = (False,) * 3,
    learn_every: int = 0,
) -> Graph:
    """Recurrent layers of 5 units, a dense layer of 4, and one of 3."""
    layers: list[Layer] = []
    for index, leak in enumerate(leaks):
        groups = leak if isinstance(leak, tuple) else (leak,)
        n_x = 5 if layers else N_X
        layers.append(Rnn(f"rnn{index}", n_x, 5, groups, activation, traces[index]))
    layers += [Dense("fc1", 5, 4, activation), Dense("fc2", 4, N_CLASSES, "linear")]
    labels = Labels("class", N_CLASSES, each_step)
    return Graph("net", tuple(layers), labels, {}, STEPS, learn_every)


def random_network(graph: Graph, *, seed: int = 1) -> FloatNetwork:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64) / 2

    return FloatNetwork(
        graph.layers,
        tuple(draw(layer.n_out, layer.n_in) for layer in graph.weighted),
        tuple(draw(layer.n_out) for layer in graph.weighted),
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


def changes(graph: Graph, part: LayerDeltas) -> list[tuple[Tensor, Tensor]]:
    """What each layer learns, as far as the layers that learn reach."""
    learning = [delta for delta in part.deltas if delta is not None]
    assert all(a is b for a, b in zip(learning, part.deltas, strict=False))
    return [
        update_sums(layer, x, delta)
        for layer, x, delta in zip(graph.layers, part.inputs, learning, strict=False)
    ]


# ------------------------------------------------------------------ tpSGD


RATE = 0.4
SLOPE = {"tanh": lambda y: 1 - y**2, "sigmoid": lambda y: y * (1 - y)}
FUNCTION = {"tanh": np.tanh, "sigmoid": lambda z: 1 / (1 + np.exp(-z))}


class ByHand:
    """Section 15 in numpy, one sample after the other; all samples learn together."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.net = graph, random_network(graph)
        self.w, self.b = ([t.numpy().copy() for t in ts] for ts in (self.net.w, self.net.b))
        self.projections = [loss.projection for loss in losses_of(graph)[:-1]]

    def train(self, x: np.ndarray, learning_steps: list[int]) -> None:
        memories = [self.empty() for _ in x]
        for t in range(STEPS):
            sums = [(np.zeros_like(w), np.zeros(len(w))) for w in self.w]
            for sample, label, memory in zip(x, CLASSES, memories, strict=True):
                learned = self.step(memory, sample[t * N_X : (t + 1) * N_X], label)
                for (dw, db), (delta, v) in zip(sums, learned, strict=True):
                    dw += delta[:, None] * v
                    db += delta
            learners = len(self.w) if t == STEPS - 1 else len(self.graph.recurrent)
            for index in range(learners) if t in learning_steps else ():
                self.w[index] += RATE * sums[index][0]
                self.b[index] += RATE * sums[index][1]

    def empty(self) -> list[dict[str, np.ndarray]]:
        return [{"h": np.zeros(5), "trace": np.zeros((5, la.n_in))} for la in self.graph.recurrent]

    def step(self, memory: list, below: np.ndarray, label: int) -> list:
        """For each layer its delta, and what it learns from, of each unit or of all."""
        found = []
        for index, layer in enumerate(self.graph.layers):
            f, slope = FUNCTION.get(layer.activation), SLOPE.get(layer.activation)
            v = below
            if isinstance(layer, Rnn):
                own, leak = memory[index], np.array(layer.unit_leaks)
                v = np.concatenate([below, own["h"]])
                c = f(self.w[index] @ v + self.b[index])
                own["h"] = (1 - leak) * own["h"] + leak * c
                # A trace for each unit: those of a group are the same.
                own["trace"] = (1 - leak[:, None]) * own["trace"] + leak[:, None] * v
                y = own["h"]
                seen, v = (y, own["trace"]) if layer.has_traces else (c, v)
            else:
                z = self.w[index] @ v + self.b[index]
                y = seen = f(z) if f else z
            found.append((self.error(index, y, label) * (slope(seen) if slope else 1), v))
            below = y
        return found

    def error(self, index: int, y: np.ndarray, label: int) -> np.ndarray:
        wanted = np.eye(N_CLASSES)[label]
        if index == len(self.w) - 1:
            return wanted - np.exp(y) / np.exp(y).sum()
        p = self.projections[index].numpy()
        q = np.exp(p.T @ y / np.sqrt(len(y)))
        return p @ (wanted - q / q.sum())


LEARNING_STEPS = {
    0: [5],
    1: [0, 1, 2, 3, 4, 5],
    2: [1, 3, 5],
    3: [2, 5],
    4: [1, 5],
    5: [0, 5],
    6: [5],
    41: [5],
}


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
@pytest.mark.parametrize("traces", [(False, False), (True, True), (False, True)])
@pytest.mark.parametrize("learn_every", LEARNING_STEPS)
def test_tpsgd_by_hand(learn_every, traces, activation):
    graph = small_net((0.3, 1.0), (0.1, 0.4, 0.7), traces=traces, activation=activation)
    expected = ByHand(graph)
    expected.train(samples().numpy(), LEARNING_STEPS[learn_every])
    net, reach = expected.net, []
    taught = batch_deltas(
        net,
        samples(),
        labels_of(graph),
        rule="tpsgd",
        losses=losses_of(graph),
        learn_every=learn_every,
    )
    for part in taught:
        learned = changes(graph, part)
        reach.append(len(learned))
        for (dw, db), w, b in zip(learned, net.w, net.b, strict=False):
            w += RATE * dw
            b += RATE * db
    assert reach == [*[2] * (len(LEARNING_STEPS[learn_every]) - 1), 4]
    for found, by_hand in zip((*net.w, *net.b), (*expected.w, *expected.b), strict=True):
        np.testing.assert_allclose(found.numpy(), by_hand, atol=1e-12)


@pytest.mark.parametrize("traces", [(False, False), (True, True)])
@pytest.mark.parametrize("learn_every", [1, 2, 4])
def test_a_gate_asks_for_the_answer_at_its_step(learn_every, traces):
    """Deltas nobody learns from: each is that of the sequence up to its step."""
    graph = small_net(0.3, (0.2, 0.6), traces=traces)
    net, x, labels, losses = random_network(graph), samples(), labels_of(graph), losses_of(graph)
    common = {"rule": "tpsgd", "losses": losses, "error_gate": 0.33}
    steps, shut = LEARNING_STEPS[learn_every], set()
    taught = list(batch_deltas(net, x, labels, learn_every=learn_every, **common))
    assert len(taught) == len(steps)
    for t, part in zip(steps, taught, strict=True):
        (alone,) = batch_deltas(net, x[:, : (t + 1) * N_X], labels, **common)
        expected = changes(graph, alone)[: 4 if t == STEPS - 1 else 2]
        torch.testing.assert_close(changes(graph, part), expected)
        shut |= {int((part.deltas[0] == 0).all(dim=1).sum())}
    assert not shut <= {0, BATCH}


@pytest.mark.parametrize("rule", ["backprop", "last_layer"])
@pytest.mark.parametrize("has_traces", [False, True])
def test_other_rules_know_neither_learn_every_nor_traces(rule, has_traces):
    common = {"rule": rule, "losses": (HIDDEN, HIDDEN, LAST), "learning_rate": 0.3}
    plain, other = (
        train_float(graph, samples().numpy(), CLASSES, **common)
        for graph in (small_net(0.5), small_net(0.5, traces=(has_traces,), learn_every=2))
    )
    for tensor, expected in zip((*other.w, *other.b), (*plain.w, *plain.b), strict=True):
        assert torch.equal(tensor, expected)
    first = first_network(small_net(0.5), seed=1)
    assert torch.equal(plain.w[0], first.w[0]) == (rule == "last_layer")


@pytest.mark.parametrize("has_traces", [False, True])
@pytest.mark.parametrize("rule", ["tpsgd", "backprop", "dfa", "sdfa", "drtp", "last_layer"])
def test_one_step_without_leak_is_a_dense_layer_to_the_bit(rule, has_traces):
    labels, out = Labels("class", 3), Dense("out", 5, 3, "linear")
    hidden = Rnn("hidden", N_X, 5, (1.0,), "tanh", has_traces)
    recurrent = Graph("net", (hidden, out), labels, {}, learn_every=1)
    dense = Graph("net", (Dense("hidden", N_X + 5, 5, "tanh"), out), labels, {})
    x = samples()[:, :N_X].numpy()
    padded = np.concatenate([x, np.zeros((BATCH, 5))], axis=1)
    common = {"rule": rule, "losses": (HIDDEN, LAST), "learning_rate": 0.3, "batch": 2}
    first = train_float(recurrent, x, CLASSES, **common)
    second = train_float(dense, padded, CLASSES, **common)
    for tensor, expected in zip((*first.w, *first.b), (*second.w, *second.b), strict=True):
        assert torch.equal(tensor, expected)
    assert torch.equal(first.w[0], first_network(recurrent, seed=1).w[0]) == (rule == "last_layer")


@pytest.mark.parametrize("has_traces", [False, True])
def test_a_label_at_each_step_is_one_lesson_after_each_step(has_traces):
    """Deltas nobody learns from: each is that of the sequence up to its step."""
    graph = small_net((0.3, 0.6), each_step=True, traces=(has_traces,))
    net, x, labels, losses = random_network(graph), samples(), labels_of(graph), losses_of(graph)
    taught = list(batch_deltas(net, x, labels, rule="tpsgd", losses=losses))
    assert len(taught) == STEPS
    for step, part in enumerate(taught):
        head, label = x[:, : (step + 1) * N_X], labels[:, step : step + 1]
        (alone,) = batch_deltas(net, head, label, rule="tpsgd", losses=losses)
        learned = changes(graph, part)
        assert len(learned) == len(graph.layers)
        torch.testing.assert_close(learned, changes(graph, alone))


# ------------------------------------------------------------------ backpropagation through time


def unrolled(graph: Graph, w: list[Tensor], b: list[Tensor], x: Tensor, f=torch.tanh) -> Tensor:
    """Outputs at every step (BATCH, STEPS, K), written for autograd."""
    h, outputs = [torch.zeros(BATCH, 5, dtype=x.dtype) for _ in graph.recurrent], []
    for x_t in x.view(BATCH, STEPS, N_X).unbind(1):
        for index, layer in enumerate(graph.recurrent):
            n_x = layer.n_x
            below = h[index - 1] if index else x_t
            z = below @ w[index][:, :n_x].T + h[index] @ w[index][:, n_x:].T + b[index]
            leak = torch.tensor(layer.unit_leaks, dtype=x.dtype)
            h[index] = (1 - leak) * h[index] + leak * f(z)
        outputs.append(f(h[-1] @ w[-2].T + b[-2]) @ w[-1].T + b[-1])
    return torch.stack(outputs, dim=1)


@pytest.mark.parametrize("each_step", [False, True])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
@pytest.mark.parametrize("leaks", [(1.0,), (0.2,), (0.3, (0.6, 0.2)), (0.5, 1.0, (1.0, 0.1))])
def test_backprop_follows_autograd(leaks, activation, each_step):
    graph = small_net(*leaks, activation=activation, each_step=each_step)
    net, x, labels = random_network(graph), samples(), labels_of(graph)
    (part,) = batch_deltas(net, x, labels, rule="backprop", losses=losses_of(graph))
    w, b = ([t.clone().requires_grad_() for t in tensors] for tensors in (net.w, net.b))
    outputs = unrolled(graph, w, b, x, {"tanh": torch.tanh, "sigmoid": torch.sigmoid}[activation])
    y = outputs if each_step else outputs[:, -1:]
    torch.testing.assert_close(net.activity(x)[-1], y if each_step else y[:, 0])
    functional.cross_entropy(
        y.flatten(0, 1), labels.flatten(0, 1).argmax(dim=1), reduction="sum"
    ).backward()
    for index, (dw, db) in enumerate(changes(graph, part)):
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
    (part,) = batch_deltas(net, x, labels, rule="backprop", losses=losses_of(graph))
    for index, (dw, db) in enumerate(changes(graph, part)[:2]):
        grads = [getattr(rnn, f"weight_{kind}_l{index}").grad for kind in ("ih", "hh")]
        torch.testing.assert_close(dw, -torch.cat(grads, dim=1))
        torch.testing.assert_close(db, -getattr(rnn, f"bias_ih_l{index}").grad)


@pytest.mark.parametrize("each_step", [False, True])
def test_a_gate_stops_backprop_as_if_the_samples_had_no_hidden_gradient(each_step):
    graph = small_net(0.3, 0.6, each_step=each_step)
    net, x, labels, losses = random_network(graph), samples(), labels_of(graph), losses_of(graph)
    probability = (torch.softmax(net.activity(x)[-1], dim=-1).view(BATCH, -1, 3) * labels).sum(-1)
    gate = float(probability.median())
    (part,) = batch_deltas(net, x, labels, rule="backprop", losses=losses, error_gate=gate)
    w, b = ([t.clone().requires_grad_() for t in tensors] for tensors in (net.w, net.b))
    y = unrolled(graph, w, b, x)
    y = y if each_step else y[:, -1:]
    surprise = -(torch.log_softmax(y, dim=-1) * labels).sum(-1)
    hidden = (surprise * (probability < gate)).sum()
    assert 0 < (probability < gate).sum() < probability.numel()
    grads = torch.autograd.grad(hidden, w[:-1])
    for (dw, _), grad in zip(changes(graph, part)[:-1], grads, strict=True):
        torch.testing.assert_close(dw, -grad)


def test_a_clipped_gradient_keeps_its_direction():
    graph = small_net(0.5)
    common = {"rule": "backprop", "losses": (HIDDEN, HIDDEN, LAST), "learning_rate": 1.0}
    common |= {"epochs": 1, "schedule": "constant"}
    x = samples().numpy()
    weights = {
        layer.name: Weights(w.numpy(), b.numpy())
        for layer, w, b in zip(
            graph.weighted, random_network(graph).w, random_network(graph).b, strict=True
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
