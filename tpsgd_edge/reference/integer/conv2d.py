"""The convolution in integers (docs/ARITHMETIC.md, section 14)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.ops import Int64
from tpsgd_edge.arithmetic.random import mix_array
from tpsgd_edge.quantize.model import DTYPES, Conv2dShape, IntegerNumbers, IntegerSteps, Weighted
from tpsgd_edge.reference.integer.average import average, inverse
from tpsgd_edge.reference.integer.loss import Label, LossConstants, prepare_loss, read_out
from tpsgd_edge.reference.integer.readout import error_of_loss, kept_projection, set_projection
from tpsgd_edge.reference.integer.update import (
    BIAS_LIMIT,
    bias_changes,
    outputs,
    step_sizes,
    weight_changes,
    with_input,
)
from tpsgd_edge.reference.integer.walk import clipped_walks
from tpsgd_edge.reference.maps import Index, TargetMap, padded, patch_index

# Changes of weights that are worked out together: what stays in a cache. A piece has fewer than
# 2^16 units and a change is at most 2^14 + 1, so that their sums fit s32.
_PIECE = 2**16


_Layer = Weighted[Conv2dShape, IntegerNumbers, IntegerSteps]


@dataclass(slots=True, eq=False)
class IntegerConv2d:
    """One convolution with its state.

    Attributes:
        patches: `patch_index` of the layer.
        target, inverse_area: what the local loss sees of the map, and A of each window.
        w_wide: repeats w in binary64, for exact products, (groups, n_out / groups, n_in).
    """

    layer: _Layer
    loss: LossConstants
    patches: Index
    target: TargetMap
    inverse_area: Int64
    w: NDArray[Any]
    w_wide: NDArray[np.float64]
    b: Int64

    @classmethod
    def from_quantized(cls, layer: _Layer, label_kind: str, label_count: int) -> "IntegerConv2d":
        """The layer with its constants at hand, and weights of zero."""
        geometry = layer.shape
        target = TargetMap.of(geometry)
        wide = (geometry.groups, layer.n_out // geometry.groups, layer.n_in)
        return cls(
            layer=layer,
            loss=prepare_loss(layer, label_kind, label_count),
            patches=patch_index(geometry),
            target=target,
            inverse_area=inverse(target.areas),
            w=np.zeros((layer.n_out, layer.n_in), DTYPES[layer.weight_type]),
            w_wide=np.zeros(wide),
            b=np.zeros(layer.n_out, np.int64),
        )

    def set_state(self, w: NDArray[Any], b: NDArray[Any]) -> None:
        """Take weights (n_out, n_in) and biases (n_out,)."""
        self.w[...] = w
        self.w_wide[...] = w.reshape(self.w_wide.shape)
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
        """Compute the output map (y_count,) of the input map (x_count,)."""
        layer = self.layer
        patches = padded(x, np.float64).take(self.patches)
        # Exact in binary64, in any order, as in the dense layer.
        acc = np.matmul(self.w_wide, patches.transpose(1, 2, 0)).astype(np.int64)
        by_position = acc.reshape(layer.n_out, -1).T + (self.b << layer.numbers.bias_shift)
        return with_input(layer, x, outputs(layer, by_position.ravel()))

    def learn(
        self,
        x: NDArray[Any],
        y: Int64,
        label: Label,
        words: NDArray[np.uint32],
        decay: int,
        *,
        total: Int64 | None = None,
    ) -> bool:
        """Update w and b from maps x (x_count,), y (y_count,); tell whether a unit learned.

        Args:
            total: scores that are carried, (K,), where the error comes from them.
        """
        e, readout_learned = self.meet_loss(y, label, words, decay, total=total)
        return self.learn_from(e, x, y, words, decay) or readout_learned

    def read_out(self, y: Int64) -> Int64:
        """Scores (K,) of the output map y (y_count,)."""
        return read_out(self.loss, self._averaged(y))

    def meet_loss(
        self,
        y: Int64,
        label: Label,
        words: NDArray[np.uint32],
        decay: int,
        *,
        total: Int64 | None = None,
    ) -> tuple[Int64, bool]:
        """Compute e (n_target,) of the own loss; then its read-out learns: tell if it did.

        Args:
            total: as for `learn`.
        """
        return error_of_loss(self.loss, self._averaged(y), label, words, decay, total)

    def of_units(self, e: Int64, y: Int64) -> Int64:
        """Errors (y_count,) of the units of a map y from those of its windows, (n_target,)."""
        return self.target.spread(e, y)

    def learn_from(
        self, e: Int64, x: NDArray[Any], y: Int64, words: NDArray[np.uint32], decay: int
    ) -> bool:
        """Update w and b by the errors e (n_target,) of windows; return whether a unit learned."""
        layer, e = self.layer, self.of_units(e, y)
        d = step_sizes(layer, decay, e, y, words)
        # Rows of w do not see each other: one after the other, each through its positions.
        output, position = d.reshape(-1, layer.n_out).T.nonzero()
        if not output.size:
            return False
        units = position * layer.n_out + output
        d, rho = d[units], mix_array(words[units])
        group = output // self.w_wide.shape[1]
        patches = padded(x, np.int32).take(self.patches).reshape(-1, layer.n_in)
        patch = position * layer.shape.groups + group
        per_piece = max(1, _PIECE // layer.n_in)
        for start in range(0, len(units), per_piece):
            part = slice(start, start + per_piece)
            self._update(output[part], d[part], patches.take(patch[part], axis=0), rho[part])
        return True

    def _averaged(self, y: Int64) -> Int64:
        total = self.target.members(y).sum(axis=0)
        return average(total, self.inverse_area, self.layer.y_type)

    def _update(
        self, output: Index, d: Int64, x: NDArray[np.int32], rho: NDArray[np.uint32]
    ) -> None:
        """Update rows `output` of w, ascending, by the steps d on the patches x, (units, n_in)."""
        layer, limit = self.layer, 1 << self.layer.numbers.weight_bits
        first = np.flatnonzero(np.diff(output, prepend=-1))
        rows = output[first]
        change = weight_changes(layer, d, x, rho)
        w = clipped_walks(self.w[rows], change, first, -limit, limit - 1)
        self.w[rows] = w
        self.w_wide.reshape(self.w.shape)[rows] = w
        b_change = bias_changes(layer, d, rho)[:, np.newaxis]
        b = clipped_walks(self.b[rows, np.newaxis], b_change, first, -BIAS_LIMIT, BIAS_LIMIT)
        self.b[rows] = b[:, 0]
