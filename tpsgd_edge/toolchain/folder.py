"""Writing a project to disk: nothing half-written, nothing of the user's overwritten."""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from tpsgd_edge.errors import OutputError

_MANIFEST = "manifest.json"


def write_project(files: Mapping[str, str], folder: Path) -> None:
    """Write a project; files that hold the same already are left alone.

    A folder may be new, empty, or hold an earlier project of ours. Everything is first written
    beside its place, then moved there, the manifest last.

    Raises:
        OutputError: the folder holds something else, or cannot be written.
    """
    earlier = _earlier_files(folder)
    try:
        changed = [path for path, text in files.items() if not _holds(folder / path, text)]
        _write(folder, {path: files[path] for path in changed})
        for path in earlier - set(files):
            (folder / path).unlink(missing_ok=True)
    except OSError as error:
        raise _not_written(folder, error) from error


def write_binary(content: bytes, path: Path) -> None:
    """Write one file, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.new")
        beside.write_bytes(content)
        os.replace(beside, path)
    except OSError as error:
        raise OutputError(
            f"'{path.name}' cannot be written",
            where=str(path.parent),
            found=error.strerror or str(error),
            help="free some space, or name another place",
        ) from error


def _not_written(folder: Path, error: OSError) -> OutputError:
    return OutputError(
        "the project cannot be written",
        where=str(folder),
        found=error.strerror or str(error),
        help="free some space, or give another folder with --out",
    )


def _earlier_files(folder: Path) -> set[str]:
    """Files of an earlier project in the folder, by its manifest.

    Raises:
        OutputError: the folder holds files of another kind.
    """
    try:
        entries = sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []
    except OSError as error:
        raise OutputError(
            "the output folder cannot be read",
            where=str(folder),
            found=error.strerror or str(error),
            help="give another folder with --out",
        ) from error
    if not entries:
        return set()
    try:
        document = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        if document["tool"]["name"] == "tpsgd-edge":
            return {str(name) for name in document["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    shown = ", ".join(entries[:3]) + (", ..." if len(entries) > 3 else "")
    raise OutputError(
        "the output folder holds files that are not ours",
        where=str(folder),
        found=shown,
        help="give a new or empty folder with --out",
    )


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode("utf-8")
    except OSError:
        return False


def _write(folder: Path, files: Mapping[str, str]) -> None:
    waiting: list[tuple[Path, Path]] = []
    try:
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_name(f".{path.name}.new")
            waiting.append((beside, path))
            beside.write_bytes(text.encode("utf-8"))
        # The manifest says that the project is whole, so it comes last.
        for beside, path in sorted(waiting, key=lambda pair: pair[1].name == _MANIFEST):
            os.replace(beside, path)
    finally:
        for beside, _ in waiting:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
