"""Errors of the layer below in binary32 (docs/ARITHMETIC.md, section 18)."""

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.reference.binary32.conv2d import Binary32Conv2d
from tpsgd_edge.reference.binary32.dense import Binary32Dense
from tpsgd_edge.reference.binary32.functions import F32, ONE, clip, sum_in_order
from tpsgd_edge.reference.binary32.pool import Binary32AveragePool, Binary32MaxPool

ERROR_LIMIT = np.float32(2**20)


def dense_input_gradient(dense: Binary32Dense, delta: F32, x: F32, y: F32) -> F32:
    """Compute e (n_in,) of the inputs from delta (n_out,)."""
    products = dense.w_t[: dense.layer.n_in].T * delta[:, np.newaxis]
    return _limited(sum_in_order(products))


def conv2d_input_gradient(conv: Binary32Conv2d, delta: F32, x: F32, y: F32) -> F32:
    """Compute e (x_count,) of the input map from delta (y_count,) of the output map."""
    groups = conv.layer.shape.groups
    w = conv.w.reshape(groups, -1, conv.layer.n_in)
    sums = np.zeros((len(x) + 1,), np.float32)
    for patches, deltas in zip(
        conv.patches, delta.reshape(len(conv.patches), groups, -1), strict=True
    ):
        for output in range(w.shape[1]):
            # No element is twice in a position's patches, but for the one behind the map.
            sums[patches] += w[:, output] * deltas[:, output, np.newaxis]
    return _limited(sums[:-1])


def max_pool_input_gradient(pool: Binary32MaxPool, e: F32, x: F32, y: F32) -> F32:
    """Compute e (x_count,) of the input map: that of each window at its first largest element."""
    first = (x.take(pool.windows) == y).argmax(axis=0)
    receivers = pool.windows[first, np.arange(len(e))]
    return _scattered(receivers[np.newaxis], e, len(x))


def average_pool_input_gradient(pool: Binary32AveragePool, e: F32, x: F32, y: F32) -> F32:
    """Compute e (x_count,) of the input map: a share of each window's at all its elements."""
    return _scattered(pool.windows, e * (ONE / np.float32(len(pool.windows))), len(x))


def _scattered(receivers: NDArray[np.intp], e: F32, count: int) -> F32:
    """Errors of windows at some of their elements, (elements, windows); clipped at each."""
    e_x = np.zeros(count, np.float32)
    for column, error in zip(receivers.T, e, strict=True):
        e_x[column] = _limited(e_x[column] + error)
    return e_x


def _limited(sums: F32) -> F32:
    return clip(sums, -ERROR_LIMIT, ERROR_LIMIT)
