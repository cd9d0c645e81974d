"""The power spectrum of windows, in integers with one exponent for each window."""

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.features.windows import Integers, Windows, reach, rshift_round


def power_of(windows: Windows, cosines: NDArray[np.int16]) -> tuple[Integers, Integers]:
    """Powers (n, size / 2 + 1) and their scales (n, 1): each stands for itself times 2^scale."""
    cos = cosines.astype(np.int64)
    real, imag, fallen = _transformed(windows, cos)
    last = np.maximum(0, reach(np.hstack([real, imag])) - 14)
    bins_real, bins_imag = _bins(real, imag, cos, last)
    return bins_real**2 + bins_imag**2, 2 * (fallen + last - windows.up - windows.log_size)


def _transformed(windows: Windows, cos: Integers) -> tuple[Integers, Integers, Integers]:
    """Transform size / 2 complex numbers, of which each holds two samples of a Hann window.

    Returns:
        Real and imaginary parts (n, size / 2), and how often they were halved (n, 1).
    """
    size = windows.size
    hann = 2**14 - np.concatenate([cos, cos[-2:0:-1]])
    taper = rshift_round(windows.full * hann, 15)
    order = _reversed_bits(size // 2)
    real, imag = taper[:, 0::2][:, order], taper[:, 1::2][:, order]
    fallen = np.zeros((len(taper), 1), np.int64)
    half = 1
    while half < size // 2:
        down = np.maximum(0, reach(np.hstack([real, imag])) - 13)
        real, imag = _stage(real, imag, half, down, cos)
        fallen += down
        half *= 2
    return real, imag, fallen


def _stage(
    real: Integers, imag: Integers, half: int, down: Integers, cos: Integers
) -> tuple[Integers, Integers]:
    count, size = len(real), 2 * real.shape[1]
    step = np.arange(half) * (size // (2 * half))
    c, s = cos[step], cos[np.abs(size // 4 - step)]
    blocks_real, blocks_imag = (part.reshape(count, -1, 2, half) for part in (real, imag))
    a, b = blocks_real[:, :, 1], blocks_imag[:, :, 1]
    by = 14 + down[:, :, None]
    made = []
    for first, turned in (
        (blocks_real[:, :, 0] << 14, c * a + s * b),
        (blocks_imag[:, :, 0] << 14, c * b - s * a),
    ):
        pair = np.stack([rshift_round(first + turned, by), rshift_round(first - turned, by)], 2)
        made.append(pair.reshape(count, -1))
    return made[0], made[1]


def _bins(
    real: Integers, imag: Integers, cos: Integers, last: Integers
) -> tuple[Integers, Integers]:
    """The spectrum of the real samples, shape (n, size / 2 + 1) each."""
    half = real.shape[1]
    k = np.arange(1, half)
    c, s = cos[k], cos[np.abs(half // 2 - k)]
    mirrored_real, mirrored_imag = real[:, half - k], -imag[:, half - k]
    odd_real, odd_imag = real[:, k] - mirrored_real, imag[:, k] - mirrored_imag
    bins_real = ((real[:, k] + mirrored_real) << 14) + c * odd_imag - s * odd_real
    bins_imag = ((imag[:, k] + mirrored_imag) << 14) - s * odd_imag - c * odd_real
    ends = [rshift_round(real[:, :1] + sign * imag[:, :1], last) for sign in (1, -1)]
    none = np.zeros((len(real), 1), np.int64)
    return (
        np.hstack([ends[0], rshift_round(bins_real, 15 + last), ends[1]]),
        np.hstack([none, rshift_round(bins_imag, 15 + last), none]),
    )


def _reversed_bits(count: int) -> NDArray[np.intp]:
    """Place i holds the number whose bits are those of i in reverse.

    >>> _reversed_bits(8)
    array([0, 4, 2, 6, 1, 5, 3, 7])
    """
    order = np.zeros(1, np.intp)
    while len(order) < count:
        order = np.concatenate([2 * order, 2 * order + 1])
    return order
