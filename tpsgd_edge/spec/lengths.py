"""Lengths in a spec: kernels, strides, zeros around a map."""

LARGEST = 65535


def is_length(value: object) -> bool:
    """Tell whether a value is a whole number from 1 to 65,535."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LARGEST


def pair(value: object, *, key: str) -> tuple[object, ...]:
    """Read two lengths from one number or a list of two.

    Raises:
        ValueError: the value is neither.
    """
    values = tuple(value) if isinstance(value, list | tuple) else (value, value)
    if len(values) != 2 or not all(is_length(entry) for entry in values):
        raise ValueError(f"{key!r} looks like 3, or [3, 5] for rows and columns; 1 to {LARGEST:,}")
    return values


def padding(value: object, numbers: str, most: int) -> str | tuple[int, ...]:
    """Read "valid" or "same", or 1, 2 or `most` numbers of zeros.

    Raises:
        ValueError: the value is something else; the message shows `numbers`.
    """
    if value == "valid" or value == "same":
        return str(value)
    zeros = tuple(value) if isinstance(value, list | tuple) else (value,)
    if len(zeros) not in (1, 2, most) or not all(type(n) is int and 0 <= n < 999 for n in zeros):
        raise ValueError(f'\'padding\' is "valid", "same" or numbers of zeros: {numbers}')
    return zeros
