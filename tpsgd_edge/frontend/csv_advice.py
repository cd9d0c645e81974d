"""Advice on the label's column of a table, if the column that was taken does not look like it."""

from collections.abc import Sequence

from tpsgd_edge.frontend.csv_numbers import Numbers
from tpsgd_edge.frontend.csv_text import Table

_BITS = frozenset(("0", "1", "0.0", "1.0", "true", "false"))
_MOST_NAMED = 3
_LEAST_OF_EACH = 3


def label_advice(table: Table, labels: Sequence[int], numbers: Numbers, units: int) -> str:
    """Help where `labels` are not what they should be; empty where no other column looks better.

    Args:
        units: of the last layer, as many as there should be classes.
    """
    one_hot = _one_hot_end(table)
    if one_hot and len(labels) == 1:
        return f'if the last columns are one-hot labels, set data.y = "{", ".join(one_hot)}"'
    likely = _likely(table, labels, numbers, units)
    if not likely:
        return ""
    names = " or ".join(f'data.y = "{table.called(column)}"' for column in likely[:_MOST_NAMED])
    return f"if the labels are in another column, set {names}"


def _likely(table: Table, labels: Sequence[int], numbers: Numbers, units: int) -> list[int]:
    """Columns that hold one word or whole number for each unit, each several times."""
    if not 2 <= units <= len(table.rows) / _LEAST_OF_EACH:
        return []
    kinds: dict[int, set[str]] = {c: set() for c in range(table.width) if c not in labels}
    for row in table.rows:
        for column, seen in [*kinds.items()]:
            seen.add(row[column])
            if len(seen) > units:
                del kinds[column]
    return [c for c, seen in kinds.items() if len(seen) == units and _are_words(seen, numbers)]


def _are_words(kinds: set[str], numbers: Numbers) -> bool:
    """Tell whether cells are words or whole numbers."""
    try:
        return all(numbers.value(cell).is_integer() for cell in kinds)
    except ValueError:
        return True


def _one_hot_end(table: Table) -> list[str]:
    """Names of the columns at the end in which each row has a single 1; empty where none are so."""
    first = 1
    for row in table.rows:
        bits = (c for c in range(table.width, first, -1) if row[c - 1].lower() not in _BITS)
        first = next(bits, first)
    for start in range(first, table.width - 1):
        if all(
            sum(cell.lower() in ("1", "1.0", "true") for cell in r[start:]) == 1 for r in table.rows
        ):
            return [table.called(column) for column in range(start, table.width)]
    return []
