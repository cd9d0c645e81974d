"""The gated recurrent layer in integers (docs/ARITHMETIC.md, section 17)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.ops import Int64, rshift_round, sat_s16
from tpsgd_edge.reference.integer.gated import IntegerGated, scaled
from tpsgd_edge.reference.integer.loss import Label, local_error
from tpsgd_edge.reference.integer.rnn import from_q15


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Values of a timestep to learn from: x (n_x,), all others (n_out,).

    Attributes:
        h: the state before it.
        u: the candidate's sums over the own output.
    """

    x: Int64
    h: Int64
    r: Int64
    z: Int64
    c: Int64
    u: Int64


@dataclass(slots=True, eq=False)
class IntegerGru(IntegerGated):
    """One gated recurrent layer.

    Attributes:
        seen: the latest step.
    """

    seen: Seen | None = None

    def forward(self, x: Int64) -> Int64:
        """The next step of the sequence: y, shape (n_out,), of x, shape (n_x,)."""
        n = self.layer.n_out
        a, u = self.reads.forward(x), self.own_sums(self.h)
        r, z = self.activate("sigmoid", a[: 2 * n] + u[: 2 * n]).reshape(2, n)
        if self.layer.reset_before:
            k = self.own_sums(rshift_round(r * self.h, 15))[2 * n :]
        else:
            k = rshift_round(r * u[2 * n :], 15)
        c = self.activate("tanh", 2 * (a[2 * n :] + k))
        self.seen = Seen(x, self.h, r, z, c, u[2 * n :])
        self.h = c + rshift_round(z * (self.h - c), 15)
        return from_q15(self.layer.x_type, self.h)

    def learn(self, x: Int64, y: Int64, label: Label, words: NDArray[Any], decay: int) -> bool:
        """Update both dense layers by the error of y (n_out,); `x` is what was kept."""
        assert self.loss is not None
        assert self.seen is not None
        s, e = self.seen, local_error(self.loss, y, label)
        candidate = scaled(e, self.slope("tanh", s.c))
        update = rshift_round(e * ((s.h - s.c) >> 1), 14)
        update = scaled(update, self.slope("sigmoid", s.z))
        reset = sat_s16(rshift_round(candidate * s.u, 12))
        reset = scaled(reset, self.slope("sigmoid", s.r))
        of_x = np.concatenate([reset, update, candidate])
        of_h = np.concatenate([reset, update, scaled(candidate, s.r)])
        return self.learn_from(of_x, of_h, s.x, s.h, words, decay)
