"""Features of recordings."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tpsgd_edge.features.bands import band_features
from tpsgd_edge.features.numbers import FeatureNumbers
from tpsgd_edge.features.spectrum import power_of
from tpsgd_edge.features.statistics import statistic_of
from tpsgd_edge.features.windows import windows_of

# Samples that are looked at together: some ten arrays of 64 bits, in the cache of a core.
_SAMPLES = 1 << 18


def features_of(numbers: FeatureNumbers, recordings: NDArray[np.int16]) -> NDArray[np.int16]:
    """Features of recordings, as the device makes them (docs/ARITHMETIC.md, section 28).

    Args:
        recordings: shape (n, samples, channels), of any length.

    Returns:
        Shape (n, windows, features of a window).
    """
    count = len(recordings)
    windows, channels = numbers.windows_in(recordings.shape[1]), numbers.channels
    made = np.zeros((count, windows, channels, numbers.per_channel), np.int16)
    together = max(1, _SAMPLES // (windows * channels * numbers.size))
    for start in range(0, count, together):
        part = recordings[start : start + together]
        every = sliding_window_view(part, numbers.size, axis=1)[:, :: numbers.hop]
        rows = every.reshape(-1, numbers.size)
        made[start : start + together] = _of_windows(numbers, rows).reshape(
            len(part), windows, channels, numbers.per_channel
        )
    return made.reshape(count, windows, numbers.per_window)


def _of_windows(numbers: FeatureNumbers, samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """Features (n, per channel) of windows (n, size), of one channel each."""
    windows = windows_of(samples)
    parts = []
    if numbers.bands is not None:
        parts.append(band_features(*power_of(windows, numbers.cosines), numbers.bands))
    parts += [statistic_of(windows, name)[:, None] for name in numbers.statistics]
    return np.hstack(parts).astype(np.int16)
