"""The convolution in binary32 (docs/ARITHMETIC.md, sections 12 and 14)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.quantize.model import Conv2dShape, FloatNumbers, FloatSteps, Weighted
from tpsgd_edge.reference.binary32.functions import F32, ONE, sum_in_order
from tpsgd_edge.reference.binary32.loss import Label, LossConstants, prepare_loss, read_out
from tpsgd_edge.reference.binary32.readout import error_of_loss, kept_projection, set_projection
from tpsgd_edge.reference.binary32.update import (
    LANES,
    join_lanes,
    outputs,
    step_sizes,
)
from tpsgd_edge.reference.maps import Index, TargetMap, padded, patch_index

# Terms of weights that are worked out together: what stays in a cache.
_PIECE = 2**16
NEGATIVE_ZERO = np.float32(-0.0)


_Layer = Weighted[Conv2dShape, FloatNumbers, FloatSteps]


@dataclass(slots=True, eq=False)
class Binary32Conv2d:
    """One convolution with its state.

    Attributes:
        patches: `patch_index` of the layer.
        rounds: the same, n_in first, with indices of zeros up to a multiple of 8:
            (8 * rounds, positions, groups).
        target, inverse_area: what the local loss sees of the map, and A of each window.
        w: as the device keeps it.
    """

    layer: _Layer
    loss: LossConstants
    patches: Index
    rounds: Index
    target: TargetMap
    inverse_area: F32
    w: F32
    b: F32

    @classmethod
    def from_quantized(cls, layer: _Layer, label_kind: str, label_count: int) -> "Binary32Conv2d":
        """The layer with its constants at hand, and weights of zero."""
        geometry = layer.shape
        patches, target = patch_index(geometry), TargetMap.of(geometry)
        missing = -layer.n_in % LANES
        by_input = np.moveaxis(patches, 2, 0)
        rounds = np.pad(by_input, ((0, missing), (0, 0), (0, 0)), constant_values=layer.x_count)
        return cls(
            layer=layer,
            loss=prepare_loss(layer, label_kind, label_count),
            patches=patches,
            rounds=np.ascontiguousarray(rounds),
            target=target,
            inverse_area=ONE / target.areas.astype(np.float32),
            w=np.zeros((layer.n_out, layer.n_in), np.float32),
            b=np.zeros(layer.n_out, np.float32),
        )

    def set_state(self, w: NDArray[Any], b: NDArray[Any]) -> None:
        """Take weights (n_out, n_in) and biases (n_out,)."""
        self.w[...] = w
        self.b[...] = b

    def weights(self) -> NDArray[Any]:
        """Return w (n_out, n_in) as the device keeps it; a view."""
        return self.w

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
        """Compute the output map (y_count,) of the input map (x_count,)."""
        layer, groups = self.layer, self.layer.shape.groups
        patches = padded(x, np.float32).take(self.rounds)[..., np.newaxis]
        rows = np.zeros((len(patches), layer.n_out), np.float32)
        rows[: layer.n_in] = self.w.T
        w = rows.reshape(len(rows), 1, groups, -1)
        # A lane starts at +0.0 and is never -0.0, so the products of zeros at the end change
        # nothing.
        lanes = np.zeros((LANES, *self.patches.shape[:2], layer.n_out // groups), np.float32)
        for start in range(0, len(w), LANES):
            lanes += patches[start : start + LANES] * w[start : start + LANES]
        acc = join_lanes(lanes).reshape(-1, layer.n_out) + self.b
        y = outputs(layer, acc.ravel())
        return x + y if layer.residual else y

    def learn(
        self,
        x: F32,
        y: F32,
        label: Label,
        words: NDArray[np.uint32],
        decay: np.float32,
        *,
        total: F32 | None = None,
    ) -> bool:
        """Update w and b from maps x (x_count,), y (y_count,); tell whether a unit learned.

        Args:
            total: scores that are carried, (K,), where the error comes from them.
        """
        e, readout_learned = self.meet_loss(y, label, words, decay, total=total)
        return self.learn_from(e, x, y, words, decay) or readout_learned

    def read_out(self, y: F32) -> F32:
        """Scores (K,) of the output map y (y_count,)."""
        return read_out(self.loss, self._averaged(y))

    def meet_loss(
        self,
        y: F32,
        label: Label,
        words: NDArray[np.uint32],
        decay: np.float32,
        *,
        total: F32 | None = None,
    ) -> tuple[F32, bool]:
        """Compute e (n_target,) of the own loss; then its read-out learns: tell if it did.

        Args:
            total: as for `learn`.
        """
        return error_of_loss(self.loss, self._averaged(y), label, decay, total)

    def of_units(self, e: F32, y: F32) -> F32:
        """Errors (y_count,) of the units of a map y from those of its windows, (n_target,)."""
        return self.target.spread(e, y)

    def learn_from(
        self, e: F32, x: F32, y: F32, words: NDArray[np.uint32], decay: np.float32
    ) -> bool:
        """Update w and b by the errors e (n_target,) of windows; return whether a unit learned."""
        layer, e = self.layer, self.of_units(e, y)
        d = step_sizes(layer, decay, e, y).reshape(-1, layer.n_out)
        positions = np.flatnonzero(d.any(axis=1))
        if not positions.size:
            return False
        patches = padded(x, np.float32).take(self.patches)
        per_piece = max(1, _PIECE // layer.n_weights)
        for start in range(0, len(positions), per_piece):
            part = positions[start : start + per_piece]
            self._update(d[part], patches[part])
        return True

    def _averaged(self, y: F32) -> F32:
        # Padding at the end of a window adds +0.0 to a sum that is never -0.0.
        return sum_in_order(self.target.members(y)) * self.inverse_area

    def _update(self, d: F32, patches: F32) -> None:
        """Add the steps d (positions, n_out) on the patches (positions, groups, n_in), in order."""
        groups = self.layer.shape.groups
        count = len(d)
        skipped = d == 0
        by_group = d.reshape(count, groups, -1, 1)
        terms = np.empty((count + 1, *self.w.shape), np.float32)
        terms[0] = self.w
        products = terms[1:].reshape(count, groups, -1, self.layer.n_in)
        np.multiply(by_group, patches[:, :, np.newaxis, :], out=products)
        # A unit with d = 0 leaves its row alone, even weights of -0.0: so does adding -0.0.
        terms[1:][skipped] = NEGATIVE_ZERO
        self.w[...] = _last_sum(terms.reshape(count + 1, -1)).reshape(self.w.shape)
        steps = np.concatenate([self.b[np.newaxis], np.where(skipped, NEGATIVE_ZERO, d)])
        self.b[...] = _last_sum(steps)


def _last_sum(terms: F32) -> F32:
    """Sums of the columns, each from its first term on, one addition after the other."""
    total: F32
    if terms.shape[1] >= LANES:
        # Over the first, slow axis numpy adds row after row. A start at -0.0 changes nothing.
        total = np.add.reduce(terms, axis=0, initial=NEGATIVE_ZERO)
    else:
        total = np.add.accumulate(terms, axis=0)[-1]
    return total
