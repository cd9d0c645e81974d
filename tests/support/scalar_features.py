"""Section 28 of docs/ARITHMETIC.md once more, one number after the other."""

import math
from itertools import pairwise

import numpy as np

from tpsgd_edge.features import FeatureNumbers

_LOG = [math.floor(2**15 * math.log2(1 + i / 32) + 0.5) for i in range(33)]


def rounded(v: int, shift: int) -> int:
    return v if shift == 0 else (v + (1 << (shift - 1))) >> shift


def reach(values: list[int]) -> int:
    return max(v if v >= 0 else -1 - v for v in values).bit_length()


def moved_of(sample: list[int]) -> list[int]:
    return [v * len(sample) - sum(sample) for v in sample]


def full_of(moved: list[int]) -> tuple[list[int], int]:
    up = 15 - reach(moved)
    return [v >> -up if up < 0 else v << up for v in moved], up


def powers(sample: list[int]) -> tuple[list[int], int]:
    """The powers of a window, and the scale."""
    size = len(sample)
    half_size = size // 2
    cosines = [math.floor(2**14 * math.cos(2 * math.pi * i / size) + 0.5) for i in range(size)]
    sines = [cosines[abs(size // 4 - i)] for i in range(half_size + 1)]
    full, up = full_of(moved_of(sample))
    taper = [rounded(f * (2**14 - cosines[min(i, size - i)]), 15) for i, f in enumerate(full)]
    bits = half_size.bit_length() - 1
    points = [(0, 0)] * half_size
    for i in range(half_size):
        place = int(f"{i:0{bits}b}"[::-1], 2)
        points[place] = (taper[2 * i], taper[2 * i + 1])
    fallen, half = 0, 1
    while half < half_size:
        down = max(0, reach([v for point in points for v in point]) - 13)
        for k in range(half):
            step = k * size // (2 * half)
            for first in range(k, half_size, 2 * half):
                second = first + half
                (a, b), (p, q) = points[first], points[second]
                real = cosines[step] * p + sines[step] * q
                imag = cosines[step] * q - sines[step] * p
                shift = 14 + down
                points[first] = (
                    rounded((a << 14) + real, shift),
                    rounded((b << 14) + imag, shift),
                )
                points[second] = (
                    rounded((a << 14) - real, shift),
                    rounded((b << 14) - imag, shift),
                )
        fallen += down
        half *= 2
    last = max(0, reach([v for point in points for v in point]) - 14)
    made = [rounded(points[0][0] + points[0][1], last) ** 2]
    for k in range(1, half_size):
        (a, b), (p, q) = points[k], points[half_size - k]
        even, odd = (a + p, b - q), (a - p, b + q)
        # (even * 2^14 - j (c - j s) * odd), part by part.
        real = (even[0] << 14) + cosines[k] * odd[1] - sines[k] * odd[0]
        imag = (even[1] << 14) - cosines[k] * odd[0] - sines[k] * odd[1]
        made.append(rounded(real, 15 + last) ** 2 + rounded(imag, 15 + last) ** 2)
    made.append(rounded(points[0][0] - points[0][1], last) ** 2)
    return made, 2 * (fallen + last - up - (size.bit_length() - 1))


def logarithm(band: int, scale: int) -> int:
    if band == 0:
        return 0
    whole = band.bit_length() - 1
    part = (band << 16 >> whole) - 2**16
    place = part >> 11
    log = _LOG[place] + rounded((_LOG[place + 1] - _LOG[place]) * (part & 2047), 11)
    return min(max(rounded(((whole + scale - 15) << 15) + log, 6), 0), 32767)


def bands_of(sample: list[int], numbers: FeatureNumbers) -> list[int]:
    power, scale = powers(sample)
    bands = numbers.bands
    starts, rise = bands.starts.tolist(), dict(enumerate(bands.rise.tolist(), int(bands.starts[0])))
    return [
        logarithm(
            sum(power[k] * rise[k] for k in range(starts[j], starts[j + 1]))
            + sum(power[k] * (2**15 - rise[k]) for k in range(starts[j + 1], starts[j + 2])),
            scale,
        )
        for j in range(bands.count)
    ]


def statistics_of(sample: list[int]) -> dict[str, int]:
    size = len(sample)
    log_size = size.bit_length() - 1
    total, squares = sum(sample), sum(v * v for v in sample)
    moved = moved_of(sample)
    square = [rounded(v * v, 14) for v in full_of(moved)[0]]
    deviation = math.isqrt((size * squares - total**2) >> 2 * log_size)
    runs = [v for i, v in enumerate(moved) if i == 0 or v != moved[i - 1]]
    middles = zip(runs, runs[1:], runs[2:], strict=False)
    second = sum(square) ** 2
    made = {
        "mean": total >> log_size,
        "rms": math.isqrt(squares >> log_size),
        "deviation": deviation,
        "peak": max(max(moved), -min(moved)) >> log_size,
        "crossings": sum((a < 0) != (b < 0) for a, b in pairwise(moved)),
        "kurtosis": (size << 8) * sum(v * v for v in square) // second if second else 0,
        "peaks": sum(b > max(a, c, deviation * size) for a, b, c in middles),
    }
    return {name: min(max(value, -32768), 32767) for name, value in made.items()}


def features_one_by_one(numbers: FeatureNumbers, sample: np.ndarray) -> list[int]:
    """Features of one window of one channel, samples (size,)."""
    values = sample.tolist()
    bands = [] if numbers.bands is None else bands_of(values, numbers)
    found = statistics_of(values)
    return bands + [found[name] for name in numbers.statistics]
