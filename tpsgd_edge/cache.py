"""A folder of the user for what takes long to make and can be made again.

An entry is a file whose name holds the key of what went into it and the digest of its content: it
appears at once and whole, and what was damaged or half written later counts as missing.
"""

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

# Some thousands of compiled nets; what was not used for longest goes first.
LARGEST = 256 << 20
_VARIABLE = "TPSGD_EDGE_CACHE"


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
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()[:40]


def fetch(key: str) -> bytes | None:
    """Return the bytes kept under a key, or None if no undamaged entry exists."""
    folder = cache_folder()
    if folder is None:
        return None
    for path in folder.glob(f"{key}-*"):
        with suppress(OSError):
            content = path.read_bytes()
            if path.name == _name(key, content):
                os.utime(path)
                return content
            path.unlink()
    return None


def keep(key: str, content: bytes) -> None:
    """Keep what was made for a key. A cache that cannot be written is no error."""
    folder = cache_folder()
    if folder is None or len(content) > LARGEST // 8:
        return
    with suppress(OSError):
        handle, scratch = tempfile.mkstemp(dir=folder, prefix="new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.replace(scratch, folder / _name(key, content))
        except BaseException:
            Path(scratch).unlink(missing_ok=True)
            raise
        _make_room(folder)


def _name(key: str, content: bytes) -> str:
    return f"{key}-{hashlib.sha256(content).hexdigest()[:40]}"


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
