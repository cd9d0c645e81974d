"""Windows of a signal, moved by their mean and brought to 16 bits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of one channel, one a row.

    Attributes:
        sample: as they came, shape (n, size).
        total: sums of the samples, shape (n, 1).
        moved: samples less their mean, times size.
        up: how many bits `full` is larger than `moved`, shape (n, 1).
        full: moved * 2^up, s16.
    """

    sample: Integers
    total: Integers
    moved: Integers
    up: Integers
    full: Integers

    @property
    def size(self) -> int:
        """Samples in a window."""
        return int(self.sample.shape[1])

    @property
    def log_size(self) -> int:
        """The exponent of the size."""
        return self.size.bit_length() - 1


def windows_of(sample: NDArray[np.int16]) -> Windows:
    """The windows with samples (n, size)."""
    wide = sample.astype(np.int64)
    total = wide.sum(axis=1, keepdims=True)
    moved = wide * wide.shape[1] - total
    up = 15 - reach(moved)
    full = np.where(up < 0, moved >> np.maximum(-up, 0), moved << np.maximum(up, 0))
    return Windows(wide, total, moved, up, full)


def reach(values: Integers) -> Integers:
    """Bits of the values of each row, without the sign: shape (n, 1) of values (n, ...)."""
    flat = values.reshape(len(values), -1)
    return bit_length(np.where(flat < 0, ~flat, flat).max(axis=1, keepdims=True))


def bit_length(values: Integers) -> Integers:
    """The bit length of each value (n, ...), all of which are 0 or more.

    >>> bit_length(np.array([0, 1, 2, 3, 2**57 - 1, 2**57]))
    array([ 0,  1,  2,  2, 57, 58])
    """
    bits, rest = np.zeros(values.shape, np.int64), values.copy()
    for step in (32, 16, 8, 4, 2, 1):
        is_longer = rest >> step > 0
        bits += np.where(is_longer, step, 0)
        rest = np.where(is_longer, rest >> step, rest)
    return bits + (rest > 0)


def rshift_round(values: Integers, shift: Integers | int) -> Integers:
    """floor(v / 2^shift + 1/2) of values (n, ...), with a shift of its own for each row (n, 1)."""
    half = np.where(np.asarray(shift) > 0, np.int64(1) << np.maximum(np.asarray(shift) - 1, 0), 0)
    return np.asarray((values + half) >> shift, np.int64)
