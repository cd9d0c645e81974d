"""The layer of long short-term memory in integers (docs/ARITHMETIC.md, section 29)."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.ops import Int64, clip, rshift_round, sat_s16
from tpsgd_edge.reference.integer.gated import IntegerGated, scaled
from tpsgd_edge.reference.integer.loss import Label, local_error
from tpsgd_edge.reference.integer.rnn import from_q15


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Values of a timestep to learn from: x (n_x,), all others (n_out,).

    Attributes:
        h: the state before it.
        gates: input, forget and output gate.
        c: the candidate.
        before: the cell before it, in units of 2^-12.
        shown: tanh of the cell after it.
    """

    x: Int64
    h: Int64
    gates: tuple[Int64, Int64, Int64]
    c: Int64
    before: Int64
    shown: Int64


@dataclass(slots=True, eq=False)
class IntegerLstm(IntegerGated):
    """One layer of long short-term memory.

    Attributes:
        cell: in units of 2^-15, shape (n_out,).
        seen: the latest step.
    """

    cell: Int64 = field(init=False)
    seen: Seen | None = None

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin a sequence."""
        self.h = np.zeros_like(self.h)
        self.cell = np.zeros_like(self.h)

    def forward(self, x: Int64) -> Int64:
        """The next step of the sequence: y, shape (n_out,), of x, shape (n_x,)."""
        n = self.layer.n_out
        sums = self.reads.forward(x) + self.own_sums(self.h)
        take, keep, show = self.activate("sigmoid", sums[: 3 * n]).reshape(3, n)
        c = self.activate("tanh", 2 * sums[3 * n :])
        before = sat_s16(rshift_round(self.cell, 3))
        cell = rshift_round(keep * self.cell, 15) + rshift_round(take * c, 15)
        most = int(self.layer.cell_max)
        self.cell = clip(cell, -most, most)
        shown = self.activate("tanh", rshift_round(self.cell, 2))
        self.seen = Seen(x, self.h, (take, keep, show), c, before, shown)
        self.h = rshift_round(show * shown, 15)
        return from_q15(self.layer.x_type, self.h)

    def learn(self, x: Int64, y: Int64, label: Label, words: NDArray[Any], decay: int) -> bool:
        """Update both dense layers by the error of y (n_out,); `x` is what was kept."""
        assert self.loss is not None
        assert self.seen is not None
        s, e = self.seen, local_error(self.loss, y, label)
        take, keep, show = s.gates
        cell = scaled(e, self.slope("tanh", s.shown))
        of_take = scaled(scaled(cell, s.c), self.slope("sigmoid", take))
        of_keep = sat_s16(rshift_round(cell * s.before, 12))
        of_keep = scaled(of_keep, self.slope("sigmoid", keep))
        of_show = scaled(scaled(e, s.shown), self.slope("sigmoid", show))
        of_c = scaled(scaled(cell, take), self.slope("tanh", s.c))
        errors = np.concatenate([of_take, of_keep, of_show, of_c])
        return self.learn_from(errors, errors, s.x, s.h, words, decay)
