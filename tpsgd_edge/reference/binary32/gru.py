"""The gated recurrent layer in binary32 (docs/ARITHMETIC.md, sections 12 and 17)."""

from dataclasses import dataclass
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
        u: the candidate's sums over the own output.
    """

    x: F32
    h: F32
    r: F32
    z: F32
    c: F32
    u: F32


@dataclass(slots=True, eq=False)
class Binary32Gru(Binary32Gated):
    """One gated recurrent layer.

    Attributes:
        seen: the latest step.
    """

    seen: Seen | None = None

    def forward(self, x: F32) -> F32:
        """The next step of the sequence: y, shape (n_out,), of x, shape (n_x,)."""
        n = self.layer.n_out
        a, u = self.reads.forward(x), self.own.forward(self.h)
        r, z = ACTIVATIONS["sigmoid"](a[: 2 * n] + u[: 2 * n]).reshape(2, n)
        first = self.layer.reset_before
        k = self.own.forward(r * self.h)[2 * n :] if first else r * u[2 * n :]
        c = ACTIVATIONS["tanh"](a[2 * n :] + k)
        self.seen = Seen(x, self.h, r, z, c, u[2 * n :])
        self.h = c + z * (self.h - c)
        return self.h

    def learn(self, x: F32, y: F32, label: Label, words: NDArray[Any], decay: np.float32) -> bool:
        """Update both dense layers by the error of y (n_out,); `x` is what was kept."""
        assert self.loss is not None
        assert self.seen is not None
        s, e = self.seen, local_error(self.loss, y, label)
        candidate = e * DERIVATIVES["tanh"](s.c)
        update = (e * (s.h - s.c)) * DERIVATIVES["sigmoid"](s.z)
        reset = (candidate * s.u) * DERIVATIVES["sigmoid"](s.r)
        of_x = np.concatenate([reset, update, candidate])
        of_h = np.concatenate([reset, update, candidate * s.r])
        return self.learn_from(of_x, of_h, s.x, s.h, words, decay)
