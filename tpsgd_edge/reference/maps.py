"""Indices into maps: patches, windows of pools and of targets (section 14).

All functions give arrays of indices into a flat map of n values, shape as said; index n, one
behind the last value, stands for a zero (`padded` appends it).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.quantize.model import Conv2dShape, QuantizedPool

Index = NDArray[np.intp]


def padded(values: NDArray[Any], dtype: Any, outside: float = 0) -> NDArray[Any]:
    """The values in another type, and a zero behind them, or another number; shape (n + 1,)."""
    longer = np.full(len(values) + 1, outside, dtype)
    longer[:-1] = values
    return longer


def patch_index(geometry: Conv2dShape) -> Index:
    """The patch of each position and group: (positions, groups, kh * kw * ci / groups)."""
    h, w, channels = geometry.x_shape
    groups = geometry.groups
    row, column = (
        _reach(
            geometry.y_shape[axis],
            geometry.kernel[axis],
            geometry.stride[axis],
            geometry.padding[axis],
            geometry.dilation[axis],
        )
        for axis in (0, 1)
    )
    row = row[:, np.newaxis, np.newaxis, :, np.newaxis, np.newaxis]
    column = column[np.newaxis, :, np.newaxis, np.newaxis, :, np.newaxis]
    channel = np.arange(channels).reshape(groups, 1, 1, -1)
    inside = (row >= 0) & (row < h) & (column >= 0) & (column < w)
    index = np.where(inside, (row * w + column) * channels + channel, h * w * channels)
    return index.reshape(len(index) * index.shape[1], groups, -1)


def pool_index(pool: QuantizedPool) -> Index:
    """The window of each output, row by row: (kh * kw, outputs); n for what lies outside."""
    return _pool_windows(pool.x_shape, pool.y_shape, pool.kernel, pool.stride, pool.padding)


def inside_counts(pool: QuantizedPool, windows: Index) -> NDArray[np.int64]:
    """Elements of each window that lie inside of the map, shape (outputs,)."""
    inside: NDArray[np.int64] = (windows < pool.x_count).sum(axis=0)
    return inside


def seen_index(geometry: Conv2dShape) -> Index:
    """The units behind each value that the local loss sees (section 16): (kh * kw, values)."""
    kernel, stride = geometry.pool_kernel, geometry.pool_stride
    return _pool_windows(geometry.y_shape, geometry.seen_shape, kernel, stride, (0, 0))


def _pool_windows(
    x_shape: tuple[int, int, int],
    y_shape: tuple[int, int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> Index:
    h, w, channels = x_shape
    row = _reach(y_shape[0], kernel[0], stride[0], padding[0])
    column = _reach(y_shape[1], kernel[1], stride[1], padding[1])
    # Axes: row and column in the window, row and column and channel of the output.
    row = row.T[:, np.newaxis, :, np.newaxis, np.newaxis]
    column = column.T[np.newaxis, :, np.newaxis, :, np.newaxis]
    inside = (row >= 0) & (row < h) & (column >= 0) & (column < w)
    index = np.where(inside, (row * w + column) * channels, h * w * channels)
    index = np.where(inside, index + np.arange(channels), index)
    return index.reshape(kernel[0] * kernel[1], -1)


def target_index(geometry: Conv2dShape) -> Index:
    """Indices (largest area, n_target) of each target window's values, row by row, then padding."""
    owner = target_of_seen(geometry)
    areas = target_areas(geometry)
    index = np.full((areas.max(), len(areas)), len(owner), np.intp)
    # A stable sort keeps a window's values in the order of the map, that is, row by row.
    units = np.argsort(owner, kind="stable")
    place = np.arange(len(units)) - np.repeat(np.cumsum(areas) - areas, areas)
    index[place, owner[units]] = units
    return index


def target_of_seen(geometry: Conv2dShape) -> Index:
    """The target entry that each value of the map belongs to which the loss sees, (values,)."""
    height, width, channels = geometry.seen_shape
    rows, columns = geometry.windows
    row = _window_of(height, rows)[:, np.newaxis, np.newaxis]
    column = _window_of(width, columns)[:, np.newaxis]
    index: Index = (row * columns + column) * channels + np.arange(channels)
    return index.ravel()


def target_areas(geometry: Conv2dShape) -> NDArray[np.int64]:
    """Values in the window of each target entry, shape (n_target,)."""
    return np.bincount(target_of_seen(geometry))


@dataclass(frozen=True, slots=True, eq=False)
class TargetMap:
    """The map as its local loss sees it, and the way of its errors back (sections 14 and 16).

    Attributes:
        behind: `seen_index`.
        in_window: `target_index`.
        window_of: `target_of_seen`.
        areas: `target_areas`.
    """

    behind: Index
    in_window: Index
    window_of: Index
    areas: NDArray[np.int64]

    @classmethod
    def of(cls, geometry: Conv2dShape) -> "TargetMap":
        """Make the target map of a convolution."""
        return cls(
            seen_index(geometry),
            target_index(geometry),
            target_of_seen(geometry),
            target_areas(geometry),
        )

    def members(self, y: NDArray[Any]) -> NDArray[Any]:
        """Values (largest area, n_target) that each window averages, then zeros."""
        seen = y[self._units(y)]
        return padded(seen, seen.dtype).take(self.in_window)

    def spread(self, e: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
        """Errors (y_count,) of the units: the window's, or 0 if the pool takes another value."""
        errors = np.zeros(len(y), e.dtype)
        errors[self._units(y)] = e[self.window_of]
        return errors

    def _units(self, y: NDArray[Any]) -> Index:
        """The units whose values the loss sees: of equal ones argmax gives the first."""
        largest = y.take(self.behind).argmax(axis=0)
        units: Index = self.behind[largest, np.arange(len(largest))]
        return units


def _reach(outputs: int, kernel: int, stride: int, padding: int, dilation: int = 1) -> Index:
    """Rows (or columns) of the input under each row of the output, (outputs, kernel)."""
    starts = np.arange(outputs)[:, np.newaxis] * stride - padding
    return starts + np.arange(kernel) * dilation


def _window_of(size: int, windows: int) -> Index:
    starts = np.arange(windows) * size // windows
    return np.searchsorted(starts, np.arange(size), side="right") - 1
