"""A text file of cells as a table: encoding, separator, comments, and whether it has a header."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tpsgd_edge.errors import DataError, visible
from tpsgd_edge.frontend.csv_numbers import is_missing, is_number, is_whole
from tpsgd_edge.frontend.samples import read_bytes

# Where several part all lines alike, the first one does: a comma may be the mark of decimals.
_SEPARATORS = ("\t", ";", "|", ",")
_NAMES = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas", " ": "spaces"}
_LINES_LOOKED_AT = 50
_EXCEL_LINE = re.compile(r"""["']?sep=(.)["']?[\s,;]*""", re.IGNORECASE)
# Excel writes #N/A and #DIV/0! into cells.
_COMMENT = re.compile(r"\s*(?:#(?!N/A|DIV/|VALUE!|REF!|NAME\?|NUM!|NULL!)|%|//)")
_LARGEST_FILE = 1 << 30
# The first bytes of files that are often given the name of a CSV file, and how to make one.
_OTHER_FILES = {
    b"PK\x03\x04": ("an Excel or a zip file", "open it and save it as CSV (UTF-8), or unpack it"),
    b"\xd0\xcf\x11\xe0": ("an Excel file", "open it in Excel and save it as CSV (UTF-8)"),
    b"PAR1": ("a Parquet file", "pandas.read_parquet(file).to_csv('data.csv', index=False)"),
    b"\x89HDF": ("an HDF5 file", "read it with h5py and write it with numpy.savez"),
    b"MATLAB": ("a MATLAB file", "read it with scipy.io.loadmat and write it with numpy.savez"),
    b"\x1f\x8b": ("packed with gzip", "unpack it first: gunzip FILE"),
    b"\x93NUMPY": ("a file of numpy", "give it the ending .npy"),
    b"\x80\x04": ("a pickle", "pickles are never read; write it with to_csv(..., index=False)"),
}


# The number of a line, and its cells.
Row = tuple[int, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells without what surrounds them.

    Attributes:
        name: the file's.
        header: names of the columns; None where the file has none.
        lines: of each row in the file; its last one, where a cell spans several.
        separator: what parts the cells.
        notes: what was passed over on the way.
    """

    name: str
    header: tuple[str, ...] | None
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    separator: str
    notes: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Cells in a row."""
        return len(self.header or self.rows[0])

    def title(self, column: int) -> str:
        """Name of a column in messages: its number from 1, and its name if it has one."""
        name = self.header[column] if self.header else ""
        return f"column {column + 1} '{visible(name[:40])}'" if name else f"column {column + 1}"

    def called(self, column: int) -> str:
        """Name of a column in a spec: its name, or else its number."""
        name = self.header[column] if self.header else ""
        is_alone = self.header is not None and self.header.count(name) == 1
        return visible(name) if name and is_alone else f"column {column + 1}"

    def column(self, column: int) -> list[str]:
        """Its cells, top to bottom."""
        return [row[column] for row in self.rows]


def read_table(path: Path, *, has_header: bool | None, named: Sequence[str] = ()) -> Table:
    """The table in a file.

    Args:
        path: UTF-8 or, with a byte order mark, UTF-16; cells parted by tabs, semicolons, bars,
            commas or spaces. A first line `sep=;` names another separator. Lines that start with
            #, % or // are comments.
        has_header: whether the first line holds names; None: what it looks like.
        named: names that the spec expects in a header.

    Raises:
        DataError: missing, ragged, truncated, no text, or another kind of file.
    """
    text = _decoded(path)
    separator, lines = _lines(text)
    rows = _with_row_names(_without_last_separator(_rows(path.name, lines, separator)))
    looks_so = bool(rows) and _is_header([row for _, row in rows], named)
    table = _table(
        path.name, rows, separator, has_header=looks_so if has_header is None else has_header
    )
    notes = _notes(table, lines.comments, was_asked=has_header is not None)
    return replace(table, notes=tuple(notes))


def _decoded(path: Path) -> str:
    raw = read_bytes(path, limit=_LARGEST_FILE)
    for start, (what, help_text) in _OTHER_FILES.items():
        if raw.startswith(start):
            raise DataError(f"'{path.name}' is {what}, not text", where=path.name, help=help_text)
    is_wide = raw[:2] in (b"\xff\xfe", b"\xfe\xff") and len(raw) % 2 == 0
    try:
        return raw.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DataError(
            f"'{path.name}' is not text in UTF-8",
            where=f"{path.name}, line {line}",
            found=f"byte 0x{raw[error.start]:02x}",
            help="save it as UTF-8 (in Excel: CSV UTF-8)",
        ) from None


@dataclass(frozen=True, slots=True)
class _Lines:
    """A text with empty lines in the place of those that hold no cells, so that numbers stay."""

    text: str
    comments: int


def _lines(text: str) -> tuple[str, _Lines]:
    lines = io.StringIO(text, newline=None).getvalue().split("\n")
    separator = _EXCEL_LINE.fullmatch(lines[0])
    if separator is not None:
        lines[0] = ""
    is_comment = _comments(lines)
    kept = ["" if hidden else line for line, hidden in zip(lines, is_comment, strict=True)]
    chosen = separator[1] if separator is not None else _separator(kept)
    return chosen, _Lines("\n".join(kept), sum(is_comment))


def _comments(lines: Sequence[str]) -> list[bool]:
    """Mark the lines that are comments; lines of a cell that spans several lines are none."""
    found, is_open = [], False
    for line in lines:
        found.append(not is_open and _COMMENT.match(line) is not None)
        if not found[-1] and line.count('"') % 2:
            is_open = not is_open
    return found


def _separator(lines: Sequence[str]) -> str:
    """The one that parts the first lines into rows of equal length."""
    some = [line for line in lines if line.strip()][:_LINES_LOOKED_AT]
    for separator in _SEPARATORS:
        widths = {len(row) for row in _parsed("\n".join(some), separator)}
        if len(widths) == 1 and widths != {1}:
            return separator
    # A ragged file is refused line by line; what is most frequent parts it.
    most = max(_SEPARATORS, key=lambda separator: sum(line.count(separator) for line in some))
    if any(most in line for line in some):
        return most
    widths = {len(line.split()) for line in some}
    return " " if len(widths) == 1 and widths != {1} else ","


def _parsed(text: str, separator: str) -> Iterator[list[str]]:
    if separator == " ":
        return iter([line.split() for line in text.split("\n")])
    return csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True)


def _rows(name: str, lines: _Lines, separator: str) -> list[Row]:
    """Rows that hold something, each with the number of its line."""
    reader, rows = _parsed(lines.text, separator), []
    try:
        for number, row in enumerate(reader, 1):
            if any(cell.strip() for cell in row):
                at = getattr(reader, "line_num", number)
                rows.append((at, tuple(cell.strip() for cell in row)))
    except csv.Error as error:
        raise DataError(
            f"'{name}' is not a CSV file",
            where=f"{name}, line {getattr(reader, 'line_num', 0)}",
            found=str(error),
        ) from None
    return rows


def _without_last_separator(rows: list[Row]) -> list[Row]:
    """The rows without an empty last column, as separators at the ends of lines make one."""
    below = [row for _, row in rows[1:]]
    if not below or any(row[-1] or len(row) != len(below[0]) for row in below):
        return rows
    width, first = len(below[0]) - 1, rows[0][1]
    if width and (len(first) == width or (len(first) == width + 1 and not first[-1])):
        return [(at, row[:width]) for at, row in rows]
    return rows


def _with_row_names(rows: list[Row]) -> list[Row]:
    """The rows with an empty name above a first column that R wrote without one."""
    names = rows[0][1] if rows else ()
    is_short = len(rows) > 1 and all(len(row) == len(names) + 1 for _, row in rows[1:])
    if is_short and not any(is_number(cell) for cell in names):
        return [(rows[0][0], ("", *names)), *rows[1:]]
    return rows


def _table(name: str, rows: Sequence[Row], separator: str, *, has_header: bool) -> Table:
    start = 1 if has_header and rows else 0
    header = rows[0][1] if start else None
    cells, lines = tuple(row for _, row in rows[start:]), tuple(at for at, _ in rows[start:])
    table = Table(name, header, cells, lines, separator)
    if not table.rows:
        raise DataError("the data set is empty", where=name, found="no line with values")
    _check_widths(table)
    return table


def _notes(table: Table, comments: int, *, was_asked: bool) -> Iterator[str]:
    if comments:
        lines = "1 comment is" if comments == 1 else f"{comments} comments are"
        yield f"'{table.name}': {lines} passed over, lines that start with #, % or //"
    if not was_asked and any(is_number(name) for name in table.header or ()):
        names = ", ".join((table.header or ())[:3])
        yield (
            f"'{table.name}': the first line ({visible(names[:40])}, ...) is read as names of "
            "columns; data.header = false makes it a sample"
        )


def _check_widths(table: Table) -> None:
    for row, line in zip(table.rows, table.lines, strict=True):
        if len(row) != table.width:
            raise DataError(
                f"line {line} has {len(row)} cells instead of {table.width}",
                where=f"{table.name}, line {line}",
                found=visible(table.separator.join(row)[:60]),
                help=f"cells are parted by {_NAMES.get(table.separator, table.separator)}; the "
                "file may be truncated, or a cell holds the separator without quotes",
            )


def _is_header(rows: Sequence[tuple[str, ...]], named: Sequence[str]) -> bool:
    """Tell whether the first row holds names.

    It does where it has no numbers; where a name that the spec asks for is in it; where a name
    stands above a last column of numbers; and where its numbers count 0, 1, 2, ... as pandas names
    columns.
    """
    first, width = rows[0], len(rows[0])
    # An index has empty cells above it.
    named_from = next((at for at, cell in enumerate(first) if cell), 0)
    cells = first[named_from:]
    if any(is_missing(cell) for cell in cells) or not cells:
        return False
    if not any(is_number(cell) for cell in cells):
        return True
    below = [row for row in rows[1:] if len(row) == width]
    if not below:
        return False
    if any(name in cells for name in named):
        return True
    if named_from and _number_rows([row[0] for row in below]):
        return True
    if not is_number(first[-1]) and all(is_number(row[-1]) for row in below):
        return True
    return _counts(cells, below)


def _number_rows(cells: Sequence[str]) -> bool:
    return all(is_whole(cell) for cell in cells) and len({*cells}) == len(cells)


def _counts(cells: Sequence[str], below: Sequence[tuple[str, ...]]) -> bool:
    """Tell whether the numbers in a first row go up in steps of one, as names of columns do."""
    numbers = [int(cell) for cell in cells if is_whole(cell)]
    start, count = (numbers or [0])[0], len(numbers)
    if count < 2 or numbers != list(range(start, start + count)):
        return False
    others = [at - len(cells) for at, cell in enumerate(cells) if not is_whole(cell)]
    if others:
        # The name of a class comes again in other samples, that of a column does not.
        again = (row[at] == cells[at] for row in below for at in others)
        return start in (0, 1) and not any(again)
    if any([*row[-len(cells) :]] == [*cells] for row in below):
        return False
    decimals = sum(not all(is_whole(cell) for cell in row) for row in below)
    return (count > 2 and start in (0, 1)) or 2 * decimals > len(below)
