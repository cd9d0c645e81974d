"""Samples in a CSV file: numbers, and the label in the last column or in named ones."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import DataError, visible
from tpsgd_edge.frontend.csv_advice import label_advice
from tpsgd_edge.frontend.csv_numbers import (
    Numbers,
    are_thousands,
    is_missing,
    is_number,
    is_whole,
    numbers_of,
)
from tpsgd_edge.frontend.csv_rows import Cells
from tpsgd_edge.frontend.csv_text import Table, read_table
from tpsgd_edge.frontend.samples import RawSamples

# The name that means "the last column" where no column is called so.
_DEFAULT_LABEL = "y"
# Columns that hold labels wherever they stand, by their names in lower case.
_LABEL_NAMES = ("y", "label", "labels", "class", "classes", "target", "targets")
_BY_NUMBER = re.compile(r"column\s*(\d{1,5})", re.IGNORECASE | re.ASCII)
_UNNAMED = re.compile(r"(?:unnamed:\s*\d+(?:\.\d+)?)?", re.IGNORECASE | re.ASCII)
_LONGEST_LABEL = 100
_MOST_NAMED = 5
# Rows whose cells are numbers at the same time.
_BLOCK = 16


@dataclass(frozen=True, slots=True)
class CsvKeys:
    """Settings of the spec for a CSV file.

    Attributes:
        label: the label's column, or several parted by commas: names, or "column 3" by number; "y"
            means one with a usual name, else the last one.
        has_header: whether the first line holds names; None: what it looks like.
        drop: columns that are no inputs.
        classes: labels that are classes whatever they look like.
    """

    label: str = _DEFAULT_LABEL
    has_header: bool | None = None
    drop: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


def read_csv(path: Path, keys: CsvKeys) -> RawSamples:
    """The samples of a CSV file, with or without a header.

    An index that pandas or R wrote as first columns without a name is left out.

    Raises:
        DataError: missing, ragged, truncated or not numeric, with the line and the column.
    """
    table = _read(path, keys)
    dropped = {_column(table, name, "drop") for name in keys.drop}
    labels = _label_columns(table, keys.label)
    index = _index(table, labels)
    left_out = {*dropped, *index}
    features = [c for c in range(table.width) if c not in labels and c not in left_out]
    if not features:
        raise DataError(
            f"'{path.name}' has no column left for the samples",
            where=path.name,
            found=f"{table.width} columns, {len(labels)} of them labels",
            help="cells are parted by commas, semicolons, tabs, bars or spaces",
        )
    numbers = _checked_numbers(table, [*features, *labels])
    x = _values(table, features, numbers)
    many = len(labels) > 1
    y = (
        _values(table, labels, numbers).astype(np.float64)
        if many
        else _labels(table, labels[0], numbers, keys)
    )
    notes = (*_reading_notes(table, numbers, index), *_column_notes(table, x, features))
    return RawSamples(
        x,
        y,
        path.name,
        table.lines,
        y_from=", ".join(table.title(column) for column in labels[:_MOST_NAMED]),
        y_names=_names(table, labels) if many else (),
        advice=partial(_advice, path, keys, numbers),
        x_names=_names(table, features),
        notes=notes,
    )


def _read(path: Path, keys: CsvKeys) -> Table:
    label_names = [name.strip() for name in keys.label.split(",")]
    return read_table(path, has_header=keys.has_header, named=(*label_names, *keys.drop))


def _advice(path: Path, keys: CsvKeys, numbers: Numbers, units: int) -> str:
    """`label_advice` of the file, read once more: a table is not kept for what is seldom asked."""
    table = _read(path, keys)
    return label_advice(table, _label_columns(table, keys.label), numbers, units)


def _names(table: Table, columns: Sequence[int]) -> tuple[str, ...]:
    if table.header is None:
        return ()
    return tuple(table.header[column] for column in columns)


def _label_columns(table: Table, label: str) -> list[int]:
    header = [name.lower() for name in table.header or ()]
    if label == _DEFAULT_LABEL:
        usual = [column for column, name in enumerate(header) if name in _LABEL_NAMES]
        exact = [column for column in usual if header[column] == _DEFAULT_LABEL]
        if len(exact or usual) == 1:
            return exact or usual
        return [table.width - 1]
    names = [name.strip() for name in label.split(",")]
    return [_column(table, name, "y") for name in names]


def _column(table: Table, name: str, key: str) -> int:
    """The column that a name in the spec means."""
    header = list(table.header or ())
    if header.count(name) == 1:
        return header.index(name)
    number = _BY_NUMBER.fullmatch(name)
    if number is not None and name not in header and 1 <= int(number[1]) <= table.width:
        return int(number[1]) - 1
    if name in header:
        raise DataError(
            f"{header.count(name)} columns are called '{visible(name[:40])}'",
            where=f"{table.name}, header",
            help=f'{key} = "column {header.index(name) + 1}" names one by its number',
        )
    close = get_close_matches(name, header, n=1)
    raise DataError(
        f"'{table.name}' has no column '{visible(name[:40])}'",
        where=f'[data], {key} = "{visible(name[:40])}"',
        found=visible(f"columns: {', '.join(header)}"[:200]) if header else _no_header(table),
        help=f"did you mean '{visible(close[0])}'?" if close else _other_ways(table, key),
    )


def _no_header(table: Table) -> str:
    return f"the file has no header; its first line is '{visible(', '.join(table.rows[0])[:60])}'"


def _other_ways(table: Table, key: str) -> str:
    by_number = f'{key} = "column {table.width}" names one by its number'
    if key == "drop":
        return by_number
    by_number = f"leave y out for the last column; {by_number}"
    if table.header is None:
        return f"{by_number}; if the first line holds names, set data.header = true"
    return by_number


def _index(table: Table, labels: Sequence[int]) -> list[int]:
    """The columns without a name that come first: what pandas and R write to number the rows."""
    columns: list[int] = []
    for column, name in enumerate(table.header or ()):
        if column in labels or not _UNNAMED.fullmatch(name):
            break
        columns.append(column)
    return columns


def _checked_numbers(table: Table, columns: Sequence[int]) -> Numbers:
    rows = ([row[column] for column in columns] for row in table.rows)
    numbers = numbers_of(rows, table.separator)
    if numbers.unclear:
        raise DataError(
            "it is not clear whether commas part thousands or decimals",
            where=table.name,
            found=f'"{numbers.unclear[:40]}", and all numbers with a comma are like it',
            help="write numbers without thousands separators, and decimals with a point",
        )
    return numbers


def _values(
    table: Table, columns: Sequence[int], numbers: Numbers
) -> NDArray[np.float32] | NDArray[np.float64]:
    """The numbers of some columns; in binary32 where that holds each of them exactly."""
    values: NDArray[Any] = np.empty((len(table.rows), len(columns)), np.float32)
    rows, start = iter(table.rows), 0
    while block := [*islice(rows, _BLOCK)]:
        exact = _block(table, start, block, columns, numbers)
        with np.errstate(over="ignore"):
            is_exact = bool((exact.astype(np.float32) == exact).all())
        if not is_exact and values.dtype == np.float32:
            # What is not written yet may be any bits, signalling NaN too.
            read, values = values[:start], np.empty(values.shape)
            values[:start] = read
        values[start : start + len(block)] = exact
        start += len(block)
    return values


def _block(
    table: Table, start: int, rows: Sequence[Cells], columns: Sequence[int], numbers: Numbers
) -> NDArray[np.float64]:
    values = np.empty((len(rows), len(columns)))
    for i, row in enumerate(rows):
        try:
            values[i] = numbers.values([row[column] for column in columns])
        except ValueError:
            _refuse_text(table, start + i, columns, numbers)
    missing = np.isnan(values)
    if missing.any():
        at = int(np.argmax(missing.any(axis=1)))
        _refuse_missing(table, start + at, columns[int(np.argmax(missing[at]))], columns)
    return values


def _refuse_text(table: Table, index: int, columns: Sequence[int], numbers: Numbers) -> NoReturn:
    row = table.rows[index]
    column = next(c for c in columns if not _has_value(row[c], numbers))
    cell = row[column]
    if is_missing(cell) or cell.lower() == "none":
        _refuse_missing(table, index, column, columns)
    what, help_text = (
        "a cell is not a number",
        "samples are numbers; only a class label may be text",
    )
    if are_thousands(cell):
        help_text = "write numbers without thousands separators, and decimals with a point"
    elif is_number(cell):
        help_text = "write all decimals alike, with a point"
    elif not any(_has_value(other, numbers) for other in table.column(column)):
        help_text = (
            f'if it is the label, set data.y = "{table.called(column)}"; else make numbers of it, '
            f'or leave it out: data.drop = ["{table.called(column)}"]'
        )
    elif index == 0 and table.header is None:
        help_text = "if the first line holds names of columns, set data.header = true"
    raise DataError(
        what,
        where=f"{table.name}, line {table.lines[index]}, {table.title(column)}",
        found=f'"{visible(cell[:40])}"',
        help=help_text,
    )


def _has_value(cell: str, numbers: Numbers) -> bool:
    try:
        numbers.value(cell)
    except ValueError:
        return False
    return True


def _refuse_missing(table: Table, index: int, column: int, columns: Sequence[int]) -> NoReturn:
    cell = table.rows[index][column]
    rows = [row for row in table.rows if any(is_missing(row[c]) for c in columns)]
    raise DataError(
        "a cell is missing" if cell else "a cell is empty",
        where=f"{table.name}, line {table.lines[index]}, {table.title(column)}",
        found=f'"{visible(cell)}"; {len(rows):,} of {len(table.rows):,} lines lack a value',
        help="remove these lines, put numbers there, or leave the column out with data.drop",
    )


def _labels(table: Table, column: int, numbers: Numbers, keys: CsvKeys) -> NDArray[Any]:
    cells = table.column(column)
    for cell, line in zip(cells, table.lines, strict=True):
        if len(cell) > _LONGEST_LABEL or (is_missing(cell) and cell not in keys.classes):
            what = "is missing" if is_missing(cell) else "is too long"
            count = sum(is_missing(other) for other in cells)
            raise DataError(
                f"a label {what}",
                where=f"{table.name}, line {line}, {table.title(column)}",
                found=f'"{visible(cell[:40])}"; {count:,} of {len(cells):,} labels are missing',
                help="remove these lines, or correct them"
                if not cell
                else "remove these lines, or correct them; if it is a class, name all in "
                "data.classes",
            )
    if all(is_whole(cell) for cell in cells):
        return np.array([int(cell) for cell in cells], np.int64)
    if all(is_number(cell) for cell in cells):
        try:
            return np.array([numbers.value(cell) for cell in cells], np.float64)
        except ValueError:
            pass
    return np.array(cells, np.str_)


def _reading_notes(table: Table, numbers: Numbers, index: Sequence[int]) -> Iterator[str]:
    yield from table.notes
    if numbers.comma:
        yield f"'{table.name}': commas are read as decimal points"
    for column in index:
        first, last = (visible(row[column][:20]) for row in (table.rows[0], table.rows[-1]))
        yield (
            f"'{table.name}': column {column + 1} has no name ({first} to {last}), so it is taken "
            "for an index and left out; give it a name if it is an input"
        )


def _column_notes(table: Table, x: NDArray[Any], features: Sequence[int]) -> Iterator[str]:
    """Columns that tell nothing of a sample, or number it."""
    name, count = f"'{table.name}'", len(table.rows)
    constant = [c for c, values in zip(features, x.T, strict=True) if (values == values[0]).all()]
    if constant and count > 1:
        titles = ", ".join(table.title(column) for column in constant[:_MOST_NAMED])
        more = ", ..." if len(constant) > _MOST_NAMED else ""
        yield f"{name}: {len(constant)} of {len(features)} inputs never change: {titles}{more}"
    for column, values in zip(features, x.T, strict=True):
        if count > _MOST_NAMED and (np.diff(values) == 1).all():
            yield (
                f"{name}: {table.title(column)} counts the samples ({values[0]:g}, {values[1]:g}, "
                f'...) and is an input; if it is an ID, set data.drop = ["{table.called(column)}"]'
            )
