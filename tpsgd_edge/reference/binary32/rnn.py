"""The recurrent layer in binary32 (docs/ARITHMETIC.md, sections 12 and 15)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.quantize.model import FloatNumbers, FloatSteps, FloatWeighted, RnnShape, Weighted
from tpsgd_edge.reference.binary32.dense import Binary32Dense
from tpsgd_edge.reference.binary32.functions import F32, ONE
from tpsgd_edge.reference.binary32.loss import Label
from tpsgd_edge.reference.maps import Index

_Layer = Weighted[RnnShape, FloatNumbers, FloatSteps]


@dataclass(slots=True, eq=False)
class Binary32Rnn:
    """One recurrent layer: a dense layer from [x; own last output], and what a sequence leaves.

    Attributes:
        group: of each unit, shape (n_out,).
        leaks: of each group, shape (groups,).
        has_traces: whether it learns from traces, else from the present.
        h: the state, shape (n_out,).
        v, c: input and activation of the latest step, shapes (n_in,) and (n_out,).
        trace: what each group has read of late, shape (groups, n_in); without traces nothing
            moves it.
    """

    dense: Binary32Dense
    group: Index
    leaks: F32
    has_traces: bool
    h: F32
    v: F32
    c: F32
    trace: F32

    @classmethod
    def from_quantized(cls, layer: _Layer, label_kind: str, label_count: int) -> "Binary32Rnn":
        """The layer with its constants at hand, weights of zero, before a sequence."""
        shape = layer.shape
        group = np.repeat(np.arange(len(shape.leak_shifts)), np.diff(shape.group_bounds))
        return cls(
            dense=Binary32Dense.from_quantized(layer, label_kind, label_count),
            group=group,
            leaks=np.ldexp(ONE, -np.array(shape.leak_shifts)).astype(np.float32),
            has_traces=shape.has_traces,
            h=np.zeros(layer.n_out, np.float32),
            v=np.zeros(layer.n_in, np.float32),
            c=np.zeros(layer.n_out, np.float32),
            trace=np.zeros((len(shape.leak_shifts), layer.n_in), np.float32),
        )

    @property
    def layer(self) -> FloatWeighted:
        """The numbers of the layer."""
        return self.dense.layer

    def set_state(self, w: NDArray[Any], b: NDArray[Any]) -> None:
        """Take weights (n_out, n_in) and biases (n_out,)."""
        self.dense.set_state(w, b)

    def weights(self) -> NDArray[Any]:
        """Return w (n_out, n_in) as the device keeps it; a copy."""
        return self.dense.weights()

    def biases(self) -> NDArray[Any]:
        """Return b (n_out,) as the device keeps it; a view."""
        return self.dense.biases()

    def set_readout(self, p: NDArray[Any]) -> None:
        """Take a P that learns, (n_target, K)."""
        self.dense.set_readout(p)

    def readout(self) -> NDArray[Any]:
        """Return P (n_target, K) as the device keeps it, if it learns."""
        return self.dense.readout()

    def reset(self) -> None:
        """Begin a sequence."""
        self.h, self.trace = np.zeros_like(self.h), np.zeros_like(self.trace)

    def forward(self, x: F32) -> F32:
        """The next step of the sequence: y, shape (n_out,), of x, shape (n_x,)."""
        self.v = np.concatenate([x, self.h])
        self.c = self.dense.forward(self.v)
        self.h = self.h + (self.c - self.h) * self.leaks[self.group]
        if self.has_traces:
            self.trace = self.trace + (self.v - self.trace) * self.leaks[:, np.newaxis]
        return self.h

    def learn(
        self, x: F32, y: F32, label: Label, words: NDArray[np.uint32], decay: np.float32
    ) -> bool:
        """Update w and b by the error of y (n_out,); what was kept counts in place of `x`."""
        if not self.has_traces:
            return self.dense.learn(self.v, y, label, words, decay, c=self.c)
        return self.dense.learn(self.trace[self.group], y, label, words, decay)
