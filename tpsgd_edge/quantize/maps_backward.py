"""The way of errors down through maps, in real numbers (section 18)."""

import itertools
import math
from collections.abc import Iterator

import numpy as np

from tpsgd_edge.arithmetic.types import Real
from tpsgd_edge.graph import Conv2d, Pair, Pool


def conv2d_input_gradient(layer: Conv2d, delta: Real, w: Real) -> Real:
    """Errors (n, x_count) of a convolution's inputs from delta (n, y_count) and its weights."""
    channels, filters = layer.x_shape[2] // layer.groups, layer.n_out // layer.groups
    deltas = delta.reshape(len(delta), *layer.y_shape)
    taps = w.reshape(layer.n_out, *layer.kernel, channels)
    (rows, columns, _), (top, left) = layer.x_shape, layer.padding
    e = _framed(layer, layer.padding, len(delta))
    for i, j, down, across in _places(layer):
        for group in range(layer.groups):
            outputs = slice(group * filters, (group + 1) * filters)
            inputs = slice(group * channels, (group + 1) * channels)
            e[:, down, across, inputs] += deltas[..., outputs] @ taps[outputs, i, j]
    return e[:, top : top + rows, left : left + columns].reshape(len(delta), -1)


def pool_input_gradient(layer: Pool, e: Real, x: Real, y: Real) -> Real:
    """Errors (n, x_count) of a pool's inputs x from those of its outputs y."""
    errors, largest = (v.reshape(len(e), *layer.y_shape) for v in (e, y))
    maps, e_x = x.reshape(len(e), *layer.x_shape), _framed(layer, (0, 0), len(e))
    for _, _, down, across in _places(layer):
        is_max = maps[:, down, across] == largest
        share = is_max if layer.mode == "max" else 1 / math.prod(layer.kernel)
        e_x[:, down, across] += share * errors
    return e_x.reshape(len(e), -1)


def _framed(layer: Conv2d | Pool, padding: Pair, count: int) -> Real:
    """A map of zeros for each sample, as large as the windows reach."""
    rows, columns = (
        max(padding[k] + layer.x_shape[k], (layer.y_shape[k] - 1) * layer.stride[k] + size)
        for k, size in enumerate(layer.kernel)
    )
    return np.zeros((count, rows, columns, layer.x_shape[2]))


def _places(layer: Conv2d | Pool) -> Iterator[tuple[int, int, slice, slice]]:
    """Each place in a window, and the rows and columns of the map that windows have there."""
    (rows, columns, _), (down, right) = layer.y_shape, layer.stride
    for i, j in itertools.product(*map(range, layer.kernel)):
        yield i, j, slice(i, i + rows * down, down), slice(j, j + columns * right, right)
