"""FlatBuffers as they are written: tables and lists, each behind what names it."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tpsgd_edge.arithmetic.types import Array

_ALIGNMENT = 16


@dataclass(frozen=True, slots=True)
class Fields:
    """A table to be written: by the field's number a letter of `struct` with a number, or a part.

    Parts are tables, lists of tables, arrays, text and bytes.
    """

    numbers: Mapping[int, tuple[str, Any]]
    parts: Mapping[int, Any]


def serialized(root: Fields, mark: bytes) -> bytes:
    """The bytes of a file whose root is a table."""
    raw = bytearray(4) + mark
    struct.pack_into("<I", raw, 0, _table(raw, root))
    return bytes(raw)


def _written(raw: bytearray, part: Any) -> int:
    """Append a part; return where it begins."""
    if isinstance(part, Fields):
        return _table(raw, part)
    if isinstance(part, str):
        return _list(raw, part.encode() + b"\0", len(part.encode()), 4)
    if isinstance(part, bytes):
        return _list(raw, part, len(part), _ALIGNMENT)
    if isinstance(part, np.ndarray):
        return _array(raw, part)
    return _tables(raw, part)


def _table(raw: bytearray, table: Fields) -> int:
    """Append a table, its vtable in front of it and its parts behind it."""
    held = dict.fromkeys(table.parts, 4)
    held |= {field: struct.calcsize(kind) for field, (kind, _) in table.numbers.items()}
    count = max(held, default=-1) + 1
    offsets, size = [0] * count, 4
    for field in sorted(held, key=lambda field: -held[field]):
        offsets[field], size = size, size + held[field]
    _align(raw, 4, behind=4 + 2 * count)
    vtable = len(raw)
    raw += struct.pack(f"<{2 + count}H", 4 + 2 * count, size, *offsets)
    at = len(raw)
    raw += struct.pack("<i", at - vtable) + bytes(size - 4)
    for field, (kind, value) in table.numbers.items():
        struct.pack_into(f"<{kind}", raw, at + offsets[field], value)
    for field, part in table.parts.items():
        place = at + offsets[field]
        struct.pack_into("<I", raw, place, _written(raw, part) - place)
    return at


def _tables(raw: bytearray, tables: Sequence[Fields]) -> int:
    _align(raw, 4)
    at = len(raw)
    raw += struct.pack("<I", len(tables)) + bytes(4 * len(tables))
    for number, table in enumerate(tables):
        place = at + 4 + 4 * number
        struct.pack_into("<I", raw, place, _table(raw, table) - place)
    return at


def _array(raw: bytearray, array: Array) -> int:
    return _list(raw, array.tobytes(), array.size, array.dtype.itemsize)


def _list(raw: bytearray, content: bytes, count: int, alignment: int) -> int:
    _align(raw, max(alignment, 4), behind=4)
    at = len(raw)
    raw += struct.pack("<I", count) + content
    return at


def _align(raw: bytearray, size: int, behind: int = 0) -> None:
    """Append zeros until what comes `behind` more bytes lies at a multiple of `size`."""
    raw += bytes(-(len(raw) + behind) % size)
