"""Statistics of windows."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.features.windows import Integers, Windows, rshift_round
from tpsgd_edge.spec import Statistic


def statistic_of(windows: Windows, statistic: Statistic) -> Integers:
    """A statistic of each window, shape (n,), limited to s16."""
    return np.clip(_STATISTICS[statistic](windows), -32768, 32767)


def _mean(windows: Windows) -> Integers:
    return windows.total[:, 0] >> windows.log_size


def _rms(windows: Windows) -> Integers:
    return _roots((windows.sample**2).sum(axis=1) >> windows.log_size)


def _deviation(windows: Windows) -> Integers:
    squares = windows.size * (windows.sample**2).sum(axis=1) - windows.total[:, 0] ** 2
    return _roots(squares >> 2 * windows.log_size)


def _peak(windows: Windows) -> Integers:
    return np.asarray(np.abs(windows.moved).max(axis=1) >> windows.log_size, np.int64)


def _crossings(windows: Windows) -> Integers:
    is_below = windows.moved < 0
    return np.asarray((is_below[:, 1:] != is_below[:, :-1]).sum(axis=1), np.int64)


def _kurtosis(windows: Windows) -> Integers:
    square = rshift_round(windows.full**2, 14)
    second, fourth = square.sum(axis=1), (square**2).sum(axis=1)
    # Products of Python's own integers, which have no width.
    whole = [
        (windows.size << 8) * int(high) // (int(low) ** 2) if low else 0
        for high, low in zip(fourth.tolist(), second.tolist(), strict=True)
    ]
    return np.array(whole, np.int64)


def _peaks(windows: Windows) -> Integers:
    """Maxima above the deviation; equal neighbours are one."""
    return np.array(
        [
            _count_peaks(moved, level)
            for moved, level in zip(windows.moved, _deviation(windows) * windows.size, strict=True)
        ],
        np.int64,
    )


def _count_peaks(moved: Integers, level: int) -> int:
    runs = moved[np.concatenate([[True], moved[1:] != moved[:-1]])]
    middle = runs[1:-1]
    is_peak = (middle > runs[:-2]) & (middle > runs[2:]) & (middle > level)
    return int(is_peak.sum())


def _roots(squares: Integers) -> Integers:
    """The floor of the square root of each, below 2^53."""
    roots = np.sqrt(squares.astype(np.float64)).astype(np.int64)
    roots -= roots**2 > squares
    return np.asarray(roots + ((roots + 1) ** 2 <= squares), np.int64)


_STATISTICS: Mapping[Statistic, Callable[[Windows], NDArray[np.int64]]] = {
    "mean": _mean,
    "deviation": _deviation,
    "rms": _rms,
    "peak": _peak,
    "crossings": _crossings,
    "kurtosis": _kurtosis,
    "peaks": _peaks,
}
