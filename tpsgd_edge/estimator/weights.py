"""Weights of samples: how often each is learned in an epoch.

A step changes integers by one sample, and half a step would be rounded away. So a weight is a
share of the epoch's steps instead of a factor on the step: an epoch has as many steps as there are
samples with a weight above 0, and a sample of twice the mean weight is learned twice in it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_class_weight

from tpsgd_edge.arithmetic.random import Purpose, draws, mix, stream

Weights = NDArray[np.float64]


def checked_weights(given: Any, count: int) -> Weights | None:
    """Weights of samples, shape (n,), None where none are given.

    Raises:
        ValueError: another shape, a weight below 0 or not finite, or no weight above 0.
    """
    if given is None:
        return None
    weights = np.asarray(given, np.float64)
    if weights.ndim == 0:
        weights = np.full(count, weights)
    if weights.shape != (count,):
        raise ValueError(f"sample_weight has shape {weights.shape}; there are {count} samples")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("sample_weight must be finite and not below 0")
    if not (weights > 0).any():
        raise ValueError("every sample_weight is zero: nothing would be learned")
    return weights


def with_class_weights(
    weights: Weights | None, class_weight: Any, classes: NDArray[Any], y: NDArray[np.int64]
) -> Weights | None:
    """Weights of samples times those of their classes.

    Args:
        class_weight: None, "balanced", or a dict from label to weight; 1 for labels not in it.
        classes: labels, in the order of class indices.
        y: class indices (n,).

    Raises:
        ValueError: a class weight that is no good.
    """
    if class_weight is None:
        return weights
    here = np.unique(y)
    of_class = np.ones(len(classes))
    of_class[here] = compute_class_weight(class_weight, classes=classes[here], y=classes[y])
    if not np.isfinite(of_class).all() or (of_class < 0).any():
        raise ValueError("class_weight must be finite and not below 0")
    return checked_weights(of_class[y] * (1.0 if weights is None else weights), len(y))


def weighted_order(
    order: NDArray[np.intp], weights: Weights, seed: int, epoch: int
) -> NDArray[np.intp]:
    """Order of an epoch in which each sample comes as often as its weight says; deterministic.

    Each sample comes floor or ceil of its share of the steps, which of both is drawn; the mean over
    epochs is the share itself. Where each comes once, the order stays as it is.

    Args:
        order: of the samples without weights, shape (n,).
        weights: above 0, shape (n,).

    >>> order = np.array([2, 0, 1])
    >>> weighted_order(order, np.ones(3), 1, 0).tolist()
    [2, 0, 1]
    >>> sorted(weighted_order(order, np.array([4.0, 1.0, 1.0]), 1, 0).tolist()).count(0)
    2
    """
    count = len(order)
    base = stream(seed, Purpose.WEIGHTS_OF_SAMPLES, epoch)
    # Never 0 and never 1, so that rounding cannot reach the end of a share.
    offset = (float(draws(base, 1)[0]) / 2**32 + 2**-20) / (1 + 2**-19)
    ends = np.cumsum(weights[order] / weights.sum()) * count
    picks = np.searchsorted(ends, np.arange(count) + offset, side="right").clip(max=count - 1)
    if len(np.unique(picks)) == count:
        return order
    # Copies of one sample lie side by side until they are mixed.
    return np.asarray(order[picks][np.argsort(draws(mix(base), count), kind="stable")])
