"""Leaks in a spec: powers of two, which are shifts on the device."""

import math

# Leaks are shifts on the device.
_LARGEST_SHIFT = 15
MOST_LEAKS = 16


def leaks(value: object) -> tuple[float, ...]:
    """One leak or a list of them, each a power of two.

    Raises:
        ValueError: too many, or a number that is none.
    """
    given = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not 1 <= len(given) <= MOST_LEAKS:
        raise ValueError(f"'leak' is one number, or 1 to {MOST_LEAKS} in a list")
    return tuple(_leak(leak) for leak in given)


def _leak(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1:
        shift = -math.log2(value)
        if shift == int(shift) and shift <= _LARGEST_SHIFT:
            return float(value)
        near = 2.0 ** -min(round(shift), _LARGEST_SHIFT)
        raise ValueError(f"'leak' must be a power of two: 1, 0.5, 0.25, ...; near it is {near:g}")
    raise ValueError(f"'leak' must be a number above 0 and at most 1, not {value!r:.40}")
