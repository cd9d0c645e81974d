"""Recurrent layers at one step in torch: forward, back, and what a local error teaches.

docs/ARITHMETIC.md, sections 15, 17, 23 and 29. A delta is dJ/dz: of a gated layer (batch, 2 gates
n_out), of the sums over its input and then of those over its own output, each in the order of its
rows: gates and candidate.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tpsgd_edge.graph import Dense, Gated, Gru, Layer, Lstm, Rnn
from tpsgd_edge.rule.activations import activate, derivative
from tpsgd_edge.rule.layers import forward, input_gradient
from tpsgd_edge.rule.memories import memory_back, memory_stepper
from tpsgd_edge.rule.steps import Back, Step, Stepper

# A way back: (layer, w, step, dJ/dh, dJ/d of the state that the timestep behind it hands back) ->
# `Back`.
WayBack = Callable[[Any, Tensor, Step, Tensor, Tensor], Back]


@dataclass(frozen=True, slots=True)
class Cell:
    """The functions of one kind.

    Attributes:
        stepper: (layer, any tensor of the type in use) -> what takes a step.
        back: the way back through one step.
        delta: (layer, w, step, delta of the rule) -> delta of the layer, from the present alone.
        states: how many values of each unit go from one timestep to the next.
    """

    stepper: Callable[[Any, Tensor], Stepper]
    back: WayBack
    delta: Callable[[Any, Tensor, Step, Tensor], Tensor]
    states: int = 1


def slope_of(layer: Layer, step: Step) -> Tensor:
    """Values (batch, n_out) at which a rule takes f' of a layer that learns from the present.

    A gated layer takes its derivatives itself, in `Cell.delta`: tanh' is 1 at 0.
    """
    return torch.zeros_like(step.c) if isinstance(layer, Gated) else step.c


def _rnn_stepper(layer: Rnn, like: Tensor) -> Stepper:
    leaks = like.new_tensor(layer.unit_leaks)

    def step(x: Tensor, h: Tensor, w: Tensor, b: Tensor) -> Step:
        v = torch.cat((x, h), dim=1)
        c = activate(layer, forward(layer, v, w, b))
        return Step(v, c, h + (c - h) * leaks)

    return step


def _rnn_back(layer: Rnn, w: Tensor, step: Step, grad: Tensor, carried: Tensor) -> Back:
    total = grad + carried
    leaks = total.new_tensor(layer.unit_leaks)
    delta = leaks * total * derivative(layer, step.c)
    lower = input_gradient(layer, step.v, w, delta)
    before = (1 - leaks) * total + lower[:, layer.n_x :]
    return Back(delta, lower[:, : layer.n_x], before)


def _gated_sums(layer: Gated, x: Tensor, h: Tensor, w: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Sums (batch, gates n_out) over the input, and over the own output."""
    a = torch.addmm(b[0], x, w[:, : layer.n_x].T)
    return a, torch.addmm(b[1], h, w[:, layer.n_x :].T)


def _gru_stepper(layer: Gru, like: Tensor) -> Stepper:
    n, n_x, first = layer.n_out, layer.n_x, layer.reset_before

    def step(x: Tensor, h: Tensor, w: Tensor, b: Tensor) -> Step:
        a, u = _gated_sums(layer, x, h, w, b)
        r, z = torch.sigmoid(a[:, : 2 * n] + u[:, : 2 * n]).chunk(2, dim=1)
        q, k = h, r * u[:, 2 * n :]
        if first:
            q = r * h
            k = torch.addmm(b[1, 2 * n :], q, w[2 * n :, n_x:].T)
        c = torch.tanh(a[:, 2 * n :] + k)
        return Step(torch.cat((x, h, q), dim=1), c, c + z * (h - c), (r, z, u[:, 2 * n :]))

    return step


def _gru_back(layer: Gru, w: Tensor, step: Step, grad: Tensor, carried: Tensor) -> Back:
    total = grad + carried
    n, own = layer.n_out, w[:, layer.n_x :]
    r, z, _ = step.gates
    delta = _gru_delta(layer, w, step, total, total * (1 - z))
    of_x, of_h = delta.chunk(2, dim=1)
    before = z * total + of_h[:, : 2 * n] @ own[: 2 * n]
    candidate = of_h[:, 2 * n :] @ own[2 * n :]
    before = before + (r * candidate if layer.reset_before else candidate)
    return Back(delta, of_x @ w[:, : layer.n_x], before)


def _gru_present_delta(layer: Gru, w: Tensor, step: Step, error: Tensor) -> Tensor:
    """The candidate learns the whole error, as an rnn layer does, however little of it counts."""
    return _gru_delta(layer, w, step, error, error)


def _gru_delta(layer: Gru, w: Tensor, step: Step, of_h: Tensor, of_c: Tensor) -> Tensor:
    """The delta of a step from dJ/dh and dJ/dc."""
    n, (r, z, u) = layer.n_out, step.gates
    h = step.v[:, layer.n_x : layer.n_in]
    candidate = of_c * (1 - step.c.square())
    update = of_h * (h - step.c) * z * (1 - z)
    own = candidate if layer.reset_before else candidate * r
    reaching = candidate * u
    if layer.reset_before:
        reaching = candidate @ w[2 * n :, layer.n_x :] * h
    reset = reaching * r * (1 - r)
    return torch.cat((reset, update, candidate, reset, update, own), dim=1)


def _lstm_stepper(layer: Lstm, like: Tensor) -> Stepper:
    n = layer.n_out
    cell = like.new_zeros(len(like), n)

    def step(x: Tensor, h: Tensor, w: Tensor, b: Tensor) -> Step:
        nonlocal cell
        before = cell
        a, u = _gated_sums(layer, x, h, w, b)
        take, keep, show = torch.sigmoid((a + u)[:, : 3 * n]).chunk(3, dim=1)
        c = torch.tanh((a + u)[:, 3 * n :])
        cell = keep * before + take * c
        if layer.cell_clip is not None:
            cell = cell.clamp(-layer.cell_clip, layer.cell_clip)
        shown = torch.tanh(cell)
        gates = (take, keep, show, before, cell, shown)
        return Step(torch.cat((x, h), dim=1), c, show * shown, gates)

    return step


def _lstm_back(layer: Lstm, w: Tensor, step: Step, grad: Tensor, carried: Tensor) -> Back:
    """The way back; `carried` and what goes on are dJ/dh and dJ/dcell side by side."""
    of_h, later = carried.chunk(2, dim=1)
    total = grad + of_h
    take, keep, show, _, cell, shown = step.gates
    of_cell = later + total * show * (1 - shown.square())
    if layer.cell_clip is not None:
        of_cell = of_cell * (cell.abs() < layer.cell_clip)
    delta = _lstm_delta(step, total, of_cell, of_cell * take)
    of_sums = delta[:, : 4 * layer.n_out]
    lower = of_sums @ w
    before = torch.cat((lower[:, layer.n_x :], of_cell * keep), dim=1)
    return Back(delta, lower[:, : layer.n_x], before)


def _lstm_present_delta(layer: Lstm, w: Tensor, step: Step, error: Tensor) -> Tensor:
    """Cells learn the whole error, as if the output gate showed all of them."""
    take, *_, shown = step.gates
    of_cell = error * (1 - shown.square())
    return _lstm_delta(step, error, of_cell, of_cell * take)


def _lstm_delta(step: Step, of_h: Tensor, of_cell: Tensor, of_c: Tensor) -> Tensor:
    """The delta of a step from dJ/dh, dJ/dcell and what the candidate takes for its error."""
    take, keep, show, before, _, shown = step.gates
    sums = (
        of_cell * step.c * take * (1 - take),
        of_cell * before * keep * (1 - keep),
        of_h * shown * show * (1 - show),
        of_c * (1 - step.c.square()),
    )
    return torch.cat((*sums, *sums), dim=1)


def _dense_stepper(layer: Dense, like: Tensor) -> Stepper:
    def step(x: Tensor, h: Tensor, w: Tensor, b: Tensor) -> Step:
        y = activate(layer, forward(layer, x, w, b))
        return Step(x, y, y)

    return step


def _dense_back(layer: Dense, w: Tensor, step: Step, grad: Tensor, carried: Tensor) -> Back:
    delta = grad * derivative(layer, step.c)
    return Back(delta, input_gradient(layer, step.v, w, delta), torch.zeros_like(carried))


CELLS: dict[str, Cell] = {
    "dense": Cell(_dense_stepper, _dense_back, lambda layer, w, step, delta: delta),
    "memory": Cell(memory_stepper, memory_back, lambda layer, w, step, delta: delta),
    "rnn": Cell(_rnn_stepper, _rnn_back, lambda layer, w, step, delta: delta),
    "gru": Cell(_gru_stepper, _gru_back, _gru_present_delta),
    "lstm": Cell(_lstm_stepper, _lstm_back, _lstm_present_delta, states=2),
}
