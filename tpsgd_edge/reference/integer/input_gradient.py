"""Errors of the layer below in integers (docs/ARITHMETIC.md, section 18)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.ops import Int64, clip, rshift_round
from tpsgd_edge.quantize.model import InputGradient, IntegerWeighted
from tpsgd_edge.reference.integer.conv2d import IntegerConv2d
from tpsgd_edge.reference.integer.dense import IntegerDense
from tpsgd_edge.reference.integer.pool import IntegerAveragePool, IntegerMaxPool

ERROR_LIMIT = 2**15 - 1


def dense_input_gradient(dense: IntegerDense, delta: Int64, x: NDArray[Any], y: Int64) -> Int64:
    """Compute e (n_in,) of the inputs from delta (n_out,)."""
    # All partial sums are integers below 2^52, and so exact in binary64.
    return _narrow(dense.layer, delta.astype(np.float64) @ dense.w_wide)


def conv2d_input_gradient(conv: IntegerConv2d, delta: Int64, x: NDArray[Any], y: Int64) -> Int64:
    """Compute e (x_count,) of the input map from delta (y_count,) of the output map."""
    groups, outputs, _ = conv.w_wide.shape
    deltas = delta.astype(np.float64).reshape(-1, groups, 1, outputs)
    # What each patch receives, (positions, groups, n_in), exact as in a dense layer.
    parts = np.matmul(deltas, conv.w_wide)[:, :, 0]
    # The element behind the map takes what falls on zeros around it.
    sums = np.bincount(conv.patches.ravel(), parts.ravel(), len(x) + 1)
    return _narrow(conv.layer, sums[:-1])


def max_pool_input_gradient(pool: IntegerMaxPool, e: Int64, x: NDArray[Any], y: Int64) -> Int64:
    """Compute e (x_count,) of the input map: that of each window at its first largest element."""
    first = (x.take(pool.windows) == y).argmax(axis=0)
    receivers = pool.windows[first, np.arange(len(e))]
    return _scattered(receivers[np.newaxis], e, len(x))


def average_pool_input_gradient(
    pool: IntegerAveragePool, e: Int64, x: NDArray[Any], y: Int64
) -> Int64:
    """Compute e (x_count,) of the input map: that of each window at all its elements."""
    return _scattered(pool.windows, e, len(x))


def _scattered(receivers: NDArray[np.intp], e: Int64, count: int) -> Int64:
    """Errors of windows at some of their elements, (elements, windows); clipped at each."""
    e_x = np.zeros(count, np.int64)
    for column, error in zip(receivers.T, e, strict=True):
        e_x[column] = clip(e_x[column] + error, -ERROR_LIMIT, ERROR_LIMIT)
    return e_x


def _narrow(layer: IntegerWeighted, sums: NDArray[Any]) -> Int64:
    gradient = layer.learning.input_gradient
    assert isinstance(gradient, InputGradient)
    errors = rshift_round(sums.astype(np.int64), gradient.shift)
    return clip(errors, -ERROR_LIMIT, ERROR_LIMIT)
