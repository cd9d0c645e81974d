"""Rows of cells, kept in little memory."""

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

# Parts cells; a row with a cell that holds it stays a tuple.
_JOINT = "\x1f"

Cells = tuple[str, ...]


class Rows(Sequence[Cells]):
    """Rows of cells, of which each is one text: strings of their own take 25 times a file's bytes.

    Cells are made anew each time that a row is looked at, so whoever needs many goes through the
    rows once.
    """

    __slots__ = ("_kept",)

    def __init__(self, kept: list[str | Cells]) -> None:
        """Take rows that are packed already; `Rows.of` packs."""
        self._kept = kept

    @classmethod
    def of(cls, rows: Iterable[Sequence[str]]) -> "Rows":
        """Pack rows of at least one cell each.

        >>> Rows.of([["1", "2"], ["", "a,b"]])[1]
        ('', 'a,b')
        """
        return cls([_packed(row) for row in rows])

    def __len__(self) -> int:
        return len(self._kept)

    @overload
    def __getitem__(self, index: int) -> Cells: ...

    @overload
    def __getitem__(self, index: slice) -> "Rows": ...

    def __getitem__(self, index: int | slice) -> "Cells | Rows":
        """Return the cells of a row, or some rows."""
        kept = self._kept[index]
        return Rows(kept) if isinstance(kept, list) else _cells(kept)

    def __iter__(self) -> Iterator[Cells]:
        return map(_cells, self._kept)

    def widths(self) -> Iterator[int]:
        """Count the cells of each row, without making them."""
        return map(_width, self._kept)

    def of_width(self, width: int) -> "Rows":
        """The rows of so many cells."""
        return Rows([row for row in self._kept if _width(row) == width])

    def with_first(self, first: Sequence[str]) -> "Rows":
        """The same rows behind another first one."""
        return Rows([_packed(first), *self._kept[1:]])


def _packed(row: Sequence[str]) -> str | Cells:
    text = _JOINT.join(row)
    return text if text.count(_JOINT) == len(row) - 1 else tuple(row)


def _cells(row: str | Cells) -> Cells:
    return tuple(row.split(_JOINT)) if isinstance(row, str) else row


def _width(row: str | Cells) -> int:
    return row.count(_JOINT) + 1 if isinstance(row, str) else len(row)
