"""The gated recurrent layer in binary32 (docs/ARITHMETIC.md, sections 12 and 17)."""

from dataclasses import dataclass

import numpy as np

from tpsgd_edge.quantize.model import QuantizedDense, QuantizedGru, Schedule
from tpsgd_edge.reference.binary32.dense import Binary32Dense
from tpsgd_edge.reference.binary32.functions import ACTIVATIONS, F32
from tpsgd_edge.reference.initial import initial_weights


@dataclass(slots=True, eq=False)
class Binary32Gru:
    """One gated recurrent layer: sums over its input and over its own output, and a state.

    Attributes:
        h: the state, shape (n_out,).
    """

    layer: QuantizedGru
    reads: Binary32Dense
    own: Binary32Dense
    h: F32

    @classmethod
    def prepare(
        cls, layer: QuantizedGru, schedule: Schedule, label_kind: str, label_count: int
    ) -> "Binary32Gru":
        """The layer with its weights, before a sequence."""

        def unit(dense: QuantizedDense) -> Binary32Dense:
            prepared = Binary32Dense.prepare(dense, schedule, label_kind, label_count)
            prepared.set_state(*initial_weights(dense))
            return prepared

        h = np.zeros(layer.n_out, np.float32)
        return cls(layer, unit(layer.reads), unit(layer.own), h)

    def reset(self) -> None:
        """Begin a sequence."""
        self.h = np.zeros_like(self.h)

    def forward(self, x: F32) -> F32:
        """The next step of the sequence: y, shape (n_out,), of x, shape (n_x,)."""
        n = self.layer.n_out
        a, u = self.reads.forward(x), self.own.forward(self.h)
        r, z = ACTIVATIONS["sigmoid"](a[: 2 * n] + u[: 2 * n]).reshape(2, n)
        first = self.layer.resets_first
        k = self.own.forward(r * self.h)[2 * n :] if first else r * u[2 * n :]
        c = ACTIVATIONS["tanh"](a[2 * n :] + k)
        self.h = c + z * (self.h - c)
        return self.h
