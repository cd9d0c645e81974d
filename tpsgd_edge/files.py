"""Files that leave the program: whole or not at all, in place of nothing but plain files."""

import contextlib
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tpsgd_edge.errors import OutputError

if sys.platform != "win32":
    import fcntl

# A file on its way has a name that only this program gives.
_WAITING = ".{name}.{random}.tpsgd-edge.new"
_LONGEST_NAME = 180
# The mark of a kind of file stands within so many bytes.
_HEAD = 4096


def write_whole(content: bytes, path: Path, *, what: str) -> None:
    """Write one file: it is there with all of its content, or as it was before.

    What a run that was killed left beside it is removed.

    Args:
        what: how messages call the file, such as "the report".

    Raises:
        OutputError: it cannot be written, or `path` is a link, a folder, a pipe or a device.
    """
    check_plain(path, what)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_left_behind(path)
        beside = path.with_name(_waiting_name(path, secrets.token_hex(4)))
        try:
            write_to_disk(content, beside)
            os.replace(beside, path)
        finally:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
        sync_folder(path.parent)
    except (OSError, ValueError) as error:
        raise OutputError(
            f"{what} cannot be written",
            where=str(path),
            found=getattr(error, "strerror", None) or str(error),
            help="free some space, or name another place",
        ) from error


def check_output(path: Path, what: str, *, inputs: Iterable[Path] = (), mark: bytes = b"") -> None:
    """Refuse a file that must not be written, before anything is computed for it.

    Args:
        what: how messages call the file, such as "the report".
        inputs: files that are read, and must not be replaced.
        mark: stands near the start of each file of this kind that the program writes; a file
            without it is not replaced.

    Raises:
        OutputError: it is one of the inputs, no plain file, or a file of another kind.
    """
    check_plain(path, what)
    if any(_is_same(path, other) for other in inputs):
        raise OutputError(
            f"{what} would overwrite a file that is read",
            where=str(path),
            help="nothing was written; name another place",
        )
    if mark and is_plain(path) and mark not in _start(path, what):
        raise OutputError(
            f"{what} would overwrite a file that is not of its kind",
            where=str(path),
            found="it was not written by tpsgd-edge",
            help="nothing was written; name another place, or move that file",
        )


def check_plain(path: Path, what: str) -> None:
    """Refuse to write in place of anything but a plain file.

    Raises:
        OutputError: a folder, a link, a pipe or a device has this name.
    """
    kind = _kind(path)
    if kind not in (None, "a plain file"):
        raise OutputError(
            f"{what} cannot be written",
            where=str(path),
            found=f"{kind} of this name",
            help="name a plain file, or one that does not exist yet",
        )


def is_plain(path: Path) -> bool:
    """Tell whether a plain file is there, and no link to one."""
    return _kind(path) == "a plain file"


def write_to_disk(content: bytes, path: Path) -> None:
    """Write a new file and wait until a power cut cannot take it; `FileExistsError` if it exists.

    While it is written it is locked, so that others can tell it from one that was left behind.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(path, flags | getattr(os, "O_BINARY", 0), 0o666), "wb") as file:
        lock(file.fileno())
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where the system can do this."""
    with contextlib.suppress(OSError), open_folder(folder) as descriptor:
        os.fsync(descriptor)


@contextlib.contextmanager
def open_folder(folder: Path) -> Iterator[int]:
    """A descriptor of a folder, or of a file, to lock it or to wait for the disk."""
    descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def lock(descriptor: int, *, wait: bool = False) -> bool:
    """Lock a file or folder until it is closed, by whomever; whether that was possible.

    Where the system has no such locks, nothing is locked and the answer is no.
    """
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _waiting_name(path: Path, random: str) -> str:
    return _WAITING.format(name=path.name[:_LONGEST_NAME], random=random)


def _remove_left_behind(path: Path) -> None:
    """Remove what runs that were killed left beside `path`; a run that lives holds a lock."""
    head, tail = _waiting_name(path, "\0").split("\0")
    ours = re.compile(f"{re.escape(head)}[0-9a-f]{{8}}{re.escape(tail)}")
    for other in [entry for entry in path.parent.iterdir() if ours.fullmatch(entry.name)]:
        with contextlib.suppress(OSError):
            if is_plain(other):
                with open_folder(other) as descriptor:
                    if lock(descriptor):
                        other.unlink()


def _kind(path: Path) -> str | None:
    """Name the kind of a path without following links; None if it is absent or not accessible."""
    try:
        mode = path.lstat().st_mode
    except (OSError, ValueError):
        return None
    for test, kind in (
        (stat.S_ISREG, "a plain file"),
        (stat.S_ISLNK, "a link"),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
    ):
        if test(mode):
            return kind
    return "a device"


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except (OSError, ValueError):
        return False


def _start(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD)
    except OSError as error:
        raise OutputError(
            f"{what} cannot be written", where=str(path), found=error.strerror or str(error)
        ) from error
