"""Logarithms of the powers in bands of a spectrum."""

import numpy as np

from tpsgd_edge.features.numbers import LOG_TABLE, BandNumbers
from tpsgd_edge.features.windows import Integers, bit_length, rshift_round


def band_features(power: Integers, scale: Integers, bands: BandNumbers) -> Integers:
    """The features (n, bands) of powers (n, bins) with scales (n, 1)."""
    rise = bands.rise.astype(np.int64)
    first = int(bands.starts[0])
    inside = power[:, first : int(bands.starts[-1])]
    rising, falling = inside * rise, inside * (2**15 - rise)
    sums = []
    for j in range(bands.count):
        start, middle, end = (int(edge) - first for edge in bands.starts[j : j + 3])
        sums.append(rising[:, start:middle].sum(axis=1) + falling[:, middle:end].sum(axis=1))
    return _logarithms(np.stack(sums, axis=1), scale)


def _logarithms(band: Integers, scale: Integers) -> Integers:
    """Logarithms to base 2 in Q9, of bands (n, bands) in Q15; 0 below a power of 1."""
    whole = np.maximum(bit_length(band), 1) - 1
    part = np.where(
        whole > 16, band >> np.maximum(whole - 16, 0), band << np.maximum(16 - whole, 0)
    )
    part = np.maximum(part - 2**16, 0)
    table = LOG_TABLE.astype(np.int64)
    place = part >> 11
    log = table[place] + rshift_round((table[place + 1] - table[place]) * (part & 2047), 11)
    feature = rshift_round(((whole + scale - 15) << 15) + log, 6)
    return np.where(band > 0, np.clip(feature, 0, 32767), 0)
