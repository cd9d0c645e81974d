"""The recurrent layer in binary32 (docs/ARITHMETIC.md, sections 12 and 15)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.quantize.model import QuantizedDense, QuantizedRnn, Schedule
from tpsgd_edge.reference.binary32.dense import Binary32Dense
from tpsgd_edge.reference.binary32.functions import F32, ONE
from tpsgd_edge.reference.binary32.loss import Label
from tpsgd_edge.reference.maps import Index


@dataclass(slots=True, eq=False)
class Binary32Rnn:
    """One recurrent layer: a dense layer from [x; own last output], and what a sequence leaves.

    Attributes:
        group: of each unit, shape (n_out,).
        leaks: of each unit, shape (n_out,).
        trace_leaks: of each trace, shape (traces, 1).
        h: the state, shape (n_out,).
        trace: what the layer has read of late, shape (traces, n_in).
    """

    dense: Binary32Dense
    group: Index
    leaks: F32
    trace_leaks: F32
    h: F32
    trace: F32

    @classmethod
    def prepare(
        cls, layer: QuantizedRnn, schedule: Schedule, label_kind: str, label_count: int
    ) -> "Binary32Rnn":
        """The layer with its constants at hand, weights of zero, before a sequence."""
        group = np.repeat(np.arange(len(layer.leak_shifts)), np.diff(layer.group_bounds))
        return cls(
            dense=Binary32Dense.prepare(layer, schedule, label_kind, label_count),
            group=group,
            leaks=_leaks(layer.leak_shifts)[group],
            trace_leaks=_leaks(layer.trace_shifts)[:, np.newaxis],
            h=np.zeros(layer.n_out, np.float32),
            trace=np.zeros((len(layer.trace_shifts), layer.n_in), np.float32),
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
        """The next step of the sequence: y, shape (n_out,), of x, shape (n_x,)."""
        v = np.concatenate([x, self.h])
        c = self.dense.forward(v)
        self.h = self.h + (c - self.h) * self.leaks
        self.trace = self.trace + (v - self.trace) * self.trace_leaks
        return self.h

    def learn(self, x: F32, y: F32, label: Label, words: NDArray[np.uint32], step: int) -> bool:
        """Update w and b; in place of `x` the trace counts. Returns whether a unit learned."""
        read = self.trace[0] if len(self.trace) == 1 else self.trace[self.group]
        return self.dense.learn(read, y, label, words, step)


def _leaks(shifts: tuple[int, ...]) -> F32:
    leaks: F32 = np.ldexp(ONE, -np.array(shifts)).astype(np.float32)
    return leaks
