"""Rounding and saturating operations on arrays (docs/ARITHMETIC.md, sections 1 and 3).

Arguments are arrays that the caller has widened to int64: numpy wraps silently on narrower types.
Results stay int64; whoever stores one in a narrow type saturates first.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]
S8_MIN, S8_MAX = -(2**7), 2**7 - 1
S16_MIN, S16_MAX = -(2**15), 2**15 - 1
U32_MASK = 2**32 - 1


def widen(v: NDArray[Any]) -> Int64:
    """Copy `v` as int64, in its shape.

    >>> widen(np.array([-3, 7], np.int8)) * 100
    array([-300,  700])
    """
    return v.astype(np.int64)


def rshift_round(v: Int64, s: int) -> Int64:
    """Round to floor(v / 2^s + 1/2), ties towards plus infinity, in the shape of v.

    Requires |v| < 2^62 and s <= 62.

    >>> rshift_round(np.array([-6, -5, -2, 2, 5, 6]), 2)
    array([-1, -1,  0,  1,  1,  2])
    >>> rshift_round(np.array([-6, 5]), 0)
    array([-6,  5])
    """
    return (v + ((1 << s) >> 1)) >> s


def clip(v: Int64, lo: int, hi: int) -> Int64:
    """Limit `v` to the chosen range [lo, hi], in its shape.

    >>> clip(np.array([-9, 0, 9]), -1, 5)
    array([-1,  0,  5])
    """
    limited: Int64 = np.minimum(np.maximum(v, lo), hi)
    return limited


def sat_s8(v: Int64) -> Int64:
    """Limit `v` to the range of s8, in its shape.

    >>> sat_s8(np.array([-129, 128]))
    array([-128,  127])
    """
    return clip(v, S8_MIN, S8_MAX)


def sat_s16(v: Int64) -> Int64:
    """Limit `v` to the range of s16, in its shape.

    >>> sat_s16(np.array([-40000, 40000]))
    array([-32768,  32767])
    """
    return clip(v, S16_MIN, S16_MAX)


def random_round(v: Int64, s: int, r: NDArray[np.uint32]) -> Int64:
    """Round v / 2^s at random: (v + (r >> (32 - s))) >> s, in the shape of v.

    The mean over r is v / 2^s.

    Requires 1 <= s <= 30.

    >>> random_round(np.array([5, 5, 5, 5]), 2, np.array([0, 2**30, 2**31, 3 * 2**30], np.uint32))
    array([1, 1, 1, 2])
    """
    return (v + (r >> np.uint32(32 - s)).astype(np.int64)) >> s
