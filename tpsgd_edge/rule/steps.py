"""One layer at one step of a sequence, as the way back needs it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Step:
    """One layer at one step.

    Attributes:
        v: what it read, its input and its last output: (batch, n_in); of a gru also the output once
            more, times the reset gate where that acts first: (batch, n_in + n_out).
        c: the new activation, or candidate (batch, n_out).
        h: the state and output after the step (batch, n_out).
        gates: of a gru reset gate, update gate, and the candidate's sums over the own output; of an
            lstm input, forget and output gate, the cell before the step and after it, and its tanh.
        at: of a memory, how many inputs came before.
    """

    v: Tensor
    c: Tensor
    h: Tensor
    gates: tuple[Tensor, ...] = ()
    at: int = 0


# (x, last state, w, b) -> the step.
Stepper = Callable[[Tensor, Tensor, Tensor, Tensor], Step]


class Back(NamedTuple):
    """Gradients of one timestep from dJ/dh: its delta, dJ/dx, and dJ/dh of the timestep before."""

    delta: Tensor
    input_gradient: Tensor
    before: Tensor
