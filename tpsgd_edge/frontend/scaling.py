"""How raw samples and label vectors become values near [-1, 1]: (raw - mean) / deviation."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.spec import Spec, layer_activation

Scaling = tuple[NDArray[np.float64], NDArray[np.float64]]
# How many samples stand for all where scales, rates and read-outs are chosen.
_SAMPLES = 2048


def input_scaling(spec: Spec, x_train: NDArray[Any], channels: int = 1) -> Scaling:
    """Mean and deviation as `data.scaling` asks: one entry for all inputs, or one for each.

    none leaves samples as they are, unit divides by the largest magnitude, standard makes each
    input's mean 0 and deviation 1, standard_channels each channel's, standard_all that of all
    together; what never changes has deviation 1.

    Args:
        channels: of the map that a sample is; they follow each other fastest.
    """
    scaling = spec.data.scaling
    if scaling == "standard":
        return _standard(x_train)
    if scaling == "standard_all":
        return _standard(x_train, shared=1)
    if scaling == "standard_channels":
        mean, deviation = _standard(x_train, shared=channels)
        positions = x_train.shape[1] // channels
        return np.tile(mean, positions), np.tile(deviation, positions)
    largest = max(float(x_train.max()), -float(x_train.min())) if scaling == "unit" else 1.0
    return np.zeros(1), np.array([largest or 1.0])


def evenly(count: int) -> slice:
    """Which of `count` samples stand for all of them: 2,048 and more, spread evenly."""
    return slice(None, None, max(1, count // _SAMPLES))


def some_samples(x_train: NDArray[Any], scaling: Scaling) -> NDArray[np.float64]:
    """Those that `evenly` chooses, scaled."""
    mean, deviation = scaling
    return np.asarray((x_train[evenly(len(x_train))] - mean) / deviation, np.float64)


def label_scaling(spec: Spec, y_train: NDArray[Any]) -> Scaling:
    """Mean and deviation of label vectors, one entry for each value; 0 and 1 for classes.

    A linear last layer learns standardised labels; one that is bounded gets its whole range.
    """
    if y_train.dtype.kind in "iu":
        return np.zeros(1), np.ones(1)
    y_train = y_train.reshape(-1, y_train.shape[-1])  # of each step, where each has a label
    activation = layer_activation(spec, len(spec.model.layers) - 1)
    if activation == "linear":
        return _standard(y_train)
    if spec.model.source is not None:
        # A net that was trained elsewhere has outputs in the units of its labels, and no layer
        # behind its activation that could stretch them.
        return np.zeros(y_train.shape[1]), np.ones(y_train.shape[1])
    low, high = y_train.min(axis=0).astype(np.float64), y_train.max(axis=0).astype(np.float64)
    if activation in ("sigmoid", "relu", "relu6", "leaky_relu"):
        return low, _positive(high - low)
    return (low + high) / 2, _positive((high - low) / 2)


def _standard(values: NDArray[Any], *, shared: int | None = None) -> Scaling:
    """Of each column; of columns i, i + shared, i + 2 * shared, ... together for i < shared."""
    columns = values.shape[1]
    shared = shared or columns
    count = len(values) * (columns // shared)
    # Sums along the first axis add row by row, so every machine gets the same bits.
    mean = _fold(values.sum(axis=0, dtype=np.float64), shared) / count
    # In parts, because float64 copies of a whole set of images would fill the memory.
    squares = np.zeros(columns)
    every = np.tile(mean, columns // shared)
    for start in range(0, len(values), 4096):
        squares += ((values[start : start + 4096] - every) ** 2).sum(axis=0, dtype=np.float64)
    deviation = np.sqrt(_fold(squares, shared) / count)
    # A constant value leaves rounding noise instead of an exact 0.
    noise = 1e-12 * np.abs(mean)
    return mean, np.where(deviation > noise, deviation, 1.0)


def _fold(sums: NDArray[np.float64], shared: int) -> NDArray[np.float64]:
    return np.asarray(sums.reshape(-1, shared).sum(axis=0), np.float64)


def _positive(deviation: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(deviation > 0, deviation, 1.0)
