"""The gated recurrent layer in integers (docs/ARITHMETIC.md, section 17)."""

from dataclasses import dataclass

import numpy as np

from tpsgd_edge.arithmetic.ops import Int64, rshift_round, sat_s16
from tpsgd_edge.quantize.model import QuantizedDense, QuantizedGru, Schedule
from tpsgd_edge.reference.initial import initial_weights
from tpsgd_edge.reference.integer.activation import ACTIVATIONS
from tpsgd_edge.reference.integer.dense import IntegerDense
from tpsgd_edge.reference.integer.rnn import from_q15


@dataclass(slots=True, eq=False)
class IntegerGru:
    """One gated recurrent layer: sums over its input and over its own output, and a state.

    Attributes:
        h: the state in Q15, shape (n_out,).
    """

    layer: QuantizedGru
    reads: IntegerDense
    own: IntegerDense
    h: Int64

    @classmethod
    def prepare(
        cls, layer: QuantizedGru, schedule: Schedule, label_kind: str, label_count: int
    ) -> "IntegerGru":
        """The layer with its weights, before a sequence."""

        def unit(dense: QuantizedDense) -> IntegerDense:
            prepared = IntegerDense.prepare(dense, schedule, label_kind, label_count)
            prepared.set_state(*initial_weights(dense))
            return prepared

        h = np.zeros(layer.n_out, np.int64)
        return cls(layer, unit(layer.reads), unit(layer.own), h)

    def reset(self) -> None:
        """Begin a sequence."""
        self.h = np.zeros_like(self.h)

    def forward(self, x: Int64) -> Int64:
        """The next step of the sequence: y, shape (n_out,), of x, shape (n_x,)."""
        n = self.layer.n_out
        a, u = self.reads.forward(x), self._own_sums(self.h)
        r, z = _activate("sigmoid", a[: 2 * n] + u[: 2 * n]).reshape(2, n)
        if self.layer.resets_first:
            k = self._own_sums(rshift_round(r * self.h, 15))[2 * n :]
        else:
            k = rshift_round(r * u[2 * n :], 15)
        c = _activate("tanh", 2 * (a[2 * n :] + k))
        self.h = c + rshift_round(z * (self.h - c), 15)
        return from_q15(self.layer.x_type, self.h)

    def _own_sums(self, state: Int64) -> Int64:
        return self.own.forward(from_q15(self.layer.x_type, state))


def _activate(activation: str, sums: Int64) -> Int64:
    return ACTIVATIONS[activation]("s16", sat_s16(sums))
