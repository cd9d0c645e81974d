"""Cells of a table as numbers: decimal marks, what stands for a missing value."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?|[+-]?\d+,", re.ASCII)
_POINT = re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?", re.ASCII)
# Thousands apart by comma, point, apostrophe or space, with decimals or without.
_THOUSANDS = re.compile(
    r"[+-]?[1-9]\d{0,2}(?:(?:,\d{3})+(?:\.\d+)?|(?:\.\d{3})+,\d+|(?:\.\d{3}){2,}|(?:['’\s]\d{3})+)",
)
_MISSING = frozenset(
    """
    na n/a #n/a <na> nan -nan nat null nil missing ? - -- . 1.#qnan 1.#ind -1.#ind
    #div/0! #value! #ref! #name? #num! #null!
    """.split()
) | {""}
_BOOLEANS = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True, slots=True)
class Numbers:
    """Notation of the numbers in a file.

    Attributes:
        comma: a comma stands before decimals.
        unclear: a number whose comma may be one of decimals or of thousands, as all are like it.
    """

    comma: bool = False
    unclear: str = ""

    def value(self, cell: str) -> float:
        """The number in a cell, true and false as 1 and 0; ValueError where there is none."""
        if self.comma and _COMMA.fullmatch(cell):
            cell = cell.replace(",", ".")
        return number(cell)

    def values(self, cells: Sequence[str]) -> list[float]:
        """The numbers in some cells; ValueError where one holds none."""
        text = ",".join(cells)
        if not self.comma and text.isascii() and "_" not in text:
            try:
                return list(map(float, cells))
            except ValueError:
                pass  # A cell may say true or false.
        return [self.value(cell) for cell in cells]


def number(cell: str) -> float:
    """Read the number in a cell.

    Raises:
        ValueError: the cell holds no number.
    """
    if "_" in cell or not cell.isascii():
        raise ValueError(cell)  # Python's own ways to write digits
    try:
        return float(cell)
    except ValueError:
        if cell.lower() not in _BOOLEANS:
            raise
    return _BOOLEANS[cell.lower()]


def is_number(cell: str) -> bool:
    """Tell whether a cell holds a number, with whatever mark before decimals."""
    if _COMMA.fullmatch(cell):
        return True
    try:
        number(cell)
    except ValueError:
        return False
    return cell.lower() not in _BOOLEANS


def is_whole(cell: str) -> bool:
    """Tell whether a cell holds a whole number, written without decimals."""
    return _WHOLE.fullmatch(cell) is not None


def is_missing(cell: str) -> bool:
    """Tell whether a cell says that its value is not known.

    >>> is_missing("NA"), is_missing("?"), is_missing("0"), is_missing("none")
    (True, True, False, False)
    """
    return cell.strip().lower() in _MISSING


def are_thousands(cell: str) -> bool:
    """Tell whether thousands stand apart in a number.

    >>> are_thousands("1,234,567"), are_thousands("1.234,5"), are_thousands("1234.5")
    (True, True, False)
    """
    return _THOUSANDS.fullmatch(cell) is not None


def numbers_of(rows: Iterable[Sequence[str]], separator: str) -> Numbers:
    """Find the notation of a table: decimal commas if some cells have one and none has a point."""
    if separator == ",":
        return Numbers()
    example, are_plain = "", False
    for row in rows:
        for cell in row:
            if "." in cell and _POINT.fullmatch(cell):
                return Numbers()
            if "," in cell and _COMMA.fullmatch(cell):
                example = example or cell
                are_plain = are_plain or not are_thousands(cell)
    return Numbers(comma=bool(example) and are_plain, unclear="" if are_plain else example)
