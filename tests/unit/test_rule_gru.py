"""Float training of gated recurrent layers, against autograd."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.unit.test_rule_rnn import (
    HIDDEN,
    LAST,
    N_CLASSES,
    N_X,
    STEPS,
    changes,
    labels_of,
    losses_of,
    samples,
)
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.graph import Dense, Graph, Gru, Labels
from tpsgd_edge.quantize import quantize
from tpsgd_edge.reference import Reference
from tpsgd_edge.rule.deltas import batch_deltas
from tpsgd_edge.rule.feedback import draw_feedback
from tpsgd_edge.rule.losses import local_error
from tpsgd_edge.rule.network import FloatNetwork, first_network
from tpsgd_edge.rule.train import train_float
from tpsgd_edge.spec import spec_from_dict

RESETS = [(False,), (True,), (False, True)]


def gated_net(reset_before: tuple[bool, ...], *, each_step: bool = False) -> Graph:
    """Gru layers of 5 units, and a dense layer behind them."""
    grus = [Gru(f"gru{i}", 5 if i else N_X, 5, first) for i, first in enumerate(reset_before)]
    layers = (*grus, Dense("fc", 5, N_CLASSES, "linear"))
    return Graph("net", layers, Labels("class", N_CLASSES, each_step), {}, STEPS)


def random_network(graph: Graph, *, needs_grad: bool = False) -> FloatNetwork:
    generator = torch.Generator().manual_seed(1)

    def draw(shape: tuple[int, ...]) -> Tensor:
        drawn = torch.randn(shape, generator=generator, dtype=torch.float64) / 2
        return drawn.requires_grad_(needs_grad)

    shapes = [layer.weight_shapes for layer in graph.weighted]
    w, b = (tuple(draw(shape[k]) for shape in shapes) for k in (0, 1))
    return FloatNetwork(graph.layers, w, b, graph.labels.each_step)


def by_torch(graph: Graph, net: FloatNetwork, x: Tensor) -> Tensor:
    """States of the last gru at all steps, written as torch documents nn.GRU."""
    values = x.view(len(x), STEPS, -1)
    for index, layer in enumerate(graph.recurrent):
        w_ih, w_hh = net.w[index][:, : layer.n_x], net.w[index][:, layer.n_x :]
        (b_ih, b_hh), h, states = net.b[index], values.new_zeros(len(x), 5), []
        for x_t in values.unbind(1):
            ir, iz, ic = (x_t @ w_ih.T + b_ih).chunk(3, dim=1)
            hr, hz, hc = (h @ w_hh.T + b_hh).chunk(3, dim=1)
            r, z = torch.sigmoid(ir + hr), torch.sigmoid(iz + hz)
            hc = (r * h) @ w_hh[10:].T + b_hh[10:] if layer.reset_before else r * hc
            h = (1 - z) * torch.tanh(ic + hc) + z * h
            states.append(h)
        values = torch.stack(states, dim=1)
    return values


@pytest.mark.parametrize("each_step", [False, True])
@pytest.mark.parametrize("reset_before", RESETS)
def test_backpropagation_through_time_is_what_autograd_finds(reset_before, each_step):
    graph = gated_net(reset_before, each_step=each_step)
    net, x, labels = random_network(graph, needs_grad=True), samples(), labels_of(graph)
    states = by_torch(graph, net, x)
    asked = states if each_step else states[:, -1:]
    logits = asked @ net.w[-1].T + net.b[-1]
    with torch.no_grad():
        torch.testing.assert_close(net.activity(x)[-1], logits if each_step else logits[:, 0])
    loss = -(functional.log_softmax(logits, dim=-1) * labels).sum()
    count = len(graph.layers)
    grads = torch.autograd.grad(loss, [*net.w, *net.b])
    with torch.no_grad():
        (part,) = batch_deltas(net, x, labels, rule="backprop", losses=losses_of(graph))
        for index, (dw, db) in enumerate(changes(graph, part)):
            torch.testing.assert_close(dw, -grads[index])
            torch.testing.assert_close(db, -grads[count + index])


@pytest.mark.parametrize("reset_before", [False, True])
def test_tpsgd_teaches_the_present_and_the_candidate_all_of_it(reset_before):
    """The gradient of the local loss at one step, with the last state held, but for c's share."""
    graph = gated_net((reset_before,))
    net, x, labels = random_network(graph, needs_grad=True), samples(), labels_of(graph)
    loss = losses_of(graph)[0]
    with torch.no_grad():
        *_, part = batch_deltas(net, x, labels, rule="tpsgd", losses=losses_of(graph))
        dw, db = changes(graph, part)[0]
        before = by_torch(graph, net, x)[:, -2]
    w, b, x_t = net.w[0], net.b[0], x[:, -N_X:]
    a, u = x_t @ w[:, :N_X].T + b[0], before @ w[:, N_X:].T + b[1]
    r, z = torch.sigmoid(a[:, :10] + u[:, :10]).chunk(2, dim=1)
    k = (r * before) @ w[10:, N_X:].T + b[1, 10:] if reset_before else r * u[:, 10:]
    c = torch.tanh(a[:, 10:] + k)
    e = local_error(loss, c + z * (before - c), labels[:, -1]).detach()
    learned = (e * c).sum() + (e * z * (before - c).detach()).sum()
    grads = torch.autograd.grad(learned, [w, b])
    torch.testing.assert_close(dw, grads[0])
    torch.testing.assert_close(db, grads[1])


@pytest.mark.parametrize("rule", ["backprop", "fa", "dfa", "sdfa", "drtp", "tpsgd"])
@pytest.mark.slow
def test_every_rule_trains_it(rule):
    graph = gated_net((False, True))
    x, y = samples().numpy(), labels_of(graph)[:, 0].argmax(dim=1).numpy()
    common = {"losses": (HIDDEN, HIDDEN, LAST), "learning_rate": 1.0, "epochs": 150}
    net = train_float(graph, x, y, rule=rule, **common)
    assert net.accuracy(x, y) == 1.0
    shapes = [tuple(t.shape) for t in draw_feedback(graph, "fa", seed=1)]
    assert shapes == [layer.weight_shapes[0] for layer in graph.weighted]


@pytest.mark.parametrize("learn_every", [0, 1, 2])
def test_tpsgd_does_what_an_f32_device_does(learn_every):
    layers = [{"kind": "gru", "name": f"gru{i}", "units": 5} for i in range(2)]
    spec = spec_from_dict(
        {
            "name": "net",
            "seed": 11,
            "model": {"layers": [*layers, {"name": "out", "units": N_CLASSES}]},
            "numbers": {"weights": "f32"},
            "rule": {"learning_rate": 0.3, "schedule": "constant", "learn_every": learn_every},
            "data": {"file": "data.npz", "scaling": "none"},
        }
    )
    random = np.random.default_rng(2)
    x = random.standard_normal((40, STEPS, N_X)).astype(np.float32)
    data = dataset_from_arrays(spec, x, np.arange(40) % N_CLASSES)
    graph = build_graph(spec, data)
    reference = Reference(quantize(spec, graph, data))
    net = train_float(
        graph,
        data.x_train,
        data.y_train,
        rule="tpsgd",
        losses=(HIDDEN, HIDDEN, LAST),
        learning_rate=0.3,
        epochs=1,
        batch=1,
        schedule="constant",
        seed=11,
    )
    order = np.random.default_rng((11, 1)).permutation(len(data.x_train))
    for row in order:
        reference.train_step(data.x_train[row].astype(np.float32), int(data.y_train[row]))
    state, first = reference.state(), first_network(graph, seed=11)
    for name, weights in net.weights().items():
        parts = [f"{name}_x.w", f"{name}_h.w"] if "gru" in name else [f"{name}.w"]
        w = np.concatenate([state[part] for part in parts], axis=1)
        np.testing.assert_allclose(weights.w, w, atol=2e-5)
    assert (net.w[0] - first.w[0]).abs().max() > 1e-2
