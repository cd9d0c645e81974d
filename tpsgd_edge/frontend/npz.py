"""Arrays in .npz and .npy files, read without pickle and without trust in what headers promise."""

import lzma
import tokenize
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import DataError, visible
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
)
_ENDING = ".npy"


def array_names(path: Path) -> tuple[str, ...]:
    """Names of all arrays in an .npz file.

    Raises:
        DataError: missing, or no .npz at all.
    """
    with _words(path, "numpy.savez(file, x=..., y=...)"), zipfile.ZipFile(path) as archive:
        return tuple(_name(member) for member in _members(archive))


def read_npz(path: Path, names: Collection[str] | None = None) -> dict[str, NDArray[Any]]:
    """Read the arrays of an .npz file, each in its own shape, by name.

    Args:
        names: the arrays to read; what else there is stays unread. All where not given.

    Raises:
        DataError: missing, truncated, too large, no .npz at all, or with pickled objects.
    """
    with _words(path, "numpy.savez(file, x=..., y=...)"), zipfile.ZipFile(path) as archive:
        members = {_name(member): member for member in _members(archive)}
        wanted = {name: m for name, m in members.items() if names is None or name in names}
        # What the directory says is checked against each header before anything is unpacked.
        whole = sum(member.file_size for member in wanted.values())
        if whole > LARGEST_SET:
            raise _too_large(path, f"{len(wanted)} arrays of {whole:,} bytes")
        return {name: _read_member(archive, member, path) for name, member in wanted.items()}


def read_npy(path: Path) -> NDArray[Any]:
    """Read the array of an .npy file, in its own shape.

    Raises:
        DataError: missing, truncated, too large, no .npy at all, or with pickled objects.
    """
    with _words(path, "numpy.save(file, x)"):
        size = path.stat().st_size
        with path.open("rb") as stream:
            _check_header(stream, path.name, size, path)
            stream.seek(0)
            array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return array


@contextmanager
def _words(path: Path, how: str) -> Iterator[None]:
    """Turns whatever a file can do wrong into a `DataError`."""
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise unreadable(path, error) from None
    except MemoryError:
        raise _too_large(path, "more than this computer's memory holds") from None
    except _BROKEN as error:
        raise DataError(
            f"'{path.name}' is not a complete {path.suffix.lower()} file",
            where=path.name,
            found=visible(str(error)[:200]) or type(error).__name__,
            help=f"write it with {how}",
        ) from None


def _too_large(path: Path, found: str) -> DataError:
    return DataError(
        f"'{path.name}' is too large",
        where=path.name,
        found=f"{found}; {LARGEST_SET:,} bytes are allowed",
        help="keep fewer samples, or smaller numbers: float32, or uint8 for images",
    )


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    return [member for member in archive.infolist() if member.filename.endswith(_ENDING)]


def _name(member: zipfile.ZipInfo) -> str:
    return member.filename.removesuffix(_ENDING)


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> NDArray[Any]:
    with archive.open(member) as stream:
        _check_header(stream, _name(member), member.file_size, path)
    with archive.open(member) as stream:
        array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return array


def _check_header(stream: IO[bytes], name: str, file_size: int, path: Path) -> None:
    """Raise unless the header promises plain numbers or text, and as much as there is."""
    shape, _, dtype = _read_header(stream)
    name = visible(name)
    if dtype.hasobject:
        raise DataError(
            f"'{name}' holds pickled objects, which are refused: unpickling runs code",
            where=path.name,
            found=f"array '{name}' of type {dtype}",
            help="convert it to numbers first, for example numpy.asarray(y, numpy.int64), or "
            "names of classes to text: y.astype(str)",
        )
    size = prod(shape) * dtype.itemsize
    if size > LARGEST_SET or prod(shape) > LARGEST_SET:
        raise DataError(f"'{name}' is too large", where=path.name, found=f"shape {shape}")
    if size + stream.tell() != file_size:
        raise ValueError(f"array '{name}' of shape {shape} is cut short")


def _read_header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(stream)
    raise ValueError(f"array format {version} is unknown")
