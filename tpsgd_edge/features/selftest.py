"""The signal that a device makes itself, to test what it makes of it."""

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.random import mix_array
from tpsgd_edge.features.numbers import FeatureNumbers

_ROUNDS = 4


def selftest_signal(numbers: FeatureNumbers) -> NDArray[np.int16]:
    """Windows of noise, each quieter than the one before, shape (4, size, channels)."""
    count = numbers.size * numbers.channels
    words = mix_array(np.arange(_ROUNDS * count, dtype=np.uint32)).reshape(_ROUNDS, count)
    loud = (words >> np.uint32(16)).astype(np.int32) - 2**15
    samples = loud >> 4 * np.arange(_ROUNDS)[:, None]
    return samples.astype(np.int16).reshape(_ROUNDS, numbers.size, numbers.channels)
