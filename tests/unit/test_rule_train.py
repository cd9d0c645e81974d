"""Float training: the rules against autograd and by hand, and what they learn."""

import sys
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.support.learning import with_learning
from tests.support.rules import deltas_of
from tpsgd_edge.arithmetic.activations import FACTS
from tpsgd_edge.errors import SpecError, ToolError
from tpsgd_edge.graph import Dense, Graph, Labels, Weights
from tpsgd_edge.rule import pretrain
from tpsgd_edge.rule.activations import ACTIVATIONS
from tpsgd_edge.rule.feedback import draw_feedback
from tpsgd_edge.rule.losses import local_losses
from tpsgd_edge.rule.network import FloatNetwork, first_network
from tpsgd_edge.rule.rules import RULES
from tpsgd_edge.rule.train import train_float
from tpsgd_edge.spec import LossSpec, ProjectionSpec, spec_from_dict

HIDDEN = LossSpec(kind="projected_cross_entropy")
LAST = LossSpec(kind="softmax_cross_entropy")


def chain(*units: int, activation: str = "tanh", labels: str = "class") -> Graph:
    layers = []
    for index, (n_in, n_out) in enumerate(pairwise(units)):
        kind = "linear" if index == len(units) - 2 else activation
        numbers = tuple((FACTS[kind].settings or {}).values())
        layers.append(Dense(f"fc{index + 1}", n_in, n_out, kind, numbers=numbers))
    return Graph("net", tuple(layers), Labels(labels, units[-1]), {})


def five_rings(n: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """Five classes around each other: random hidden units help little to tell them apart."""
    random = np.random.default_rng(1)
    y = random.integers(0, 5, n)
    angle = random.uniform(0, 2 * np.pi, n)
    radius = 0.5 + 0.5 * y + 0.05 * random.standard_normal(n)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), y


RINGS = chain(2, 64, 5)


def random_network(graph: Graph, *, seed: int) -> FloatNetwork:
    generator = torch.Generator().manual_seed(seed)
    return FloatNetwork(
        graph.layers,
        tuple(
            torch.randn((layer.n_out, layer.n_in), generator=generator, dtype=torch.float64)
            for layer in graph.layers
        ),
        tuple(
            torch.randn(layer.n_out, generator=generator, dtype=torch.float64)
            for layer in graph.layers
        ),
    )


@pytest.mark.parametrize("activation", [name for name, of in ACTIVATIONS.items() if of.slope])
@pytest.mark.parametrize("kind", ["softmax_cross_entropy", "l2"])
def test_backprop_follows_autograd(activation, kind):
    graph = chain(6, 8, 7, 4, activation=activation)
    net = random_network(graph, seed=1)
    specs = (HIDDEN, HIDDEN, LossSpec(kind=kind))
    losses = local_losses(graph, specs, ProjectionSpec(), seed=1, dtype=torch.float64)
    x = torch.randn((5, 6), dtype=torch.float64)
    labels = functional.one_hot(torch.tensor([0, 1, 2, 3, 0]), 4).double()

    activity = net.activity(x)
    deltas = deltas_of("backprop", net, x, labels, losses)
    for tensor in (*net.w, *net.b):
        tensor.requires_grad_()
    y = net.activity(x)[-1]
    if kind == "l2":
        j = 0.5 * ((labels - y) ** 2).sum()
    else:
        j = functional.cross_entropy(y, labels, reduction="sum")
    j.backward()
    for index, delta in enumerate(deltas):
        torch.testing.assert_close(delta.T @ activity[index], -net.w[index].grad)
        torch.testing.assert_close(delta.sum(dim=0), -net.b[index].grad)


def test_a_tpsgd_delta_depends_on_its_own_layer_only():
    graph = chain(6, 8, 7, 4)
    net, other = random_network(graph, seed=1), random_network(graph, seed=2)
    mixed = FloatNetwork(graph.layers, (*net.w[:2], other.w[2]), (*net.b[:2], other.b[2]))
    losses = local_losses(
        graph, (HIDDEN, HIDDEN, LAST), ProjectionSpec(), seed=1, dtype=torch.float64
    )
    x = torch.randn((5, 6), dtype=torch.float64)
    labels = functional.one_hot(torch.tensor([0, 1, 2, 3, 0]), 4).double()
    first = deltas_of("tpsgd", net, x, labels, losses)
    second = deltas_of("tpsgd", mixed, x, labels, losses)
    torch.testing.assert_close(first[:2], second[:2])
    assert not torch.equal(first[2], second[2])


def test_one_sample_moves_the_weights_by_rate_times_delta_times_x():
    graph = chain(6, 8, 4)
    x, y = np.random.default_rng(0).standard_normal((1, 6)), np.array([2])
    settings = {"losses": (HIDDEN, LAST), "learning_rate": (0.1, 0.2), "schedule": "constant"}
    after = train_float(graph, x, y, rule="tpsgd", batch=1, epochs=1, seed=4, **settings)
    before = first_network(graph, seed=4)
    losses = local_losses(graph, (HIDDEN, LAST), ProjectionSpec(), seed=4)
    activity = before.activity(torch.tensor(x, dtype=torch.float32))
    labels = functional.one_hot(torch.tensor([2]), 4).float()
    for index, delta in enumerate(deltas_of("tpsgd", before, activity[0], labels, losses)):
        rate = settings["learning_rate"][index]
        torch.testing.assert_close(
            after.w[index], before.w[index] + rate * delta.T @ activity[index]
        )
        torch.testing.assert_close(after.b[index], before.b[index] + rate * delta[0])


def test_a_batch_moves_the_weights_by_the_mean_of_its_samples():
    graph = chain(6, 8, 4)
    random = np.random.default_rng(0)
    x, y = random.standard_normal((10, 6)), random.integers(0, 4, 10)
    common = {"losses": (HIDDEN, LAST), "learning_rate": 0.1, "schedule": "constant", "epochs": 1}
    whole = train_float(graph, x, y, rule="tpsgd", batch=10, **common)
    single = [
        train_float(graph, x[i : i + 1], y[i : i + 1], rule="tpsgd", **common) for i in range(10)
    ]
    for index in range(2):
        mean = torch.stack([net.w[index] for net in single]).mean(dim=0)
        torch.testing.assert_close(whole.w[index], mean)


def test_last_layer_leaves_the_hidden_layers_alone():
    x, y = five_rings(64)
    net = train_float(RINGS, x, y, rule="last_layer", losses=(HIDDEN, LAST), learning_rate=0.1)
    before = first_network(RINGS, seed=1)
    assert torch.equal(net.w[0], before.w[0])
    assert not torch.equal(net.w[1], before.w[1])


def test_every_rule_gives_one_delta_for_each_layer():
    graph = chain(6, 8, 7, 4)
    net = random_network(graph, seed=1)
    losses = local_losses(
        graph, (HIDDEN, HIDDEN, LAST), ProjectionSpec(), seed=1, dtype=torch.float64
    )
    x = torch.randn((5, 6), dtype=torch.float64)
    labels = functional.one_hot(torch.tensor([0, 1, 2, 3, 0]), 4).double()
    for rule in RULES:
        feedback = draw_feedback(graph, rule, seed=1, dtype=torch.float64)
        deltas = deltas_of(rule, net, x, labels, losses, feedback)
        shapes = [None if delta is None else tuple(delta.shape) for delta in deltas]
        expected = [(5, 8), (5, 7), (5, 4)]
        assert shapes == ([None, None, (5, 4)] if rule == "last_layer" else expected)


@pytest.mark.series(3)
@pytest.mark.parametrize(
    ("rule", "kind", "low", "high"),
    [
        ("last_layer", "l2", 0.0, 0.4),
        ("tpsgd", "projected_cross_entropy", 0.9, 1.0),
        ("tpsgd", "projected_l2", 0.9, 1.0),
        # Losses in target space never rest here; they learn, but not all.
        ("tpsgd", "l1", 0.4, 1.0),
        ("tpsgd", "huber", 0.4, 1.0),
        ("backprop", "l2", 0.93, 1.0),
    ],
)
@pytest.mark.slow
def test_what_the_rules_learn(rule, kind, low, high):
    x, y = five_rings()
    losses = (LossSpec(kind=kind), LAST)
    net = train_float(RINGS, x, y, rule=rule, losses=losses, learning_rate=0.3, epochs=20, batch=8)
    assert low < net.accuracy(x, y) < high


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["backprop", "tpsgd"])
def test_label_vectors_are_learned(rule):
    random = np.random.default_rng(0)
    x = random.uniform(-1, 1, (500, 3))
    y = np.stack([np.sin(2 * x[:, 0]), x[:, 1] * x[:, 2]], axis=1)
    graph = chain(3, 32, 2, labels="vector")
    losses = (LossSpec(kind="projected_l2"), LossSpec(kind="l2"))
    net = train_float(graph, x, y, rule=rule, losses=losses, learning_rate=0.1, epochs=60, batch=4)
    error = ((net.outputs(x) - y) ** 2).mean() / y.var()
    assert error < 0.15


def test_training_repeats_to_the_bit():
    x, y = five_rings(200)
    common = {"rule": "tpsgd", "losses": (HIDDEN, LAST), "learning_rate": 0.1, "epochs": 2}
    first, again, other = (train_float(RINGS, x, y, seed=seed, **common) for seed in (5, 5, 6))
    assert all(torch.equal(a, b) for a, b in zip(first.w, again.w, strict=True))
    assert not torch.equal(first.w[0], other.w[0])


def test_an_error_gate_of_zero_probability_stops_the_hidden_layers():
    x, y = five_rings(64)
    common = {"rule": "tpsgd", "losses": (HIDDEN, LAST), "learning_rate": 0.1, "epochs": 1}
    before = first_network(RINGS, seed=1)
    shut = train_float(RINGS, x, y, error_gate=1e-9, **common)
    opened = train_float(RINGS, x, y, error_gate=1.0, **common)
    free = train_float(RINGS, x, y, **common)
    assert torch.equal(shut.w[0], before.w[0])
    assert not torch.equal(shut.w[1], before.w[1])
    assert torch.equal(opened.w[0], free.w[0])


def test_a_dead_zone_wider_than_every_delta_stops_all():
    x, y = five_rings(64)
    net = train_float(
        RINGS,
        x,
        y,
        rule="tpsgd",
        losses=(HIDDEN, LAST),
        learning_rate=0.1,
        dead_zone=1e6,
    )
    before = first_network(RINGS, seed=1)
    assert all(torch.equal(a, b) for a, b in zip(net.w, before.w, strict=True))


def test_after_epoch_sees_each_epoch():
    x, y = five_rings(64)
    seen = []
    train_float(
        RINGS,
        x,
        y,
        rule="tpsgd",
        losses=(HIDDEN, LAST),
        learning_rate=0.1,
        epochs=3,
        after_epoch=lambda epoch, net: seen.append((epoch, net.accuracy(x, y))),
    )
    assert [epoch for epoch, _ in seen] == [1, 2, 3]


def test_divergence_is_an_error_with_advice():
    graph = chain(4, 3, activation="linear", labels="vector")
    x = np.full((50, 4), 1e6)
    with pytest.raises(SpecError, match="diverges") as caught:
        train_float(
            graph,
            x,
            np.ones((50, 3)),
            rule="tpsgd",
            losses=(LossSpec(kind="l2"),),
            learning_rate=10.0,
        )
    assert "smaller learning rate" in str(caught.value)


def test_given_weights_are_where_training_starts():
    given = Weights(np.full((64, 2), 0.25), np.zeros(64))
    graph = RINGS
    graph = Graph(graph.name, graph.layers, graph.labels, {"fc1": given})
    assert torch.equal(first_network(graph, seed=1).w[0], torch.full((64, 2), 0.25))


def rings_spec(method: str):
    return spec_from_dict(
        {
            "name": "rings",
            "model": {
                "layers": [{"name": "fc1", "units": 64}, {"name": "fc2", "units": 5}],
                "pretrain": {"method": method, "epochs": 30, "batch": 8},
            },
            "data": {"file": "rings.npz"},
        }
    )


@pytest.mark.parametrize("method", ["backprop", "tpsgd"])
@pytest.mark.slow
def test_pretrain_gives_weights_that_tell_the_classes(method):
    x, y = five_rings()
    graph = with_learning(RINGS, rings_spec(method))
    weights = pretrain(rings_spec(method), graph, x, y)
    assert list(weights) == ["fc1", "fc2"]
    trained = Graph(graph.name, graph.layers, graph.labels, weights)
    assert first_network(trained, seed=9).accuracy(x, y) > 0.85


def test_missing_torch_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("tpsgd_edge.rule.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ToolError) as caught:
        pretrain(rings_spec("tpsgd"), RINGS, np.zeros((1, 2)), np.zeros(1, np.int64))
    assert "pip install 'tpsgd-edge[torch]'" in str(caught.value)
    assert caught.value.exit_code == 3
