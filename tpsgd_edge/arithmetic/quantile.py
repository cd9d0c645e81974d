"""Quantiles, without what numpy loads and copies for its own."""

import numpy as np

from tpsgd_edge.arithmetic.types import Real

# Values whose largest stand for them all.
_BLOCK = 64


def quantiles(values: Real, *shares: float) -> tuple[float, ...]:
    """Values below which these shares of all values lie, interpolated between neighbours.

    To the bit what `numpy.quantile` finds.

    Args:
        values: finite, of any shape, at least one.
        shares: from 0 to 1.

    >>> quantiles(np.array([3.0, 1.0, 2.0]), 0.5, 0.75)
    (2.0, 2.5)
    """
    flat = np.asarray(values, np.float64).ravel()
    places = [(len(flat) - 1) * share for share in shares]
    largest = _largest(flat, len(flat) - int(min(places)))
    missing = len(flat) - len(largest)
    places = [place - missing for place in places]
    neighbours = {index for place in places for index in _neighbours(place, len(largest))}
    largest.partition(sorted(neighbours))
    return tuple(_between(largest, place) for place in places)


def _largest(flat: Real, count: int) -> Real:
    """Copy at least the `count` largest of some values, and few more where these are a few."""
    blocks = len(flat) // _BLOCK
    if count > blocks // 4:
        return flat.copy()
    highest = flat[: blocks * _BLOCK].reshape(blocks, _BLOCK).max(axis=1)
    # So many blocks have a value that is as large.
    highest.partition(blocks - count)
    return np.asarray(flat[flat >= highest[blocks - count]])


def _neighbours(place: float, count: int) -> tuple[int, int]:
    return int(place), min(int(place) + 1, count - 1)


def _between(flat: Real, place: float) -> float:
    low, high = (float(flat[index]) for index in _neighbours(place, len(flat)))
    part = place - int(place)
    # From the nearer end, as numpy does.
    return high - (high - low) * (1 - part) if part >= 0.5 else low + (high - low) * part
