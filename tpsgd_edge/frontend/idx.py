"""Arrays in IDX files, the format of MNIST, plain or in gzip."""

import gzip
import hashlib
import struct
import zlib
from io import BufferedReader
from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.cache import fetch_view, keep, key_of
from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.samples import LARGEST_SET, unreadable

# Third byte of the magic number -> element type, big-endian.
_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: Path) -> NDArray[Any]:
    """Read the array of an IDX file, in the shape that its header says and native byte order.

    Raises:
        DataError: missing, truncated, longer than its header says, or no IDX at all.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            return _read_packed(file, path) if packed else _read_stream(file, path)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(
            f"'{path.name}' is not a complete gzip file", where=path.name, found=str(error)
        ) from None
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None


def _read_packed(file: BufferedReader, path: Path) -> NDArray[Any]:
    """Read a gzip file; the user's cache remembers what it holds, which is quicker to read."""
    key = key_of(("gzip", hashlib.file_digest(file, "sha256").digest()))
    kept = fetch_view(key)
    if kept is not None:
        return _read_stream(_Kept(kept), path)
    file.seek(0)
    noted = _Noted(gzip.GzipFile(fileobj=file))
    values = _read_stream(noted, path)
    keep(key, *noted.parts)
    return values


class _Stream(Protocol):
    """Bytes from the first to the last."""

    def read(self, size: int, /) -> bytes | memoryview:
        """Read the next `size` bytes, fewer at the end."""


class _Kept:
    """A stream of bytes that are there already, and are not copied."""

    def __init__(self, content: memoryview) -> None:
        self.rest = content

    def read(self, size: int, /) -> memoryview:
        """Take the next `size` bytes, fewer at the end."""
        part, self.rest = self.rest[:size], self.rest[size:]
        return part


class _Noted:
    """A stream that notes what was read of it."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self.stream, self.parts = stream, list[bytes]()

    def read(self, size: int, /) -> bytes:
        """Read the next `size` bytes, fewer at the end."""
        self.parts.append(self.stream.read(size))
        return self.parts[-1]


def _read_stream(stream: _Stream, path: Path) -> NDArray[Any]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES or magic[3] == 0:
        raise DataError(
            f"'{path.name}' is not an IDX file",
            where=path.name,
            found=f"it starts with {magic.hex(' ') or 'nothing'}",
            help="an IDX file starts with 00 00, a type and the number of dimensions",
        )
    header = stream.read(4 * magic[3])
    if len(header) < 4 * magic[3]:
        raise _wrong_length(path, f"{4 + len(header)} bytes, within the header")
    shape = struct.unpack(f">{magic[3]}I", header)
    dtype = np.dtype(_TYPES[magic[2]])
    size = prod(shape) * dtype.itemsize
    if size > LARGEST_SET or len(shape) > 8:
        raise DataError(f"'{path.name}' is too large", where=path.name, found=f"shape {shape}")
    raw = stream.read(size + 1)
    if len(raw) != size:
        have = "more" if len(raw) > size else f"{len(raw):,}"
        raise _wrong_length(path, f"{have} bytes of values; the header says {size:,} {shape}")
    return np.frombuffer(raw, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _wrong_length(path: Path, found: str) -> DataError:
    return DataError(
        f"'{path.name}' is truncated or damaged",
        where=path.name,
        found=found,
        help="get the file again",
    )
