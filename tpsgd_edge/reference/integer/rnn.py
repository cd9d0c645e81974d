"""The recurrent layer in integers (docs/ARITHMETIC.md, section 15)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.formats import FORMATS
from tpsgd_edge.arithmetic.ops import Int64, clip, rshift_round
from tpsgd_edge.quantize.model import (
    IntegerNumbers,
    IntegerSteps,
    IntegerWeighted,
    RnnShape,
    ValueType,
    Weighted,
)
from tpsgd_edge.reference.integer.activation import TYPE_RANGE, to_q15
from tpsgd_edge.reference.integer.dense import IntegerDense
from tpsgd_edge.reference.integer.loss import Label
from tpsgd_edge.reference.maps import Index

_Layer = Weighted[RnnShape, IntegerNumbers, IntegerSteps]


@dataclass(slots=True, eq=False)
class IntegerRnn:
    """One recurrent layer: a dense layer from [x; own last output], and what a sequence leaves.

    Attributes:
        group: of each unit, shape (n_out,).
        leak_shifts: of each group, shape (groups,).
        has_traces: whether it learns from traces, else from the present.
        h: the state in Q15 of R, shape (n_out,).
        v, c: input and activation of the latest step, shapes (n_in,) and (n_out,).
        trace: what each group has read of late in Q15, shape (groups, n_in); without traces
            nothing moves it.
    """

    dense: IntegerDense
    own_shift: int
    group: Index
    leak_shifts: Int64
    has_traces: bool
    h: Int64
    v: Int64
    c: Int64
    trace: Int64

    @classmethod
    def from_quantized(cls, layer: _Layer, label_kind: str, label_count: int) -> "IntegerRnn":
        """The layer with its constants at hand, weights of zero, before a sequence."""
        shape, own_shift = layer.shape, layer.numbers.own_shift
        assert own_shift is not None
        group = np.repeat(np.arange(len(shape.leak_shifts)), np.diff(shape.group_bounds))
        return cls(
            dense=IntegerDense.from_quantized(layer, label_kind, label_count),
            own_shift=own_shift,
            group=group,
            leak_shifts=np.array(shape.leak_shifts),
            has_traces=shape.has_traces,
            h=np.zeros(layer.n_out, np.int64),
            v=np.zeros(layer.n_in, np.int64),
            c=np.zeros(layer.n_out, np.int64),
            trace=np.zeros((len(shape.leak_shifts), layer.n_in), np.int64),
        )

    @property
    def layer(self) -> IntegerWeighted:
        """The numbers of the layer."""
        return self.dense.layer

    def set_state(self, w: NDArray[Any], b: NDArray[Any]) -> None:
        """Take weights (n_out, n_in) and biases (n_out,)."""
        self.dense.set_state(w, b)

    def weights(self) -> NDArray[Any]:
        """Return w (n_out, n_in) as the device keeps it; a view."""
        return self.dense.weights()

    def biases(self) -> NDArray[Any]:
        """Return b (n_out,) as the device keeps it; a copy."""
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

    def forward(self, x: Int64) -> Int64:
        """The next step of the sequence: y, shape (n_out,), of x, shape (n_x,)."""
        value_type = self.layer.x_type
        self.v = np.concatenate([x, narrow(value_type, self.h, self.own_shift)])
        self.c = self.dense.forward(self.v)
        shifts = self.leak_shifts
        self.h = toward(self.h, to_q15(value_type, self.c), shifts[self.group])
        if self.has_traces:
            self.trace = toward(self.trace, to_q15(value_type, self.v), shifts[:, np.newaxis])
        return from_q15(value_type, self.h)

    def learn(
        self, x: Int64, y: Int64, label: Label, words: NDArray[np.uint32], decay: int
    ) -> bool:
        """Update w and b by the error of y (n_out,); what was kept counts in place of `x`."""
        if not self.has_traces:
            return self.dense.learn(self.v, y, label, words, decay, c=self.c)
        read = from_q15(self.layer.x_type, self.trace)
        return self.dense.learn(read[self.group], y, label, words, decay)


def from_q15(value_type: ValueType, v: Int64) -> Int64:
    """Convert values in Q15 of their full scale to outputs, in their shape."""
    return narrow(value_type, v, FORMATS[value_type].below_q15)


def narrow(value_type: ValueType, v: Int64, shift: int) -> Int64:
    """Round values to units 2^shift times as large, in their shape and the range of the type."""
    return clip(rshift_round(v, shift), *TYPE_RANGE[value_type])


def toward(a: Int64, b: Int64, shift: Int64) -> Int64:
    """Move `a` towards `b`, of the same shape, by 2^-shift, with a shift for each unit or row."""
    return a + ((b - a + ((1 << shift) >> 1)) >> shift)
