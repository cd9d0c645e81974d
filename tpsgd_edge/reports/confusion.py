"""The confusion matrix as a heat table, and the confusions that stand out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.reports.text import percent_text

# More classes than this make a table that nobody can read; the list of confusions remains.
_MOST_CLASSES = 40
# Up to this many, every cell has room for its number.
_MOST_NUMBERED = 20
_MOST_PAIRS = 3
# Of a share of the row below this a cell has a pale ground, and its number the page's ink.
_PALE = 0.6
# Longer names of columns are turned by a quarter.
_LONGEST_UPRIGHT = 3


@dataclass(frozen=True, slots=True)
class Cell:
    """One count. `heat`, from 0 to 1, is its share of the row on a scale where one error shows."""

    count: str
    kind: str
    heat: str
    title: str


@dataclass(frozen=True, slots=True)
class Row:
    """All test samples of one class, and the share of them that is right."""

    name: str
    cells: tuple[Cell, ...]
    recall: str


@dataclass(frozen=True, slots=True)
class HeatTable:
    """Rows are true classes, columns predictions. Too many classes leave `rows` empty."""

    names: tuple[str, ...]
    rows: tuple[Row, ...]
    has_numbers: bool
    style: str
    pairs: tuple[str, ...]


def heat_table(confusion: NDArray[np.int64], names: Sequence[str]) -> HeatTable:
    """The matrix (K, K) of counts with K class names, ready to print."""
    few = len(names) <= _MOST_CLASSES
    return HeatTable(
        names=tuple(names),
        rows=tuple(_row(confusion, i, names) for i in range(len(names))) if few else (),
        has_numbers=len(names) <= _MOST_NUMBERED,
        style=_style(names),
        pairs=_pairs(confusion, names),
    )


def _style(names: Sequence[str]) -> str:
    upright = all(len(name) <= _LONGEST_UPRIGHT for name in names)
    room = "numbered" if len(names) <= _MOST_NUMBERED else "dense"
    return room if upright and room == "numbered" else f"{room} turned"


def _row(confusion: NDArray[np.int64], i: int, names: Sequence[str]) -> Row:
    total = int(confusion[i].sum())
    cells = tuple(
        _cell(int(count), total, names[i], names[j], is_right=i == j)
        for j, count in enumerate(confusion[i])
    )
    return Row(names[i], cells, percent_text(int(confusion[i, i]), total) if total else "")


def _cell(count: int, total: int, true: str, predicted: str, *, is_right: bool) -> Cell:
    share = count / total if total else 0.0
    # Errors are rare where the net is good: a square root keeps one in a hundred visible.
    heat = share if is_right else min(1.0, share**0.5)
    return Cell(
        count=str(count) if count else "",
        kind=_kind(count, heat, is_right=is_right),
        heat=f"{heat:.3f}",
        title=f"{count} of class {true} predicted as {predicted}",
    )


def _kind(count: int, heat: float, *, is_right: bool) -> str:
    if not count:
        return "none"
    if not is_right:
        return "wrong"
    return "right" if heat >= _PALE else "right pale"


def _pairs(confusion: NDArray[np.int64], names: Sequence[str]) -> tuple[str, ...]:
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MOST_PAIRS]
    pairs = (np.unravel_index(flat, wrong.shape) for flat in order)
    # A single error says nothing about two classes.
    return tuple(
        f"{names[i]} for {names[j]} ({int(wrong[i, j])} times)" for i, j in pairs if wrong[i, j] > 1
    )
