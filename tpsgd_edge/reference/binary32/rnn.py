"""The recurrent layer in binary32 (docs/ARITHMETIC.md, sections 12 and 15)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.quantize.model import QuantizedDense, QuantizedRnn, Schedule
from tpsgd_edge.reference.binary32.dense import Binary32Dense
from tpsgd_edge.reference.binary32.functions import F32
from tpsgd_edge.reference.binary32.loss import Label


@dataclass(slots=True, eq=False)
class Binary32Rnn:
    """One recurrent layer: a dense layer from [x; own last output], and what a sequence leaves.

    Attributes:
        h: the state, shape (n_out,).
        trace: what the layer has read of late, shape (n_in,).
    """

    dense: Binary32Dense
    leak: np.float32
    h: F32
    trace: F32

    @classmethod
    def prepare(
        cls, layer: QuantizedRnn, schedule: Schedule, label_kind: str, label_count: int
    ) -> "Binary32Rnn":
        """The layer with its constants at hand, weights of zero, before a sequence."""
        return cls(
            dense=Binary32Dense.prepare(layer, schedule, label_kind, label_count),
            leak=np.float32(layer.leak),
            h=np.zeros(layer.n_out, np.float32),
            trace=np.zeros(layer.n_in, np.float32),
        )

    @property
    def layer(self) -> QuantizedDense:
        """The numbers of the layer."""
        return self.dense.layer

    def set_state(self, w: NDArray[Any], b: NDArray[Any]) -> None:
        """Take weights (n_out, n_in) and biases (n_out,)."""
        self.dense.set_state(w, b)

    def weights(self) -> NDArray[Any]:
        """w as the device keeps it; a copy."""
        return self.dense.weights()

    def biases(self) -> NDArray[Any]:
        """b as the device keeps it; a view."""
        return self.dense.biases()

    def reset(self) -> None:
        """Begin a sequence."""
        self.h, self.trace = np.zeros_like(self.h), np.zeros_like(self.trace)

    def forward(self, x: F32) -> F32:
        """The next step of the sequence: o, shape (n_out,), of x, shape (n_x,)."""
        v = np.concatenate([x, self.h])
        c = self.dense.forward(v)
        self.h = self.h + (c - self.h) * self.leak
        self.trace = self.trace + (v - self.trace) * self.leak
        return self.h

    def learn(self, x: F32, y: F32, label: Label, words: NDArray[np.uint32], step: int) -> bool:
        """Update w and b; in place of `x` the trace counts. Returns whether a unit learned."""
        return self.dense.learn(self.trace, y, label, words, step)
