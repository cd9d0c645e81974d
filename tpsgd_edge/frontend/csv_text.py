"""A text file of cells as a table: encoding, separator, comments, and whether it has a header."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from tpsgd_edge.errors import DataError, visible
from tpsgd_edge.frontend.csv_numbers import is_missing, is_number, is_whole
from tpsgd_edge.frontend.csv_rows import Rows
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
    rows: Rows
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
    text = _Text(_decoded(path))
    separator = text.separator()
    at, rows = _rows(path.name, text, separator)
    rows = _with_row_names(_without_last_separator(rows))
    looks_so = bool(rows) and _is_header(rows, named)
    is_header = looks_so if has_header is None else has_header
    table = _table(path.name, at, rows, separator, has_header=is_header)
    notes = _notes(table, text.comments, was_asked=has_header is not None)
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


class _Text:
    """A text that is gone through line by line, as its lines would take its memory once more.

    Attributes:
        comments: lines that were passed over, once all lines were gone through.
    """

    def __init__(self, text: str) -> None:
        """Take a text, and make all its line ends alike."""
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        self._text = text
        self.comments = 0

    def separator(self) -> str:
        """The separator of cells: named in the first line, or what parts the first lines alike."""
        named = self._named()
        if named is not None:
            return named
        filled = (line for line in self.lines() if line.strip())
        return _separator(list(islice(filled, _LINES_LOOKED_AT)))

    def lines(self) -> Iterator[str]:
        """The lines, empty ones in the place of those that hold no cells, so that numbers stay.

        Lines of a cell that spans several lines are no comments.
        """
        self.comments, is_open, is_named = 0, False, self._named() is not None
        for line in self._split():
            if is_named:
                line, is_named = "", False
            is_comment = not is_open and _COMMENT.match(line) is not None
            self.comments += is_comment
            if not is_comment and line.count('"') % 2:
                is_open = not is_open
            yield "" if is_comment else line

    def _named(self) -> str | None:
        found = _EXCEL_LINE.fullmatch(next(self._split(), ""))
        return found[1] if found else None

    def _split(self) -> Iterator[str]:
        start = 0
        while (end := self._text.find("\n", start)) >= 0:
            yield self._text[start:end]
            start = end + 1
        if start < len(self._text):
            yield self._text[start:]


def _separator(some: Sequence[str]) -> str:
    """The one that parts the first lines, none of them empty, into rows of equal length."""
    for separator in _SEPARATORS:
        widths = {len(row) for row in _parsed(some, separator)}
        if len(widths) == 1 and widths != {1}:
            return separator
    # A ragged file is refused line by line; what is most frequent parts it.
    most = max(_SEPARATORS, key=lambda separator: sum(line.count(separator) for line in some))
    if any(most in line for line in some):
        return most
    widths = {len(line.split()) for line in some}
    return " " if len(widths) == 1 and widths != {1} else ","


def _parsed(lines: Iterable[str], separator: str) -> Iterator[list[str]]:
    if separator == " ":
        return (line.split() for line in lines)
    ended = (f"{line}\n" for line in lines)
    return csv.reader(ended, delimiter=separator, skipinitialspace=True)


def _rows(name: str, text: _Text, separator: str) -> tuple[list[int], Rows]:
    """Rows that hold something, and the numbers of their lines."""
    reader, at = _parsed(text.lines(), separator), list[int]()

    def filled() -> Iterator[list[str]]:
        for number, row in enumerate(reader, 1):
            cells = [cell.strip() for cell in row]
            if any(cells):
                at.append(getattr(reader, "line_num", number))
                yield cells

    try:
        return at, Rows.of(filled())
    except csv.Error as error:
        raise DataError(
            f"'{name}' is not a CSV file",
            where=f"{name}, line {getattr(reader, 'line_num', 0)}",
            found=str(error),
        ) from None


def _without_last_separator(rows: Rows) -> Rows:
    """The rows without an empty last column, as separators at the ends of lines make one."""
    below = rows[1:]
    if not below or any(row[-1] or len(row) != len(below[0]) for row in below):
        return rows
    width, first = len(below[0]) - 1, rows[0]
    if width and (len(first) == width or (len(first) == width + 1 and not first[-1])):
        return Rows.of(row[:width] for row in rows)
    return rows


def _with_row_names(rows: Rows) -> Rows:
    """The rows with an empty name above a first column that R wrote without one."""
    names = rows[0] if rows else ()
    is_short = len(rows) > 1 and all(width == len(names) + 1 for width in rows[1:].widths())
    if is_short and not any(is_number(cell) for cell in names):
        return rows.with_first(("", *names))
    return rows


def _table(name: str, at: Sequence[int], rows: Rows, separator: str, *, has_header: bool) -> Table:
    start = 1 if has_header and rows else 0
    header = rows[0] if start else None
    table = Table(name, header, rows[start:], tuple(at[start:]), separator)
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
    width = table.width
    for index, cells in enumerate(table.rows.widths()):
        if cells != width:
            line = table.lines[index]
            raise DataError(
                f"line {line} has {cells} cells instead of {width}",
                where=f"{table.name}, line {line}",
                found=visible(table.separator.join(table.rows[index])[:60]),
                help=f"cells are parted by {_NAMES.get(table.separator, table.separator)}; the "
                "file may be truncated, or a cell holds the separator without quotes",
            )


def _is_header(rows: Rows, named: Sequence[str]) -> bool:
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
    below = rows[1:].of_width(width)
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


def _counts(cells: Sequence[str], below: Rows) -> bool:
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
