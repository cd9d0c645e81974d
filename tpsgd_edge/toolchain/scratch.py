"""Folders that are gone afterwards, even where the run that made one was killed."""

import contextlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tpsgd_edge.files import lock, open_folder

_PREFIX = "tpsgd-edge-scratch-"
_NAME = re.compile(re.escape(_PREFIX) + r"[a-z0-9_]{8}", re.ASCII)
# It stands in each folder that was made here, and the run that uses the folder holds its lock.
_MARK = ".tpsgd-edge-scratch"


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new folder among the temporary files; what runs that were killed left there is removed."""
    _remove_left_behind(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name:
        folder = Path(name)
        # Locked before it has its name, so that nobody takes the folder for one left behind.
        unmarked = folder / f"{_MARK}.new"
        unmarked.touch()
        with open_folder(unmarked) as descriptor:
            lock(descriptor)
            unmarked.rename(folder / _MARK)
            yield folder


def _remove_left_behind(place: Path) -> None:
    with contextlib.suppress(OSError):
        for entry in place.iterdir():
            if _NAME.fullmatch(entry.name):
                _remove_unless_in_use(entry)


def _remove_unless_in_use(folder: Path) -> None:
    with contextlib.suppress(OSError):
        found, mark = folder.lstat(), (folder / _MARK).lstat()
        is_ours = not hasattr(os, "getuid") or found.st_uid == mark.st_uid == os.getuid()
        if is_ours and stat.S_ISDIR(found.st_mode) and stat.S_ISREG(mark.st_mode):
            with open_folder(folder / _MARK) as descriptor:
                if lock(descriptor):
                    shutil.rmtree(folder)
