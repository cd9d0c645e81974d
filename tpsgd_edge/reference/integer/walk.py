"""Sums that are clipped after every term, all at once (docs/ARITHMETIC.md, section 14)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[Any]


def clipped_walks(
    start: Integers, changes: Integers, first: NDArray[np.intp], low: int, high: int
) -> Integers:
    """Apply each row's changes to its values, one by one, each clipped to [low, high].

    Args:
        start: values in [low, high], shape (rows, n).
        changes: shape (changes of all rows, n): first those of row 0 in their order, and so on.
        first: where each row's changes begin, ascending, shape (rows,); every row has one.
    """
    total = np.add.reduceat(changes, first, axis=0)
    up = np.add.reduceat(np.maximum(changes, 0), first, axis=0)
    end: Integers = start + total
    # All the rises, or all the falls, in a row: where even they stay inside, no clip can matter.
    tight = (start + up > high) | (end - up < low)
    if tight.any():
        row, column = tight.nonzero()
        end[row, column] = _walk(
            start[row, column], _in_columns(changes, first, row, column), low, high
        )
    return end


def _in_columns(
    changes: Integers, first: NDArray[np.intp], row: NDArray[np.intp], column: NDArray[np.intp]
) -> Integers:
    """The changes of the chosen values, one column each, filled up with zeros."""
    rows, n = changes.shape
    count = np.diff(first, append=rows)[row]
    turn = np.arange(count.max())[:, np.newaxis]
    # Behind the last row `take` gives any value, and the product a zero.
    taken: Integers = changes.take((first[row] + turn) * n + column, mode="clip")
    taken *= turn < count
    return taken


def _walk(start: Integers, changes: Integers, low: int, high: int) -> Integers:
    """Clipped sums down the columns of `changes`, (turns, n).

    A clipped step is v -> clip(v + shift, low, high), and two of them in a row are one more such
    function with bounds of its own; so they are joined in pairs, the pairs in pairs, and so on.
    """
    shift = changes
    bottom, top = np.full_like(changes, low), np.full_like(changes, high)
    while len(shift) > 1:
        even = len(shift) // 2 * 2
        rest = shift[even:], bottom[even:], top[even:]
        later = shift[1:even:2], bottom[1:even:2], top[1:even:2]
        joined = (
            shift[0:even:2] + later[0],
            np.minimum(np.maximum(bottom[0:even:2] + later[0], later[1]), later[2]),
            np.minimum(np.maximum(top[0:even:2] + later[0], later[1]), later[2]),
        )
        shift, bottom, top = (
            np.concatenate(parts) if len(parts[1]) else parts[0]
            for parts in zip(joined, rest, strict=True)
        )
    end: Integers = np.minimum(np.maximum(start + shift[0], bottom[0]), top[0])
    return end
