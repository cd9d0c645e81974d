"""A folder of the user for what takes long to make and can be made again.

An entry is a file named by the key of what went into it, which begins with the digest of the rest:
it appears at once and whole, and what was damaged or half written later counts as missing.
"""

import hashlib
import mmap
import os
import platform as computer
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

# Some thousands of compiled nets; what was not used for longest goes first.
LARGEST = 256 << 20
_VARIABLE = "TPSGD_EDGE_CACHE"
_DIGEST = hashlib.sha256().digest_size


def cache_folder() -> Path | None:
    """The folder: $TPSGD_EDGE_CACHE, else below the user's cache folder.

    None where the variable is empty, where the folder cannot be made, and where another user could
    write to it: what lies there is run.
    """
    named = os.environ.get(_VARIABLE)
    if named == "":
        return None
    root = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(named or os.path.join(root, "tpsgd-edge"))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder if folder.is_absolute() and _is_private(folder) else None
    except OSError:
        return None


def key_of(parts: Iterable[str | bytes]) -> str:
    """A name for what follows from these parts, whatever their lengths."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return digest.hexdigest()[:40]


def fetch(key: str) -> bytes | None:
    """Return the bytes kept under a key, or None if no undamaged entry exists."""
    kept = fetch_view(key)
    return None if kept is None else bytes(kept)


def fetch_view(key: str) -> memoryview | None:
    """Return the same without a copy in memory, which for a large entry takes most of the time.

    Entries are replaced and removed whole, so what was looked at stays as it was.
    """
    folder = cache_folder()
    if folder is None:
        return None
    path = folder / key
    with suppress(OSError, ValueError):  # the latter where the file is empty
        with path.open("rb") as file:
            whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        if whole[:_DIGEST] == hashlib.sha256(whole[_DIGEST:]).digest():
            os.utime(path)
            return whole[_DIGEST:]
        del whole
        path.unlink()
    return None


def keep(key: str, *parts: bytes) -> None:
    """Keep what was made for a key, in parts that belong together.

    A cache that cannot be written is no error; what is too large is not kept.
    """
    folder = cache_folder()
    if folder is None or sum(map(len, parts)) > LARGEST // 4:
        return
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    with suppress(OSError):
        handle, scratch = tempfile.mkstemp(dir=folder, prefix="new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.writelines((digest.digest(), *parts))
            os.replace(scratch, folder / key)
        except BaseException:
            Path(scratch).unlink(missing_ok=True)
            raise
        _make_room(folder)


@cache
def processor() -> tuple[str, ...]:
    """Facts about this computer's processor; computers may share a home folder."""
    told = Path("/proc/cpuinfo")
    if not told.is_file():
        return tuple(computer.uname())
    names = ("model name", "flags", "Features", "CPU part", "isa")
    lines = told.read_text(encoding="utf-8", errors="replace").splitlines()
    return tuple(sorted({line for line in lines if line.startswith(names)}))


def _is_private(folder: Path) -> bool:
    if not hasattr(os, "getuid"):
        return True
    found = folder.stat()
    return found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _make_room(folder: Path) -> None:
    """Remove the entries that were not used for longest until the rest is small enough."""
    entries = []
    for path in folder.iterdir():
        # Another process may be removing the same ones.
        with suppress(OSError):
            found = path.stat()
            entries.append((found.st_mtime_ns, found.st_size, path))
    size = sum(entry[1] for entry in entries)
    for _, n_bytes, path in sorted(entries):
        if size <= LARGEST:
            break
        path.unlink(missing_ok=True)
        size -= n_bytes
