"""Samples in a CSV file: numbers, and the label in the last column or in named ones."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.samples import RawSamples, read_bytes

_INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)
# The name that means "the last column" where no column is called so.
_DEFAULT_LABEL = "y"
_LONGEST_LABEL = 100


@dataclass(frozen=True, slots=True)
class _Table:
    name: str
    header: tuple[str, ...] | None
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]

    @property
    def width(self) -> int:
        return len(self.header or self.rows[0])


def read_csv(path: Path, label: str) -> RawSamples:
    """The samples of a CSV file, with or without a header.

    Args:
        path: UTF-8 text; cells parted by comma, semicolon or tab.
        label: the label's column, or several parted by commas; "y" is the last one where none is
            called y.

    Raises:
        DataError: missing, ragged, truncated or not numeric, with the line and the column.
    """
    table = _read_table(path)
    labels = _label_columns(table, label)
    features = [column for column in range(table.width) if column not in labels]
    if not features:
        raise DataError(
            f"'{path.name}' has no column left for the samples",
            where=path.name,
            found=f"{table.width} columns, {len(labels)} of them labels",
            help="cells are parted by commas, semicolons or tabs",
        )
    x = _numbers(table, features)
    y = _numbers(table, labels) if len(labels) > 1 else _labels(table, labels[0])
    return RawSamples(x, y, path.name, table.lines)


def _read_table(path: Path) -> _Table:
    raw = read_bytes(path)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DataError(
            f"'{path.name}' is not text in UTF-8",
            where=f"{path.name}, line {line}",
            found=f"byte 0x{raw[error.start]:02x}",
        ) from None
    first = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    rows, lines = [], []
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append(tuple(cell.strip() for cell in row))
                lines.append(reader.line_num)
    except csv.Error as error:
        raise DataError(
            f"'{path.name}' is not a CSV file",
            where=f"{path.name}, line {reader.line_num}",
            found=str(error),
        ) from None
    return _with_header(path.name, rows, lines)


def _with_header(name: str, rows: list[tuple[str, ...]], lines: list[int]) -> _Table:
    header = rows[0] if _is_header(rows) else None
    start = 0 if header is None else 1
    table = _Table(name, header, tuple(rows[start:]), tuple(lines[start:]))
    if not table.rows:
        raise DataError("the data set is empty", where=name, found="no line with values")
    for row, line in zip(table.rows, table.lines, strict=True):
        if len(row) != table.width:
            raise DataError(
                f"line {line} has {len(row)} cells instead of {table.width}",
                where=f"{name}, line {line}",
                found=",".join(row)[:60],
                help="the file may be truncated, or a cell holds the separator without quotes",
            )
    return table


def _is_header(rows: list[tuple[str, ...]]) -> bool:
    """Names only; or a name above a last column of numbers, as where columns are called 0, 1 .."""
    if not rows:
        return False
    first = rows[0]
    if not any(_is_number(cell) for cell in first):
        return True
    return len(rows) > 1 and not _is_number(first[-1]) and all(_is_number(r[-1]) for r in rows[1:])


def _is_number(cell: str) -> bool:
    try:
        _number(cell)
    except ValueError:
        return False
    return True


def _number(cell: str) -> float:
    if "_" in cell:
        raise ValueError(cell)  # Python's own way to write digits
    return float(cell)


def _label_columns(table: _Table, label: str) -> list[int]:
    wanted = [name.strip() for name in label.split(",")]
    header = list(table.header or ())
    if label == _DEFAULT_LABEL and label not in header:
        return [table.width - 1]
    for name in wanted:
        if name not in header:
            close = get_close_matches(name, header, n=1)
            known = f"columns: {', '.join(header)}"[:200] if header else "the file has no header"
            raise DataError(
                f"'{table.name}' has no column '{name}'",
                where=f'[data], y = "{label}"',
                found=known,
                help=f"did you mean '{close[0]}'?" if close else "leave y out for the last column",
            )
    return [header.index(name) for name in wanted]


def _numbers(table: _Table, columns: Sequence[int]) -> NDArray[np.float64]:
    values = np.empty((len(table.rows), len(columns)))
    for i, row in enumerate(table.rows):
        try:
            values[i] = [_number(row[column]) for column in columns]
        except ValueError:
            _refuse_text(table, i, columns)
    return values


def _refuse_text(table: _Table, index: int, columns: Sequence[int]) -> NoReturn:
    row = table.rows[index]
    column = next(c for c in columns if not _is_number(row[c]))
    title = f" '{table.header[column]}'" if table.header else ""
    raise DataError(
        "a cell is not a number" if row[column] else "a cell is empty",
        where=f"{table.name}, line {table.lines[index]}, column {column + 1}{title}",
        found=f'"{row[column][:40]}"',
        help="samples are numbers; only a class label may be text",
    )


def _labels(table: _Table, column: int) -> NDArray[Any]:
    cells = [row[column] for row in table.rows]
    for cell, line in zip(cells, table.lines, strict=True):
        if not 0 < len(cell) <= _LONGEST_LABEL:
            raise DataError(
                "a label is missing" if not cell else "a label is too long",
                where=f"{table.name}, line {line}, column {column + 1}",
                found=f'"{cell[:40]}"',
            )
    if all(_INTEGER.fullmatch(cell) for cell in cells):
        return np.array([int(cell) for cell in cells], np.int64)
    if all(_is_number(cell) for cell in cells):
        return np.array([_number(cell) for cell in cells], np.float64)
    return np.array(cells, np.str_)
