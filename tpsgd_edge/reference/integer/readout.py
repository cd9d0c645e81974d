"""Read-outs that learn, in integers (docs/ARITHMETIC.md, section 6.5)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.ops import Int64, clip, random_round, sat_s16
from tpsgd_edge.arithmetic.random import draws, mix_array
from tpsgd_edge.quantize.model import Requantize
from tpsgd_edge.reference.integer.loss import (
    Label,
    LossConstants,
    eight_bits,
    label_error,
    local_error,
    spread,
)

_LIMIT = 127
_SHIFT = 13


def error_of_loss(
    constants: LossConstants,
    y: Int64,
    label: Label,
    words: NDArray[np.uint32],
    decay: int,
    total: Int64 | None = None,
) -> tuple[Int64, bool]:
    """Compute e (n_target,) of y (n_target,), then let the read-out learn; tell whether it changed.

    Args:
        words: the layer's random words, one a unit.
        total: scores that are carried, (K,), where the error comes from them.
    """
    projection = constants.layer.projection
    if projection is None or not projection.learns:
        return local_error(constants, y, label, total), False
    rate = projection.rate
    assert isinstance(rate, Requantize)
    q = label_error(constants, y, label, total)
    e = spread(constants, q)
    own = draws(int(words[0]), len(q))
    c = sat_s16(random_round(q * ((rate.mult * decay) >> 15), rate.shift, own))
    there = c.nonzero()[0]
    # The running sum of each column: what it has written so far is its floor.
    starts = (mix_array(own[there]) >> np.uint32(32 - _SHIFT)).astype(np.int64)
    sums = np.cumsum(eight_bits(constants.layer, y)[:, np.newaxis] * c[there], axis=0) + starts
    changes = np.diff(sums >> _SHIFT, axis=0, prepend=0)
    p = constants.projection
    assert p is not None
    p[:, there] = clip(p[:, there].astype(np.int64) + changes, -_LIMIT, _LIMIT)
    return e, bool(there.size)


def set_projection(constants: LossConstants, p: NDArray[Any]) -> None:
    """Go on from P, (n_target, K)."""
    assert constants.projection is not None
    constants.projection[...] = p


def kept_projection(constants: LossConstants) -> NDArray[np.int8]:
    """Copy P (n_target, K) as the device keeps it."""
    assert constants.projection is not None
    return constants.projection.astype(np.int8)
