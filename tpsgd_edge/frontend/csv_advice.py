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
    columns = [column for column in range(table.width) if column not in labels]
    likely = [column for column in columns if _are_classes(table.column(column), numbers, units)]
    if not likely:
        return ""
    names = " or ".join(f'data.y = "{table.called(column)}"' for column in likely[:_MOST_NAMED])
    return f"if the labels are in another column, set {names}"


def _are_classes(cells: Sequence[str], numbers: Numbers, units: int) -> bool:
    """Tell whether cells hold one word or whole number for each unit, each several times."""
    kinds = set(cells)
    if len(kinds) < 2 or len(kinds) != units or _LEAST_OF_EACH * len(kinds) > len(cells):
        return False
    try:
        return all(numbers.value(cell).is_integer() for cell in kinds)
    except ValueError:
        return True


def _one_hot_end(table: Table) -> list[str]:
    """Names of the columns at the end in which each row has a single 1; empty where none are so."""
    first = table.width
    while first > 1 and all(row[first - 1].lower() in _BITS for row in table.rows):
        first -= 1
    for start in range(first, table.width - 1):
        if all(
            sum(cell.lower() in ("1", "1.0", "true") for cell in r[start:]) == 1 for r in table.rows
        ):
            return [table.called(column) for column in range(start, table.width)]
    return []
