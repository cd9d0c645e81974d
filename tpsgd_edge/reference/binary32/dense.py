"""The dense layer in binary32: docs/ARITHMETIC.md, section 12."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.quantize.model import FloatWeighted
from tpsgd_edge.reference.binary32.functions import F32, ZERO
from tpsgd_edge.reference.binary32.loss import (
    Label,
    LossConstants,
    prepare_loss,
    read_out,
)
from tpsgd_edge.reference.binary32.readout import error_of_loss, kept_projection, set_projection
from tpsgd_edge.reference.binary32.update import (
    LANES,
    join_lanes,
    outputs,
    step_sizes,
)


@dataclass(slots=True, eq=False)
class Binary32Dense:
    """One dense layer with its state.

    Attributes:
        w_t: the weights transposed, with rows of zero up to a multiple of 8: (8 * rounds, n_out).
            So one round of the eight lanes is one contiguous block.
    """

    layer: FloatWeighted
    loss: LossConstants
    w_t: F32
    b: F32

    @classmethod
    def from_quantized(
        cls, layer: FloatWeighted, label_kind: str, label_count: int
    ) -> "Binary32Dense":
        """The layer with its constants at hand, and weights of zero."""
        rounds = -(-layer.n_in // LANES)
        return cls(
            layer=layer,
            loss=prepare_loss(layer, label_kind, label_count),
            w_t=np.zeros((rounds * LANES, layer.n_out), np.float32),
            b=np.zeros(layer.n_out, np.float32),
        )

    def set_state(self, w: NDArray[Any], b: NDArray[Any]) -> None:
        """Take weights (n_out, n_in) and biases (n_out,)."""
        self.w_t[: self.layer.n_in] = w.T
        self.b[...] = b

    def weights(self) -> NDArray[Any]:
        """Return w (n_out, n_in) as the device keeps it; a copy."""
        return np.ascontiguousarray(self.w_t[: self.layer.n_in].T)

    def biases(self) -> NDArray[Any]:
        """Return b (n_out,) as the device keeps it; a view."""
        return self.b

    def set_readout(self, p: NDArray[Any]) -> None:
        """Take a P that learns, (n_target, K)."""
        set_projection(self.loss, p)

    def readout(self) -> NDArray[Any]:
        """Return P (n_target, K) as the device keeps it, if it learns."""
        return kept_projection(self.loss)

    def forward(self, x: F32) -> F32:
        """y, shape (n_out,), of x, shape (n_in,)."""
        y = outputs(self.layer, self._accumulate(x) + self.b)
        return x + y if self.layer.residual else y

    def _accumulate(self, x: F32) -> F32:
        padded = np.zeros((len(self.w_t), 1), np.float32)
        padded[: len(x), 0] = x
        products = (self.w_t * padded).reshape(-1, LANES * self.layer.n_out)
        # Over the first, slow axis of at least 8 columns numpy adds row after row: the contract's
        # order. A lane starts at +0.0 and is never -0.0, so the padding of zeros changes nothing.
        lanes = np.add.reduce(products, axis=0, initial=ZERO).reshape(LANES, -1)
        return join_lanes(lanes)

    def learn(
        self,
        x: F32,
        y: F32,
        label: Label,
        words: NDArray[np.uint32],
        decay: np.float32,
        *,
        c: F32 | None = None,
        total: F32 | None = None,
    ) -> bool:
        """Update w and b; `words` is not used. Returns whether a unit learned.

        Args:
            x: what the update reads, (n_in,), or (n_out, n_in) where units read unlike values.
            c: activations that the derivative is taken from, where these are not y.
            total: scores that are carried, (K,), where the error comes from them.
        """
        e, readout_learned = self.meet_loss(y, label, words, decay, total=total)
        return self.learn_from(e, x, y if c is None else c, words, decay) or readout_learned

    def read_out(self, y: F32) -> F32:
        """Scores (K,) of outputs y (n_out,)."""
        return read_out(self.loss, y)

    def meet_loss(
        self,
        y: F32,
        label: Label,
        words: NDArray[np.uint32],
        decay: np.float32,
        *,
        total: F32 | None = None,
    ) -> tuple[F32, bool]:
        """Compute e (n_out,) of the own loss; then its read-out learns: tell if it did.

        Args:
            total: as for `learn`.
        """
        return error_of_loss(self.loss, y, label, decay, total)

    def of_units(self, e: F32, y: F32) -> F32:
        """Errors (n_out,) of the units: each has one of its own."""
        return e

    def learn_from(
        self, e: F32, x: F32, c: F32, words: NDArray[np.uint32], decay: np.float32
    ) -> bool:
        """Update w and b by errors e (n_out,) at activations c (n_out,); tell if a unit learned."""
        d = step_sizes(self.layer, decay, e, c)
        units = d.nonzero()[0]
        if not units.size:
            return False
        # A unit with d = 0 is left out, for adding 0.0 would turn a weight of -0.0 into 0.0.
        where = slice(None) if units.size == d.size else units
        columns = x[:, np.newaxis] if x.ndim == 1 else x.T[:, where]
        self.w_t[: self.layer.n_in, where] += columns * d[where]
        self.b[where] += d[where]
        return True
