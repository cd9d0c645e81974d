"""FlatBuffers, read without trust: each place is looked at before it is read.

A table knows where its fields lie by a list of 16-bit offsets, its vtable, in front of which a
signed distance stands at the table's begin. Everything else is found by unsigned distances forward.
Nothing is copied before its length is compared with the bytes that are there.
"""

import struct
from dataclasses import dataclass

import numpy as np

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.errors import DataError


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a file; every method raises a `DataError` where it points out of the bytes."""

    raw: bytes
    at: int
    file: str

    def number(self, field: int, kind: str, default: int = 0) -> int:
        """A whole number, by its letter in `struct`."""
        place = self._place(field)
        return default if place is None else int(self._read(kind, place))

    def real(self, field: int, default: float) -> float:
        """A binary32 number."""
        place = self._place(field)
        return default if place is None else float(self._read("f", place))

    def table(self, field: int) -> "Table | None":
        """Another table, or None where there is none."""
        place = self._place(field)
        return None if place is None else Table(self.raw, self._followed(place), self.file)

    def tables(self, field: int, what: str, most: int) -> tuple["Table", ...]:
        """A list of tables, of which at most `most` are allowed."""
        start, count = self._vector(field, 4)
        self._check_count(what, count, most)
        places = (start + 4 * i for i in range(count))
        return tuple(Table(self.raw, self._followed(place), self.file) for place in places)

    def numbers(self, field: int, kind: str, what: str, most: int) -> Array | None:
        """A list (n,) of numbers of a numpy type, n <= `most`; None where there is none."""
        if self._place(field) is None:
            return None
        start, count = self._vector(field, np.dtype(kind).itemsize)
        self._check_count(what, count, most)
        return np.frombuffer(self.raw, kind, count, start)

    def content(self, field: int) -> memoryview:
        """Bytes, of any number that the file has."""
        start, count = self._vector(field, 1)
        return memoryview(self.raw)[start : start + count]

    def text(self, field: int, most: int = 1 << 12) -> str:
        """Text, of which no more than `most` bytes are read."""
        return bytes(self.content(field)[:most]).decode("utf-8", "replace")

    def _place(self, field: int) -> int | None:
        """The place of a field; None where it is left out."""
        vtable = self.at - int(self._read("i", self.at))
        entry = 4 + 2 * field
        if entry + 2 > int(self._read("H", vtable)):
            return None
        distance = int(self._read("H", vtable + entry))
        return self.at + distance if distance else None

    def _vector(self, field: int, size: int) -> tuple[int, int]:
        """The begin of a list, and the count of its entries."""
        place = self._place(field)
        if place is None:
            return 0, 0
        start = self._followed(place)
        count = int(self._read("I", start))
        if start + 4 + count * size > len(self.raw):
            raise self._broken(f"a list of {count:,} entries at byte {start:,}")
        return start + 4, count

    def _followed(self, place: int) -> int:
        return place + int(self._read("I", place))

    def _read(self, kind: str, place: int) -> float:
        reads = struct.Struct(f"<{kind}")
        if place < 0 or place + reads.size > len(self.raw):
            raise self._broken(f"something at byte {place:,}")
        (value,) = reads.unpack_from(self.raw, place)
        return value  # type: ignore[no-any-return]

    def _check_count(self, what: str, count: int, most: int) -> None:
        if count > most:
            raise DataError(
                f"'{self.file}' has too many {what}",
                where=self.file,
                found=f"{count:,}; {most:,} are allowed",
            )

    def _broken(self, what: str) -> DataError:
        return DataError(
            f"'{self.file}' is not a complete TensorFlow Lite file",
            where=self.file,
            found=f"{what} of {len(self.raw):,} bytes",
            help="write it again, or fetch it again",
        )


def root(raw: bytes, file: str) -> Table:
    """The table that the first four bytes name.

    Raises:
        DataError: there are none.
    """
    first = Table(raw, 0, file)
    return Table(raw, first._followed(0), file)
