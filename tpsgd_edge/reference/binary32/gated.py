"""Gated recurrent layers of any kind in binary32 (docs/ARITHMETIC.md, sections 12, 17 and 29)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.quantize.model import QuantizedGated, in_binary32
from tpsgd_edge.reference.binary32.dense import Binary32Dense
from tpsgd_edge.reference.binary32.functions import F32
from tpsgd_edge.reference.binary32.loss import LossConstants, prepare_loss


@dataclass(slots=True, eq=False)
class Binary32Gated:
    """One gated recurrent layer: sums over its input and over its own output, and a state.

    Attributes:
        loss: the constants of the layer's loss, where it learns.
        h: the state, shape (n_out,).
    """

    layer: Any
    reads: Binary32Dense
    own: Binary32Dense
    loss: LossConstants | None
    h: F32

    @property
    def parts(self) -> tuple[Binary32Dense, Binary32Dense]:
        """The dense layers, whose state is that of the layer."""
        return self.reads, self.own

    @classmethod
    def from_quantized(cls, layer: QuantizedGated, label_kind: str, label_count: int) -> Self:
        """The layer with weights of zero, before a sequence."""
        reads, own = (
            Binary32Dense.from_quantized(in_binary32(unit), label_kind, label_count)
            for unit in layer.units
        )
        loss = None
        if layer.loss_layer is not None:
            loss = prepare_loss(in_binary32(layer.loss_layer), label_kind, label_count)
        return cls(layer, reads, own, loss, np.zeros(layer.n_out, np.float32))

    def reset(self) -> None:
        """Begin a sequence."""
        self.h = np.zeros_like(self.h)

    def learn_from(
        self, of_x: F32, of_h: F32, x: F32, h: F32, words: NDArray[Any], decay: np.float32
    ) -> bool:
        """Update both dense layers by the errors of their sums (gates n_out,).

        Args:
            x: what the layer read.
            h: its state before.
        """
        n = len(of_x)
        learned = self.reads.learn_from(of_x, x, of_x, words[:n], decay)
        return self.own.learn_from(of_h, h, of_h, words[n:], decay) or learned
