"""Scaling of raw samples and label vectors to values near [-1, 1]: (raw - mean) / std."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.activations import FACTS
from tpsgd_edge.spec import Spec, layer_activation

Scaling = tuple[NDArray[np.float64], NDArray[np.float64]]
# How many samples stand for all where scales, rates and read-outs are chosen.
_SAMPLES = 2048
# Shares of the values that lie below and above what counts as the range of a column.
_TAIL = 0.005
# Values further from the middle than so many ranges are glitches. A normal distribution's range is
# 5.2 deviations, so nothing of it is ever cut. Fewer values than this tell no usual range.
_FAR, _ENOUGH = 4.0, 20
# Columns are alike if all ranges together span at most so many times what three of four columns
# have at least: a quarter of the pixels of an image may lie at its dark edge.
_ALIKE, _LESS = 3.0, 0.25
# Where at least this share of the values is 0, it pays to keep them 0: updates skip zeros.
_SPARSE = 0.3


def input_scaling(spec: Spec, x_train: NDArray[Any], channels: int = 1) -> Scaling:
    """Mean and standard deviation as `data.scaling` asks: shape (1,), or (n_in,).

    none leaves samples as they are, unit divides by the largest magnitude, standard makes each
    input's mean 0 and std 1, standard_channels each channel's, standard_all that of all
    together; what never changes has std 1. Glitches (`without_glitches`) count as the
    largest value that is none.

    Args:
        channels: of the map that a sample is; they follow each other fastest.

    Raises:
        ValueError: the spec leaves scaling to the data, and nobody has asked them yet.
    """
    scaling, columns = spec.data.scaling, x_train.shape[1]
    if scaling == "auto":
        raise ValueError("scaling follows from the data; call with_defaults first")
    if scaling == "none":
        return np.zeros(1), np.ones(1)
    if scaling in ("unit", "standard_all"):
        x_train = without_glitches(x_train, 1)
        return _unit(x_train) if scaling == "unit" else _standard(x_train, shared=1)
    shared = channels if scaling == "standard_channels" else columns
    mean, std = _standard(without_glitches(x_train, shared), shared=shared)
    return np.tile(mean, columns // shared), np.tile(std, columns // shared)


def without_glitches(values: NDArray[Any], shared: int) -> NDArray[Any]:
    """Move values (n, columns) far outside of their column's usual range to the edge of the others.

    One sample of a sensor that did not answer would else be the scale of all. The usual range is
    that without half a percent of the values on each side, at least one, of up to 2,048 samples.

    Args:
        shared: columns i, i + shared, i + 2 * shared, ... count as one.
    """
    # A byte is never far away.
    if values.dtype == np.uint8 or values.size < _ENOUGH * shared:
        return values
    low, high = column_ranges(values, shared)
    middle, reach = (low + high) / 2, _FAR * (high - low)
    # A column that hardly ever changes has no usual range.
    reach[reach == 0] = np.inf
    rows = values.reshape(-1, shared)
    is_usual = (rows >= middle - reach) & (rows <= middle + reach)
    if is_usual.all():
        return values
    lowest = np.where(is_usual, rows, np.inf).min(axis=0)
    highest = np.where(is_usual, rows, -np.inf).max(axis=0)
    return np.asarray(np.clip(rows, lowest, highest), values.dtype).reshape(values.shape)


def column_ranges(values: NDArray[Any], shared: int) -> Scaling:
    """Lower and upper end of the usual values of each column, shape (shared,) each."""
    some = np.asarray(values[evenly(len(values))], np.float64).reshape(-1, shared)
    rows = np.sort(some, axis=0)
    left_out = min(max(1, round(_TAIL * len(rows))), (len(rows) - 1) // 2)
    return rows[left_out], rows[-1 - left_out]


def chosen_scaling(
    x_train: NDArray[Any], shape: tuple[int, int, int], *, is_sequence: bool, is_map: bool
) -> tuple[Literal["unit", "standard", "standard_channels", "standard_all"], str]:
    """The scaling that suits samples about which the spec says nothing, and why.

    Args:
        x_train: (n, values), as the data set has them.
        shape: of one sample, (height, width, channels).
        is_sequence: the first layer reads steps, one after the other.
        is_map: the first layer is a convolution over maps.
    """
    if is_sequence:
        return "standard_channels", "a signal: each channel has one scale"
    height, width, channels = shape
    columns = width if height > 1 and channels == 1 else x_train.shape[1]
    is_alike = is_map or (height > 1 and channels > 1) or _are_alike(x_train, columns)
    if not is_alike:
        return "standard", "the columns have unlike ranges"
    what = "an image" if height > 1 else "the columns have like ranges"
    some = x_train[evenly(len(x_train))]
    if some.min() >= 0 and (height > 1 or np.mean(some == 0) >= _SPARSE):
        return "unit", f"{what}: one scale for all, and zeros stay zeros"
    return "standard_all", f"{what}: one scale for all"


def _are_alike(values: NDArray[Any], columns: int) -> bool:
    low, high = column_ranges(values, columns)
    changing = high > low
    if not changing.any():
        return True
    usual = float(np.quantile((high - low)[changing], _LESS))
    return float(high[changing].max() - low[changing].min()) <= _ALIKE * usual


def evenly(count: int) -> slice:
    """Slice of `count` samples that stand for all of them: 2,048 and more, spread evenly."""
    return slice(None, None, max(1, count // _SAMPLES))


def some_samples(x_train: NDArray[Any], scaling: Scaling) -> NDArray[np.float64]:
    """Samples (m, n_in) of x_train (n, n_in) that `evenly` chooses, scaled and without glitches.

    Scales and learning rates follow from them.
    """
    return scaled_samples(x_train[evenly(len(x_train))], scaling)


def scaled_samples(x: NDArray[Any], scaling: Scaling) -> NDArray[np.float64]:
    """Samples (m, n_in), scaled and without glitches."""
    mean, std = scaling
    return without_glitches(np.asarray((x - mean) / std, np.float64), 1)


def label_scaling(spec: Spec, y_train: NDArray[Any]) -> Scaling:
    """Mean and standard deviation (K,) of label vectors (n, ..., K); 0 and 1 for classes.

    A linear last layer learns standardised labels; one that is bounded gets its whole range.
    """
    if y_train.dtype.kind in "iu":
        return np.zeros(1), np.ones(1)
    y_train = y_train.reshape(-1, y_train.shape[-1])  # of each step, where each has a label
    activation = layer_activation(spec, len(spec.model.layers) - 1)
    if activation == "linear":
        return _standard(y_train, shared=y_train.shape[1])
    if spec.model.source is not None:
        # A net that was trained elsewhere has outputs in the units of its labels, and no layer
        # behind its activation that could stretch them.
        return np.zeros(y_train.shape[1]), np.ones(y_train.shape[1])
    low, high = y_train.min(axis=0).astype(np.float64), y_train.max(axis=0).astype(np.float64)
    if FACTS[activation].targets[0] > 0:
        return low, _positive(high - low)
    return (low + high) / 2, _positive((high - low) / 2)


def _unit(values: NDArray[Any]) -> Scaling:
    largest = max(float(values.max()), -float(values.min()))
    return np.zeros(1), np.array([largest or 1.0])


def _standard(values: NDArray[Any], *, shared: int) -> Scaling:
    """Mean and standard deviation of columns i, i + shared, ... together, for i < shared."""
    columns = values.shape[1]
    count = len(values) * (columns // shared)
    # Sums along the first axis add row by row, so every machine gets the same bits.
    mean = _fold(values.sum(axis=0, dtype=np.float64), shared) / count
    # In parts, because float64 copies of a whole set of images would fill the memory.
    squares = np.zeros(columns)
    every = np.tile(mean, columns // shared)
    for start in range(0, len(values), 4096):
        squares += ((values[start : start + 4096] - every) ** 2).sum(axis=0, dtype=np.float64)
    std = np.sqrt(_fold(squares, shared) / count)
    # A constant value leaves rounding noise instead of an exact 0.
    noise = 1e-12 * np.abs(mean)
    return mean, np.where(std > noise, std, 1.0)


def _fold(sums: NDArray[np.float64], shared: int) -> NDArray[np.float64]:
    return np.asarray(sums.reshape(-1, shared).sum(axis=0), np.float64)


def _positive(std: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(std > 0, std, 1.0)
