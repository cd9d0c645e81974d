"""Every local error against torch's autograd of the loss written down; e = -dJ/dy."""

import itertools
import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tpsgd_edge.arithmetic.activations import FACTS
from tpsgd_edge.arithmetic.projection import READOUT_FACTOR, UNIT, draw_projection
from tpsgd_edge.graph import Dense, Graph, Labels
from tpsgd_edge.rule.activations import ACTIVATIONS
from tpsgd_edge.rule.losses import (
    LocalLoss,
    local_delta,
    local_error,
    local_losses,
    target,
    with_learning_readouts,
)
from tpsgd_edge.spec import LossSpec, ProjectionSpec

N_IN, N_HIDDEN, N_LABELS, BATCH = 7, 12, 5, 9
KINDS = ("sign", "hadamard", "ternary", "gaussian")
DELTA = 0.3
LEARNING = [name for name, of in ACTIVATIONS.items() if of.slope]


def layers(activation: str, labels: str = "class") -> Graph:
    numbers = tuple((FACTS[activation].settings or {}).values())
    first = Dense("first", N_IN, N_HIDDEN, activation, numbers=numbers)
    last = Dense("last", N_HIDDEN, N_LABELS, activation, numbers=numbers)
    return Graph("net", (first, last), Labels(labels, N_LABELS), {})


def hidden_loss(spec: LossSpec, activation: str, kind: str = "sign") -> LocalLoss:
    both = (spec, LossSpec(kind="l2"))
    projection = ProjectionSpec(kind=kind)
    return local_losses(layers(activation), both, projection, seed=3, dtype=torch.float64)[0]


def rows(labels: str) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    if labels == "class":
        classes = torch.randint(N_LABELS, (BATCH,), generator=generator)
        return functional.one_hot(classes, N_LABELS).double()
    return torch.randn((BATCH, N_LABELS), generator=generator, dtype=torch.float64)


# The losses J as anyone would write them, for y in front of the target t.
LOSS_ON_TARGET = {
    "l2": lambda t, y: 0.5 * ((t - y) ** 2).sum(),
    "l1": lambda t, y: (t - y).abs().sum(),
    "huber": lambda t, y: functional.huber_loss(y, t, reduction="sum", delta=DELTA),
    "epsilon_insensitive": lambda t, y: 0.5 * (functional.relu((t - y).abs() - DELTA) ** 2).sum(),
}


@pytest.mark.parametrize(
    ("kind", "activation", "projection", "labels"),
    list(itertools.product(LOSS_ON_TARGET, LEARNING, KINDS, ("class", "vector"))),
)
def test_losses_in_target_space_follow_autograd(kind, activation, projection, labels):
    settings = {"delta": DELTA} if kind in ("huber", "epsilon_insensitive") else {}
    loss = hidden_loss(LossSpec(kind=kind, **settings), activation, projection)
    z = torch.randn((BATCH, N_HIDDEN), dtype=torch.float64, requires_grad=True)
    y = ACTIVATIONS[activation].function(z, *loss.numbers)
    j = LOSS_ON_TARGET[kind](target(loss, rows(labels)), y)
    dj_dy, dj_dz = torch.autograd.grad(j, (y, z))
    with torch.no_grad():
        torch.testing.assert_close(local_error(loss, y, rows(labels)), -dj_dy)
        torch.testing.assert_close(local_delta(loss, y, rows(labels)), -dj_dz)


@pytest.mark.parametrize("projection", KINDS)
def test_cross_entropy_on_sigmoid_units_cancels_the_derivative(projection):
    loss = hidden_loss(LossSpec(kind="cross_entropy"), "sigmoid", projection)
    z = torch.randn((BATCH, N_HIDDEN), dtype=torch.float64, requires_grad=True)
    t = target(loss, rows("class"))
    j = functional.binary_cross_entropy_with_logits(z, t, reduction="sum")
    (dj_dz,) = torch.autograd.grad(j, z)
    with torch.no_grad():
        torch.testing.assert_close(local_delta(loss, torch.sigmoid(z), rows("class")), -dj_dz)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("projection", KINDS)
def test_projected_cross_entropy_is_autograd_over_its_gain(projection, temperature):
    spec = LossSpec(kind="projected_cross_entropy", temperature=temperature)
    loss = hidden_loss(spec, "tanh", projection)
    y = torch.rand((BATCH, N_HIDDEN), dtype=torch.float64, requires_grad=True)
    gain = 1 / (math.sqrt(N_HIDDEN) * temperature)
    logits = gain * y @ loss.projection
    j = functional.cross_entropy(logits, rows("class"), reduction="sum")
    (dj_dy,) = torch.autograd.grad(j, y)
    with torch.no_grad():
        torch.testing.assert_close(local_error(loss, y, rows("class")), -dj_dy / gain)


@pytest.mark.parametrize("labels", ["class", "vector"])
@pytest.mark.parametrize("projection", KINDS)
def test_projected_l2_is_autograd_over_its_gain(projection, labels):
    loss = hidden_loss(LossSpec(kind="projected_l2"), "tanh", projection)
    y = torch.rand((BATCH, N_HIDDEN), dtype=torch.float64, requires_grad=True)
    gain = 1 / math.sqrt(N_HIDDEN)
    j = 0.5 * ((rows(labels) - gain * y @ loss.projection) ** 2).sum()
    (dj_dy,) = torch.autograd.grad(j, y)
    with torch.no_grad():
        torch.testing.assert_close(local_error(loss, y, rows(labels)), -dj_dy / gain)


@pytest.mark.parametrize("kind", ["projected_cross_entropy", "projected_l2"])
def test_read_outs_that_learn_follow_autograd_over_their_gain(kind):
    both = (hidden_loss(LossSpec(kind=kind), "tanh"), None)
    loss, _ = with_learning_readouts(both, (0.01, 0.0))
    y = torch.rand((BATCH, N_HIDDEN), dtype=torch.float64)
    p = both[0].projection.clone().requires_grad_()
    v, share = loss.gain * y @ p, torch.rand((BATCH, 1), dtype=torch.float64)
    each = (
        functional.cross_entropy(v, rows("class"), reduction="none")
        if kind == "projected_cross_entropy"
        else 0.5 * ((rows("class") - v) ** 2).sum(dim=1)
    )
    (dj_dp,) = torch.autograd.grad((each * share[:, 0]).sum(), p)
    with torch.no_grad():
        # The error is that of the read-out before it learns.
        e = local_error(loss, y, rows("class"), share)
        assert torch.equal(e, local_error(both[0], y, rows("class")))
        learned = p - READOUT_FACTOR * 0.01 * dj_dp / loss.gain
        torch.testing.assert_close(loss.projection, learned)
        assert not torch.equal(both[0].projection, learned)


def test_only_losses_in_label_space_have_read_outs_that_learn():
    loss = hidden_loss(LossSpec(kind="l2"), "tanh")
    assert with_learning_readouts((loss,), (0.01,)) == (loss,)


def test_softmax_cross_entropy_follows_autograd():
    both = (LossSpec(kind="l2"), LossSpec(kind="softmax_cross_entropy"))
    loss = local_losses(layers("linear"), both, ProjectionSpec(), seed=3)[1]
    z = torch.randn((BATCH, N_LABELS), dtype=torch.float64, requires_grad=True)
    j = functional.cross_entropy(z, rows("class"), reduction="sum")
    (dj_dz,) = torch.autograd.grad(j, z)
    with torch.no_grad():
        torch.testing.assert_close(local_delta(loss, z, rows("class")), -dj_dz)


def test_a_custom_loss_is_its_expression_in_r():
    loss = hidden_loss(LossSpec(kind="custom", expression="tanh(4 * r)"), "tanh")
    y = torch.rand((BATCH, N_HIDDEN), dtype=torch.float64)
    r = target(loss, rows("class")) - y
    torch.testing.assert_close(local_error(loss, y, rows("class")), torch.tanh(4 * r))


@pytest.mark.parametrize("kind", KINDS)
def test_the_unit_gives_a_projection_variance_one(kind):
    entries = draw_projection(kind, 1, (1000, 40)) * UNIT[kind]
    assert abs(entries.var() - 1) < 0.02
    assert abs(entries.mean()) < 0.02
