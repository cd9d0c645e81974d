"""Arrays in an .npz file, read without pickle and without trust in what the headers promise."""

import lzma
import tokenize
import zipfile
import zlib
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.samples import LARGEST_SET, unreadable

_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    tokenize.TokenError,
    ValueError,
    OSError,
    EOFError,
    SyntaxError,
    TypeError,
    KeyError,
    IndexError,
    RuntimeError,  # encrypted members
    NotImplementedError,  # unknown compression
    OverflowError,
    MemoryError,
)


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an .npz file by name.

    Raises:
        DataError: missing, truncated, no .npz at all, or with pickled objects.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                member.filename.removesuffix(".npy"): _read_member(archive, member, path)
                for member in archive.infolist()
                if member.filename.endswith(".npy")
            }
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise unreadable(path, error) from None
    except _BROKEN as error:
        raise DataError(
            f"'{path.name}' is not a complete .npz file",
            where=path.name,
            found=str(error)[:200] or type(error).__name__,
            help="write it with numpy.savez(file, x=..., y=...)",
        ) from None


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> NDArray[Any]:
    name = member.filename.removesuffix(".npy")
    with archive.open(member) as stream:
        shape, _, dtype = _read_header(stream)
        if dtype.hasobject:
            raise DataError(
                f"'{name}' holds pickled objects, which are refused: unpickling runs code",
                where=path.name,
                found=f"array '{name}' of type {dtype}",
                help="convert it to numbers first, for example numpy.asarray(y, numpy.int64)",
            )
        size = prod(shape) * dtype.itemsize
        if size > LARGEST_SET or prod(shape) > LARGEST_SET:
            raise DataError(f"'{name}' is too large", where=path.name, found=f"shape {shape}")
        if size + stream.tell() != member.file_size:
            raise ValueError(f"array '{name}' of shape {shape} is cut short")
    with archive.open(member) as stream:
        array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return array


def _read_header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(stream)
    raise ValueError(f"array format {version} is unknown")
