"""The dense layer in integers: docs/ARITHMETIC.md, sections 4 to 8."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.ops import Int64, clip
from tpsgd_edge.arithmetic.random import mix_array
from tpsgd_edge.quantize.model import DTYPES, IntegerWeighted
from tpsgd_edge.reference.integer.loss import (
    Label,
    LossConstants,
    prepare_loss,
    read_out,
)
from tpsgd_edge.reference.integer.readout import error_of_loss, kept_projection, set_projection
from tpsgd_edge.reference.integer.update import (
    BIAS_LIMIT,
    bias_changes,
    outputs,
    step_sizes,
    weight_changes,
    with_input,
)


@dataclass(slots=True, eq=False)
class IntegerDense:
    """One dense layer with its state; `w_wide` repeats `w` in binary64, for exact products."""

    layer: IntegerWeighted
    loss: LossConstants
    w: NDArray[Any]
    w_wide: NDArray[np.float64]
    b: Int64

    @classmethod
    def from_quantized(
        cls, layer: IntegerWeighted, label_kind: str, label_count: int
    ) -> "IntegerDense":
        """The layer with its constants at hand, and weights of zero."""
        shape = (layer.n_out, layer.n_in)
        return cls(
            layer=layer,
            loss=prepare_loss(layer, label_kind, label_count),
            w=np.zeros(shape, DTYPES[layer.weight_type]),
            w_wide=np.zeros(shape),
            b=np.zeros(layer.n_out, np.int64),
        )

    def set_state(self, w: NDArray[Any], b: NDArray[Any]) -> None:
        """Take weights (n_out, n_in) and biases (n_out,)."""
        self.w[...] = w
        self.w_wide[...] = w
        self.b[...] = b

    def weights(self) -> NDArray[Any]:
        """Return w (n_out, n_in) as the device keeps it; a view."""
        return self.w

    def biases(self) -> NDArray[Any]:
        """Return b (n_out,) as the device keeps it; a copy."""
        return self.b.astype(DTYPES["s32"])

    def set_readout(self, p: NDArray[Any]) -> None:
        """Take a P that learns, (n_target, K)."""
        set_projection(self.loss, p)

    def readout(self) -> NDArray[Any]:
        """Return P (n_target, K) as the device keeps it, if it learns."""
        return kept_projection(self.loss)

    def forward(self, x: NDArray[Any]) -> Int64:
        """y, shape (n_out,), of x, shape (n_in,)."""
        layer = self.layer
        # |x|, |w| <= 2^15, fewer than 2^16 terms: all partial sums are integers below 2^46.
        # So binary64, exact to 2^53, gives the integer result in any order, at the speed of BLAS.
        acc = (self.w_wide @ x.astype(np.float64)).astype(np.int64)
        acc += self.b << layer.numbers.bias_shift
        return with_input(layer, x, outputs(layer, acc))

    def learn(
        self,
        x: NDArray[Any],
        y: Int64,
        label: Label,
        words: NDArray[np.uint32],
        decay: int,
        *,
        c: Int64 | None = None,
        total: Int64 | None = None,
    ) -> bool:
        """Update w and b. Returns whether a unit learned.

        Args:
            x: what the update reads, (n_in,), or (n_out, n_in) where units read unlike values.
            words: one random word a unit.
            c: activations that the derivative is taken from, where these are not y.
            total: scores that are carried, (K,), where the error comes from them.
        """
        e, readout_learned = self.meet_loss(y, label, words, decay, total=total)
        return self.learn_from(e, x, y if c is None else c, words, decay) or readout_learned

    def read_out(self, y: Int64) -> Int64:
        """Scores (K,) of outputs y (n_out,)."""
        return read_out(self.loss, y)

    def meet_loss(
        self,
        y: Int64,
        label: Label,
        words: NDArray[np.uint32],
        decay: int,
        *,
        total: Int64 | None = None,
    ) -> tuple[Int64, bool]:
        """Compute e (n_out,) of the own loss; then its read-out learns: tell if it did.

        Args:
            total: as for `learn`.
        """
        return error_of_loss(self.loss, y, label, words, decay, total)

    def of_units(self, e: Int64, y: Int64) -> Int64:
        """Errors (n_out,) of the units: each has one of its own."""
        return e

    def learn_from(
        self, e: Int64, x: NDArray[Any], c: Int64, words: NDArray[np.uint32], decay: int
    ) -> bool:
        """Update w and b by errors e (n_out,) at activations c (n_out,); tell if a unit learned."""
        d = step_sizes(self.layer, decay, e, c, words)
        rows = d.nonzero()[0]
        if not rows.size:
            return False
        rho = mix_array(words[rows])
        self._update_weights(rows, d[rows], x if x.ndim == 1 else x[rows], rho)
        self._update_biases(rows, d[rows], rho)
        return True

    def _update_weights(
        self, rows: Int64, d: Int64, x: NDArray[Any], rho: NDArray[np.uint32]
    ) -> None:
        limit = 1 << self.layer.numbers.weight_bits
        change = weight_changes(self.layer, d, x, rho)
        change += self.w[rows]
        np.maximum(change, -limit, out=change)
        np.minimum(change, limit - 1, out=change)
        self.w[rows] = change
        self.w_wide[rows] = change

    def _update_biases(self, rows: Int64, d: Int64, rho: NDArray[np.uint32]) -> None:
        change = bias_changes(self.layer, d, rho)
        self.b[rows] = clip(self.b[rows] + change, -BIAS_LIMIT, BIAS_LIMIT)
