"""How raw samples and label vectors become values near [-1, 1]: (raw - mean) / deviation."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.spec import Spec, layer_activation

Scaling = tuple[NDArray[np.float64], NDArray[np.float64]]


def input_scaling(spec: Spec, x_train: NDArray[Any]) -> Scaling:
    """Mean and deviation as `data.scaling` asks: one entry for all inputs, or one for each.

    none leaves samples as they are, unit divides by the largest magnitude, standard makes each
    input's mean 0 and deviation 1; an input that never changes has deviation 1.
    """
    if spec.data.scaling == "standard":
        return _standard(x_train)
    largest = (
        max(float(x_train.max()), -float(x_train.min())) if spec.data.scaling == "unit" else 1.0
    )
    return np.zeros(1), np.array([largest or 1.0])


def label_scaling(spec: Spec, y_train: NDArray[Any]) -> Scaling:
    """Mean and deviation of label vectors, one entry for each value; 0 and 1 for classes.

    A linear last layer learns standardised labels; one that is bounded gets its whole range.
    """
    if y_train.ndim == 1:
        return np.zeros(1), np.ones(1)
    activation = layer_activation(spec, len(spec.model.layers) - 1)
    if activation == "linear":
        return _standard(y_train)
    low, high = y_train.min(axis=0).astype(np.float64), y_train.max(axis=0).astype(np.float64)
    if activation in ("sigmoid", "relu"):
        return low, _positive(high - low)
    return (low + high) / 2, _positive((high - low) / 2)


def _standard(values: NDArray[Any]) -> Scaling:
    # Sums along the first axis add row by row, so every machine gets the same bits.
    mean = values.sum(axis=0, dtype=np.float64) / len(values)
    # In parts, because float64 copies of a whole set of images would fill the memory.
    squares = np.zeros_like(mean)
    for start in range(0, len(values), 4096):
        squares += ((values[start : start + 4096] - mean) ** 2).sum(axis=0, dtype=np.float64)
    deviation = np.sqrt(squares / len(values))
    # A constant value leaves rounding noise instead of an exact 0.
    noise = 1e-12 * np.abs(mean)
    return mean, np.where(deviation > noise, deviation, 1.0)


def _positive(deviation: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(deviation > 0, deviation, 1.0)
