"""Rules with fixed random matrices: against backpropagation, by hand, and what they learn."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.support.rules import changes_of, deltas_of
from tests.unit import test_rule_maps as maps
from tests.unit import test_rule_rnn as sequences
from tests.unit.test_rule_train import RINGS, chain, five_rings, random_network
from tpsgd_edge.errors import SpecError
from tpsgd_edge.graph import Graph
from tpsgd_edge.rule.deltas import batch_deltas
from tpsgd_edge.rule.feedback import draw_feedback
from tpsgd_edge.rule.losses import local_losses
from tpsgd_edge.rule.rules import RULES, Losses
from tpsgd_edge.rule.train import train_float
from tpsgd_edge.spec import LossSpec, ProjectionSpec

HIDDEN = LossSpec(kind="projected_cross_entropy")
LAST = LossSpec(kind="softmax_cross_entropy")
LABELS = functional.one_hot(torch.tensor([0, 1, 2, 3, 0]), 4).double()
DIGITS = Path(__file__).parents[2] / "examples" / "digits.npz"
WITH_MATRICES = ("fa", "dfa", "sdfa", "drtp", "pepita")


def losses_of(graph: Graph) -> Losses:
    specs = (*[HIDDEN] * (len(graph.weighted) - 1), LAST)
    return local_losses(graph, specs, ProjectionSpec(), seed=1, dtype=torch.float64)


def drawn(graph: Graph, rule: str) -> tuple[Tensor, ...]:
    return draw_feedback(graph, rule, seed=3, dtype=torch.float64)


def inputs(n_in: int) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    return torch.randn((5, n_in), generator=generator, dtype=torch.float64)


# ------------------------------------------------------------------ where they are backpropagation


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["dense", "max", "average"])
def test_feedback_alignment_with_the_weights_is_backprop(mode):
    graph = chain(6, 8, 7, 4) if mode == "dense" else maps.small_net(mode)
    net = random_network(graph, seed=1) if mode == "dense" else maps.random_network(graph)
    labels = LABELS if mode == "dense" else functional.one_hot(torch.arange(5) % 3, 3).double()
    losses, x = losses_of(graph), inputs(graph.n_inputs)
    expected = deltas_of("backprop", net, x, labels, losses)
    found = deltas_of("fa", net, x, labels, losses, net.w)
    random = deltas_of("fa", net, x, labels, losses, drawn(graph, "fa"))
    assert [delta is None for delta in found] == [delta is None for delta in expected]
    for index, (delta, other, by_random) in enumerate(zip(found, expected, random, strict=True)):
        if delta is not None:
            torch.testing.assert_close(delta, other)
            assert torch.equal(delta, by_random) == (index == len(found) - 1)


@pytest.mark.parametrize("each_step", [False, True])
@pytest.mark.slow
def test_feedback_alignment_with_the_weights_is_backprop_through_time(each_step):
    graph = sequences.small_net(0.3, (0.6, 0.2), each_step=each_step)
    net, x, labels = (
        sequences.random_network(graph),
        sequences.samples(),
        sequences.labels_of(graph),
    )
    losses = sequences.losses_of(graph)
    (expected,) = batch_deltas(net, x, labels, rule="backprop", losses=losses)
    (found,) = batch_deltas(net, x, labels, rule="fa", losses=losses, feedback=net.w)
    torch.testing.assert_close(sequences.changes(graph, found), sequences.changes(graph, expected))


def test_direct_feedback_with_the_last_weights_is_backprop_of_one_hidden_layer():
    graph = chain(6, 8, 4)
    net, losses, x = random_network(graph, seed=1), losses_of(graph), inputs(6)
    feedback = (net.w[1].T, torch.empty(0))
    found = deltas_of("dfa", net, x, LABELS, losses, feedback)
    torch.testing.assert_close(found, deltas_of("backprop", net, x, LABELS, losses))


# ------------------------------------------------------------------ by hand


def test_feedback_alignment_by_hand():
    graph = chain(6, 8, 7, 4)
    net, x = random_network(graph, seed=1), inputs(6)
    _, b2, b3 = (matrix.numpy() for matrix in drawn(graph, "fa"))
    _, y1, y2, y3 = (value.numpy() for value in net.activity(x))
    e = LABELS.numpy() - np.exp(y3) / np.exp(y3).sum(axis=1, keepdims=True)
    d2 = e @ b3 * (1 - y2**2)
    d1 = d2 @ b2 * (1 - y1**2)
    found = deltas_of("fa", net, x, LABELS, losses_of(graph), drawn(graph, "fa"))
    for delta, expected in zip(found, (d1, d2, e), strict=True):
        np.testing.assert_allclose(delta.numpy(), expected)


@pytest.mark.parametrize("rule", ["dfa", "sdfa", "drtp"])
def test_direct_rules_by_hand(rule):
    graph = chain(6, 8, 7, 4)
    net, x, losses = random_network(graph, seed=1), inputs(6), losses_of(graph)
    b1, b2, _ = (matrix.numpy() for matrix in drawn(graph, rule))
    _, y1, y2, y3 = (value.numpy() for value in net.activity(x))
    e = LABELS.numpy() - np.exp(y3) / np.exp(y3).sum(axis=1, keepdims=True)
    signal = {"dfa": e, "sdfa": np.sign(e), "drtp": LABELS.numpy()}[rule]
    found = deltas_of(rule, net, x, LABELS, losses, drawn(graph, rule))
    expected = ((1 - y1**2) * (signal @ b1.T), (1 - y2**2) * (signal @ b2.T), e)
    for delta, by_hand in zip(found, expected, strict=True):
        np.testing.assert_allclose(delta.numpy(), by_hand)


@pytest.mark.parametrize("rule", ["dfa", "sdfa", "drtp"])
def test_direct_rules_tell_each_unit_of_a_map(rule):
    graph = maps.small_net()
    net, x, feedback = maps.random_network(graph), maps.samples(graph), drawn(graph, rule)
    y = net.activity(x)
    e = maps.ONE_HOT - torch.softmax(y[-1], dim=1)
    signal = {"dfa": e, "sdfa": e.sign(), "drtp": maps.ONE_HOT}[rule]
    found = deltas_of(rule, net, x, maps.ONE_HOT, losses_of(graph), feedback)
    assert found[1] is None
    for index in (0, 2):
        assert feedback[index].shape == (graph.layers[index].y_count, 3)
        by_hand = torch.einsum("uk,bk->bu", feedback[index], signal) * (1 - y[index + 1] ** 2)
        torch.testing.assert_close(found[index], by_hand)


@pytest.mark.parametrize("has_traces", [False, True])
@pytest.mark.parametrize("learn_every", [0, 2])
@pytest.mark.parametrize("rule", ["dfa", "drtp"])
def test_direct_rules_through_a_recurrent_layer_by_hand(rule, learn_every, has_traces):
    graph = sequences.small_net(0.4, traces=(has_traces,))
    net, x, feedback = sequences.random_network(graph), sequences.samples(), drawn(graph, rule)
    label = sequences.labels_of(graph)
    common = {"rule": rule, "losses": sequences.losses_of(graph), "feedback": feedback}
    taught = list(batch_deltas(net, x, label, learn_every=learn_every, **common))
    w, b = net.w[0], net.b[0]
    h, trace = torch.zeros(4, 5, dtype=x.dtype), torch.zeros(4, 8, dtype=x.dtype)
    expected = []
    for t, x_t in enumerate(x.view(4, sequences.STEPS, 3).unbind(1)):
        v = torch.cat((x_t, h), dim=1)
        c = torch.tanh(v @ w.T + b)
        h, trace = 0.6 * h + 0.4 * c, 0.6 * trace + 0.4 * v
        y = torch.tanh(h @ net.w[1].T + net.b[1]) @ net.w[2].T + net.b[2]
        signal = label[:, 0] - (torch.softmax(y, dim=1) if rule == "dfa" else 0)
        delta = signal @ feedback[0].T * (1 - (h if has_traces else c) ** 2)
        if t == 5 or (learn_every and t % 2):
            expected.append((delta.T @ (trace if has_traces else v), delta.sum(dim=0)))
    assert len(taught) == len(expected)
    for part, by_hand in zip(taught, expected, strict=True):
        torch.testing.assert_close(sequences.changes(graph, part)[0], by_hand)


@pytest.mark.parametrize("mode", ["dense", "max"])
def test_pepita_by_hand(mode):
    graph = chain(6, 8, 7, 4) if mode == "dense" else maps.small_net(mode)
    net = random_network(graph, seed=1) if mode == "dense" else maps.random_network(graph)
    labels = LABELS if mode == "dense" else functional.one_hot(torch.arange(5) % 3, 3).double()
    x, feedback = inputs(graph.n_inputs), drawn(graph, "pepita")
    first = net.activity(x)
    too_much = torch.softmax(first[-1], dim=1) - labels
    second = net.activity(x + torch.einsum("ik,bk->bi", feedback[0], too_much))
    changes = changes_of("pepita", net, x, labels, losses_of(graph), feedback)
    assert [change.layer for change in changes] == ([0, 1, 2] if mode == "dense" else [0, 2, 3])
    for layer, read, delta in changes:
        torch.testing.assert_close(read, second[layer])
        is_last = layer == len(graph.layers) - 1
        by_hand = -too_much if is_last else -(first[layer + 1] - second[layer + 1])
        torch.testing.assert_close(delta, by_hand)


def test_pepita_takes_the_mean_over_the_positions_of_a_map():
    graph = maps.small_net()
    x = maps.samples(graph).numpy()
    common = {"losses": (HIDDEN, HIDDEN, LAST), "batch": 4, "epochs": 1, "schedule": "constant"}
    before = train_float(graph, x, [0, 1, 2, 0], rule="pepita", learning_rate=1e-30, **common)
    after = train_float(graph, x, [0, 1, 2, 0], rule="pepita", learning_rate=0.5, **common)
    feedback = draw_feedback(graph, "pepita", seed=1)
    labels = maps.ONE_HOT.float()
    losses = local_losses(graph, (HIDDEN, HIDDEN, LAST), ProjectionSpec(), seed=1)
    first, *_ = changes_of("pepita", before, torch.tensor(x).float(), labels, losses, feedback)
    positions = graph.layers[0].y_shape[0] * graph.layers[0].y_shape[1]
    db = first.delta.view(4, positions, -1).mean(dim=(0, 1))
    torch.testing.assert_close(after.b[0] - before.b[0], 0.5 * db)


# ------------------------------------------------------------------ the matrices


@pytest.mark.parametrize("rule", WITH_MATRICES)
def test_matrices_are_drawn_from_the_seed(rule):
    graph = chain(400, 300, 200, 10)
    first, again, other = (draw_feedback(graph, rule, seed=seed) for seed in (5, 5, 6))
    shapes = {
        "fa": [(300, 400), (200, 300), (10, 200)],
        "pepita": [(400, 10), (0,), (0,)],
    }.get(rule, [(300, 10), (200, 10), (0,)])
    assert [tuple(matrix.shape) for matrix in first] == shapes
    for index, (a, b, c) in enumerate(zip(first, again, other, strict=True)):
        if a.numel():
            assert torch.equal(a, b)
            assert not torch.equal(a, c)
            of = a.shape[1] if rule == "fa" else a.shape[0]
            bound = (0.05 if rule == "pepita" else 1) * (6 / of) ** 0.5
            assert float(a.abs().max()) == pytest.approx(bound, rel=0.01), index
            assert abs(float(a.mean())) < 0.1 * bound


def test_other_rules_have_no_matrices():
    for rule in RULES.keys() - WITH_MATRICES:
        assert draw_feedback(RINGS, rule, seed=1) == ()


# ------------------------------------------------------------------ what they learn


@pytest.mark.series(2)
@pytest.mark.parametrize(("rule", "low"), [("fa", 0.7), ("dfa", 0.7), ("sdfa", 0.6), ("drtp", 0.5)])
@pytest.mark.slow
def test_hidden_layers_learn(rule, low):
    x, y = five_rings()
    common = {"losses": (HIDDEN, LAST), "epochs": 20, "batch": 8}
    net = train_float(RINGS, x, y, rule=rule, learning_rate=0.1, **common)
    random = train_float(RINGS, x, y, rule="last_layer", learning_rate=0.1, **common)
    assert net.accuracy(x, y) > low > random.accuracy(x, y)


def test_hidden_layers_learn_by_pepita():
    data = np.load(DIGITS)
    x, y = data["x"].reshape(len(data["x"]), -1) / 16.0, data["y"]
    common = {"losses": (HIDDEN, LAST), "learning_rate": 1.0, "epochs": 5, "batch": 8}
    graph = chain(64, 12, 10)
    net = train_float(graph, x, y, rule="pepita", **common)
    random = train_float(graph, x, y, rule="last_layer", **common)
    assert net.accuracy(x, y) > 0.9 > random.accuracy(x, y) + 0.05


def test_drtp_of_label_vectors_is_refused():
    graph = chain(3, 8, 2, labels="vector")
    with pytest.raises(SpecError, match="DRTP is not defined for label vectors") as caught:
        train_float(
            graph,
            np.zeros((4, 3)),
            np.zeros((4, 2)),
            rule="drtp",
            losses=(LossSpec(kind="l2"),) * 2,
            learning_rate=0.1,
        )
    assert "take dfa, sdfa or tpsgd" in str(caught.value)


def test_pepita_of_a_recurrent_layer_is_refused():
    graph = sequences.small_net(0.5)
    with pytest.raises(SpecError, match="PEPITA is not defined for recurrent layers") as caught:
        train_float(
            graph,
            sequences.samples().numpy(),
            sequences.CLASSES,
            rule="pepita",
            losses=(HIDDEN, HIDDEN, LAST),
            learning_rate=0.1,
        )
    assert "layer 'rnn0'" in str(caught.value)
