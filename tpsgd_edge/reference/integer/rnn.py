"""The recurrent layer in integers (docs/ARITHMETIC.md, section 15)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.ops import Int64, rshift_round, sat_s8
from tpsgd_edge.quantize.model import QuantizedDense, QuantizedRnn, Schedule, ValueType
from tpsgd_edge.reference.integer.activation import to_q15
from tpsgd_edge.reference.integer.dense import IntegerDense
from tpsgd_edge.reference.integer.loss import Label


@dataclass(slots=True, eq=False)
class IntegerRnn:
    """One recurrent layer: a dense layer from [x; own last output], and what a sequence leaves.

    Attributes:
        h: the state in Q15 of R, shape (n_out,).
        trace: what the layer has read of late in Q15, shape (n_in,).
    """

    dense: IntegerDense
    leak: int
    h: Int64
    trace: Int64

    @classmethod
    def prepare(
        cls, layer: QuantizedRnn, schedule: Schedule, label_kind: str, label_count: int
    ) -> "IntegerRnn":
        """The layer with its constants at hand, weights of zero, before a sequence."""
        return cls(
            dense=IntegerDense.prepare(layer, schedule, label_kind, label_count),
            leak=int(layer.leak),
            h=np.zeros(layer.n_out, np.int64),
            trace=np.zeros(layer.n_in, np.int64),
        )

    @property
    def layer(self) -> QuantizedDense:
        """The numbers of the layer."""
        return self.dense.layer

    def set_state(self, w: NDArray[Any], b: NDArray[Any]) -> None:
        """Take weights (n_out, n_in) and biases (n_out,)."""
        self.dense.set_state(w, b)

    def weights(self) -> NDArray[Any]:
        """w as the device keeps it; a view."""
        return self.dense.weights()

    def biases(self) -> NDArray[Any]:
        """b as the device keeps it; a copy."""
        return self.dense.biases()

    def reset(self) -> None:
        """Begin a sequence."""
        self.h, self.trace = np.zeros_like(self.h), np.zeros_like(self.trace)

    def forward(self, x: Int64) -> Int64:
        """The next step of the sequence: o, shape (n_out,), of x, shape (n_x,)."""
        value_type = self.layer.x_type
        v = np.concatenate([x, narrow(value_type, self.h)])
        c = self.dense.forward(v)
        self.h = toward(self.h, to_q15(value_type, c), self.leak)
        self.trace = toward(self.trace, to_q15(value_type, v), self.leak)
        return narrow(value_type, self.h)

    def learn(self, x: Int64, y: Int64, label: Label, words: NDArray[np.uint32], step: int) -> bool:
        """Update w and b; in place of `x` the trace counts. Returns whether a unit learned."""
        read = narrow(self.layer.x_type, self.trace)
        return self.dense.learn(read, y, label, words, step)


def narrow(value_type: ValueType, v: Int64) -> Int64:
    """Values in Q15 of their full scale in the type of x."""
    return sat_s8(rshift_round(v, 8)) if value_type == "s8" else v


def toward(a: Int64, b: Int64, leak: int) -> Int64:
    """`a`, moved towards `b` by the share `leak`, in Q15."""
    return a + rshift_round((b - a) * leak, 15)
