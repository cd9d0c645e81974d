"""Nets that branch, in torch: forward passes, backpropagation against autograd, tpSGD."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402
from torch.nn import functional  # noqa: E402

from tests.support.rules import changes_of  # noqa: E402
from tpsgd_edge.graph import (  # noqa: E402
    Dense,
    Graph,
    Labels,
    Weights,
    add,
    concat,
    conv2d,
    pool,
)
from tpsgd_edge.graph.forward import outputs  # noqa: E402
from tpsgd_edge.rule.layers import update_sums  # noqa: E402
from tpsgd_edge.rule.losses import local_losses  # noqa: E402
from tpsgd_edge.rule.network import FloatNetwork, first_network  # noqa: E402
from tpsgd_edge.spec import LossSpec, ProjectionSpec  # noqa: E402

CLASSES = 4
LABELS = functional.one_hot(torch.tensor([0, 1, 2, 3, 0, 1]), CLASSES).float()
RNG = np.random.default_rng(0)
X = torch.tensor(RNG.normal(size=(len(LABELS), 50)).astype(np.float32))


def branching() -> Graph:
    """A skip over one layer, one over three, the samples read twice; with weights at random."""
    layers = (
        conv2d("c1", (5, 5, 2), filters=3, padding="same", activation="tanh"),
        conv2d("c2", (5, 5, 3), filters=3, padding="same", activation="linear"),
        add("sum", [(5, 5, 3)] * 2, "relu"),
        concat("both", [(5, 5, 3), (5, 5, 3), (5, 5, 2)]),
        pool("p", "average", (5, 5, 8), (2, 2), (2, 2)),
        Dense("out", 32, CLASSES, "linear"),
    )
    reads = {"sum": ("c1", "c2"), "both": ("sum", "c1", "x")}
    graph = Graph("net", layers, Labels("class", CLASSES), {}, reads=reads)
    weights = {
        layer.name: Weights(*(0.4 * RNG.normal(size=shape) for shape in layer.weight_shapes))
        for layer in graph.weighted
    }
    return replace(graph, weights=weights)


GRAPH = branching()
LOSSES = local_losses(
    GRAPH,
    tuple(
        LossSpec(kind="softmax_cross_entropy" if la.name == "out" else "projected_cross_entropy")
        for la in GRAPH.weighted
    ),
    ProjectionSpec(),
    seed=1,
)


def test_torch_makes_what_numpy_makes():
    made = first_network(GRAPH, seed=1).activity(X)[1:]
    expected = outputs(GRAPH, X.numpy().astype(np.float64), 1)
    for ours, theirs in zip(made, expected, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-4, atol=1e-5)


def gradients() -> tuple[FloatNetwork, list[Tensor], list[Tensor]]:
    """The net with its initial weights, and what autograd says of the loss of its last layer."""
    net = first_network(GRAPH, seed=1)
    w, b = ([t.clone().requires_grad_(True) for t in tensors] for tensors in (net.w, net.b))
    free = FloatNetwork(net.layers, tuple(w), tuple(b), reads=net.reads)
    functional.cross_entropy(free.activity(X)[-1], LABELS, reduction="sum").backward()
    return net, w, b


def test_errors_that_meet_add_up_as_autograd_says():
    net, w, b = gradients()
    seen = set()
    for index, x, delta in changes_of("backprop", net, X, LABELS, LOSSES):
        layer = net.layers[index]
        of_w, of_b = update_sums(layer, x, delta)
        torch.testing.assert_close(of_w, -w[index].grad, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(of_b, -b[index].grad, rtol=1e-4, atol=1e-4)
        seen.add(layer.name)
    assert seen == {"c1", "c2", "out"}


@pytest.mark.parametrize("rule", ["tpsgd", "drtp", "pepita", "dfa"])
def test_rules_that_pass_no_errors_learn_from_what_a_layer_reads(rule):
    from tpsgd_edge.rule.feedback import draw_feedback

    net = first_network(GRAPH, seed=1)
    values = net.activity(X)
    found = changes_of(rule, net, X, LABELS, LOSSES, draw_feedback(GRAPH, rule, seed=1))
    assert [net.layers[change.layer].name for change in found] == ["c1", "c2", "out"]
    if rule != "pepita":
        for change, place in zip(found, (0, 1, 5), strict=True):
            torch.testing.assert_close(change.x, values[place])
