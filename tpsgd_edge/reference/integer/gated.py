"""Gated recurrent layers of any kind in integers (docs/ARITHMETIC.md, sections 17 and 29)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.ops import Int64, rshift_round, sat_s16
from tpsgd_edge.quantize.model import QuantizedGated, in_integers
from tpsgd_edge.reference.integer.activation import ACTIVATIONS, DERIVATIVES
from tpsgd_edge.reference.integer.dense import IntegerDense
from tpsgd_edge.reference.integer.loss import LossConstants, prepare_loss
from tpsgd_edge.reference.integer.rnn import from_q15


@dataclass(slots=True, eq=False)
class IntegerGated:
    """One gated recurrent layer: sums over its input and over its own output, and a state.

    Attributes:
        loss: the constants of the layer's loss, where it learns.
        h: the state in Q15, shape (n_out,).
    """

    layer: Any
    reads: IntegerDense
    own: IntegerDense
    loss: LossConstants | None
    h: Int64

    @property
    def parts(self) -> tuple[IntegerDense, IntegerDense]:
        """The dense layers, whose state is that of the layer."""
        return self.reads, self.own

    @classmethod
    def from_quantized(cls, layer: QuantizedGated, label_kind: str, label_count: int) -> Self:
        """The layer with weights of zero, before a sequence."""
        reads, own = (
            IntegerDense.from_quantized(in_integers(unit), label_kind, label_count)
            for unit in layer.units
        )
        loss = None
        if layer.loss_layer is not None:
            loss = prepare_loss(in_integers(layer.loss_layer), label_kind, label_count)
        return cls(layer, reads, own, loss, np.zeros(layer.n_out, np.int64))

    def reset(self) -> None:
        """Begin a sequence."""
        self.h = np.zeros_like(self.h)

    def learn_from(
        self, of_x: Int64, of_h: Int64, x: Int64, h: Int64, words: NDArray[Any], decay: int
    ) -> bool:
        """Update both dense layers by the errors of their sums (gates n_out,).

        Args:
            x: what the layer read.
            h: its state before.
        """
        n, own = len(of_x), from_q15(self.layer.x_type, h)
        learned = self.reads.learn_from(of_x, x, of_x, words[:n], decay)
        return self.own.learn_from(of_h, own, of_h, words[n:], decay) or learned

    def own_sums(self, state: Int64) -> Int64:
        """Sums (gates n_out,) over a state as the layer puts it out."""
        return self.own.forward(from_q15(self.layer.x_type, state))

    def activate(self, activation: str, sums: Int64) -> Int64:
        """Activate gates or candidate (n,), from sums in the s16 of both dense layers."""
        return ACTIVATIONS[activation](self.reads.layer, sat_s16(sums))

    def slope(self, activation: str, y: Int64) -> Int64:
        """The derivative in Q15 where the activation gave y, in its shape."""
        return DERIVATIVES[activation](self.reads.layer, y)


def scaled(values: Int64, share: Int64) -> Int64:
    """Values times a share in Q15, both (n,)."""
    return rshift_round(values * share, 15)
