"""The layer of long short-term memory in binary32 (docs/ARITHMETIC.md, sections 12 and 29)."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.reference.binary32.activation import ACTIVATIONS, DERIVATIVES
from tpsgd_edge.reference.binary32.functions import F32
from tpsgd_edge.reference.binary32.gated import Binary32Gated
from tpsgd_edge.reference.binary32.loss import Label, local_error


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Values of a timestep to learn from: x (n_x,), all others (n_out,).

    Attributes:
        h: the state before it.
        gates: input, forget and output gate.
        c: the candidate.
        before: the cell before it.
        shown: tanh of the cell after it.
    """

    x: F32
    h: F32
    gates: tuple[F32, F32, F32]
    c: F32
    before: F32
    shown: F32


@dataclass(slots=True, eq=False)
class Binary32Lstm(Binary32Gated):
    """One layer of long short-term memory.

    Attributes:
        cell: what it remembers, shape (n_out,).
        seen: the latest step.
    """

    cell: F32 = field(init=False)
    seen: Seen | None = None

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin a sequence."""
        self.h = np.zeros_like(self.h)
        self.cell = np.zeros_like(self.h)

    def forward(self, x: F32) -> F32:
        """The next step of the sequence: y, shape (n_out,), of x, shape (n_x,)."""
        n = self.layer.n_out
        sums = self.reads.forward(x) + self.own.forward(self.h)
        take, keep, show = ACTIVATIONS["sigmoid"](sums[: 3 * n]).reshape(3, n)
        c, before = ACTIVATIONS["tanh"](sums[3 * n :]), self.cell
        most = np.float32(self.layer.cell_max)
        self.cell = np.clip(keep * before + take * c, -most, most)
        shown = ACTIVATIONS["tanh"](self.cell)
        self.seen = Seen(x, self.h, (take, keep, show), c, before, shown)
        self.h = show * shown
        return self.h

    def learn(self, x: F32, y: F32, label: Label, words: NDArray[Any], decay: np.float32) -> bool:
        """Update both dense layers by the error of y (n_out,); `x` is what was kept."""
        assert self.loss is not None
        assert self.seen is not None
        s, e = self.seen, local_error(self.loss, y, label)
        take, keep, show = s.gates
        cell = e * DERIVATIVES["tanh"](s.shown)
        of_take = (cell * s.c) * DERIVATIVES["sigmoid"](take)
        of_keep = (cell * s.before) * DERIVATIVES["sigmoid"](keep)
        of_show = (e * s.shown) * DERIVATIVES["sigmoid"](show)
        of_c = (cell * take) * DERIVATIVES["tanh"](s.c)
        errors = np.concatenate([of_take, of_keep, of_show, of_c])
        return self.learn_from(errors, errors, s.x, s.h, words, decay)
