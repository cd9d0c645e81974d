"""Read-outs that learn, in binary32 (docs/ARITHMETIC.md, sections 6.5 and 12)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.reference.binary32.functions import F32, clip
from tpsgd_edge.reference.binary32.loss import (
    Label,
    LossConstants,
    label_error,
    local_error,
    spread,
)

_LIMIT = np.float32(127)


def error_of_loss(
    constants: LossConstants, y: F32, label: Label, decay: np.float32, total: F32 | None = None
) -> tuple[F32, bool]:
    """Compute e (n_target,) of y (n_target,), then let the read-out learn; tell if it changed.

    Args:
        total: scores that are carried, (K,), where the error comes from them.
    """
    projection = constants.layer.projection
    if projection is None or not projection.learns:
        return local_error(constants, y, label, total), False
    assert isinstance(projection.rate, float)
    q = label_error(constants, y, label, total)
    e = spread(constants, q)
    c = np.float32(projection.rate) * decay * q
    there = c.nonzero()[0]
    p, p_t = constants.projection, constants.projection_t
    assert p is not None
    assert p_t is not None
    # Adding 0.0 would turn an entry of -0.0 into 0.0.
    p[:, there] = clip(p[:, there] + c[there] * y[:, np.newaxis], -_LIMIT, _LIMIT)
    p_t[...] = p.T
    return e, bool(there.size)


def set_projection(constants: LossConstants, p: NDArray[Any]) -> None:
    """Go on from P, (n_target, K)."""
    assert constants.projection is not None
    assert constants.projection_t is not None
    constants.projection[...] = p
    constants.projection_t[...] = p.T


def kept_projection(constants: LossConstants) -> F32:
    """View P (n_target, K) as the device keeps it."""
    assert constants.projection is not None
    return constants.projection
