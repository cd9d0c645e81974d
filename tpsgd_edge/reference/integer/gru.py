"""The gated recurrent layer in integers (docs/ARITHMETIC.md, section 17)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.ops import Int64, rshift_round, sat_s16
from tpsgd_edge.quantize.model import QuantizedGru, in_integers
from tpsgd_edge.reference.integer.activation import ACTIVATIONS, DERIVATIVES
from tpsgd_edge.reference.integer.dense import IntegerDense
from tpsgd_edge.reference.integer.loss import Label, LossConstants, local_error, prepare_loss
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
class IntegerGru:
    """One gated recurrent layer: sums over its input and over its own output, and a state.

    Attributes:
        loss: the constants of the layer's loss, where it learns.
        seen: the latest step.
        h: the state in Q15, shape (n_out,).
    """

    layer: QuantizedGru
    reads: IntegerDense
    own: IntegerDense
    loss: LossConstants | None
    h: Int64
    seen: Seen | None

    @property
    def parts(self) -> tuple[IntegerDense, IntegerDense]:
        """The dense layers, whose state is that of the layer."""
        return self.reads, self.own

    @classmethod
    def from_quantized(cls, layer: QuantizedGru, label_kind: str, label_count: int) -> "IntegerGru":
        """The layer with weights of zero, before a sequence."""
        reads, own = (
            IntegerDense.from_quantized(in_integers(unit), label_kind, label_count)
            for unit in layer.units
        )
        loss = None
        if layer.loss_layer is not None:
            loss = prepare_loss(in_integers(layer.loss_layer), label_kind, label_count)
        h = np.zeros(layer.n_out, np.int64)
        return cls(layer, reads, own, loss, h, None)

    def reset(self) -> None:
        """Begin a sequence."""
        self.h = np.zeros_like(self.h)

    def forward(self, x: Int64) -> Int64:
        """The next step of the sequence: y, shape (n_out,), of x, shape (n_x,)."""
        n = self.layer.n_out
        a, u = self.reads.forward(x), self._own_sums(self.h)
        r, z = self._activate("sigmoid", a[: 2 * n] + u[: 2 * n]).reshape(2, n)
        if self.layer.reset_before:
            k = self._own_sums(rshift_round(r * self.h, 15))[2 * n :]
        else:
            k = rshift_round(r * u[2 * n :], 15)
        c = self._activate("tanh", 2 * (a[2 * n :] + k))
        self.seen = Seen(x, self.h, r, z, c, u[2 * n :])
        self.h = c + rshift_round(z * (self.h - c), 15)
        return from_q15(self.layer.x_type, self.h)

    def learn(self, x: Int64, y: Int64, label: Label, words: NDArray[Any], decay: int) -> bool:
        """Update both dense layers by the error of y (n_out,); `x` is what was kept."""
        assert self.loss is not None
        assert self.seen is not None
        s, e = self.seen, local_error(self.loss, y, label)
        candidate = _scaled(e, self._slope("tanh", s.c))
        update = rshift_round(e * ((s.h - s.c) >> 1), 14)
        update = _scaled(update, self._slope("sigmoid", s.z))
        reset = sat_s16(rshift_round(candidate * s.u, 12))
        reset = _scaled(reset, self._slope("sigmoid", s.r))
        of_x = np.concatenate([reset, update, candidate])
        of_h = np.concatenate([reset, update, _scaled(candidate, s.r)])
        n, own = len(of_x), from_q15(self.layer.x_type, s.h)
        learned = self.reads.learn_from(of_x, s.x, of_x, words[:n], decay)
        return self.own.learn_from(of_h, own, of_h, words[n:], decay) or learned

    def _own_sums(self, state: Int64) -> Int64:
        return self.own.forward(from_q15(self.layer.x_type, state))

    def _activate(self, activation: str, sums: Int64) -> Int64:
        """Activate gates or candidate, from sums in the s16 of both dense layers."""
        return ACTIVATIONS[activation](self.reads.layer, sat_s16(sums))

    def _slope(self, activation: str, y: Int64) -> Int64:
        return DERIVATIVES[activation](self.reads.layer, y)


def _scaled(values: Int64, share: Int64) -> Int64:
    """Values times a share in Q15."""
    return rshift_round(values * share, 15)
