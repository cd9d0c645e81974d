"""Arrays in IDX files, the format of MNIST, plain or in gzip."""

import gzip
import struct
import zlib
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

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
            stream: Any = gzip.GzipFile(fileobj=file) if packed else file
            return _read_stream(stream, path)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(
            f"'{path.name}' is not a complete gzip file", where=path.name, found=str(error)
        ) from None
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None


def _read_stream(stream: IO[bytes], path: Path) -> NDArray[Any]:
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
