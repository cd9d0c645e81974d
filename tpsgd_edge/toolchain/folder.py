"""Writing a project to disk: nothing half-written, nothing lost that is not ours.

A folder is ours by its manifest, which holds the digest of each file. Only files with the digest
that was written are replaced or removed; names that lead elsewhere, and links, end in an error. A
run that is killed leaves what is new in a folder of its own inside, where the next run finds it.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from tpsgd_edge.errors import OutputError
from tpsgd_edge.files import lock, open_folder, sync_folder, write_to_disk

_MANIFEST = "manifest.json"
# What is new waits here until all of it is on the disk.
_STAGE = ".tpsgd-edge.new"
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LARGEST_MANIFEST = 1 << 24
_LARGEST_FILE = 1 << 30

# Of each path, the digests of what we may have written there.
_Ours = dict[str, set[str]]


def write_project(
    files: Mapping[str, str], folder: Path, *, built: Mapping[str, bytes] | None = None
) -> None:
    """Write a project; files that hold the same already are left alone.

    A folder may be new, empty, or hold an earlier project of ours. One process at a time writes:
    another one waits. The manifest comes last.

    Args:
        built: binaries, by path below the folder; the manifest gets their digests.

    Raises:
        OutputError: the folder holds something else, a file of ours was changed by somebody, or it
            cannot be written.
    """
    content = {path: text.encode("utf-8") for path, text in files.items()}
    if built:
        content = {**content, **built, _MANIFEST: _with_built(files[_MANIFEST], built)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone_in(folder):
            _update(folder, content)
    except (OSError, ValueError) as error:
        raise OutputError(
            "the project cannot be written",
            where=str(folder),
            found=getattr(error, "strerror", None) or str(error),
            help="free some space, or give another folder with --out",
        ) from error


def write_scratch(files: Mapping[str, str], folder: Path) -> None:
    """Write a project into a new folder that nobody else knows and that need not last."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8"))


def _with_built(manifest: str, built: Mapping[str, bytes]) -> bytes:
    document = json.loads(manifest)
    document["built"] = {path: _sha256(built[path]) for path in sorted(built)}
    return (json.dumps(document, indent=2) + "\n").encode("utf-8")


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    with open_folder(folder.resolve()) as descriptor:
        lock(descriptor, wait=True)
        yield


def _update(folder: Path, content: Mapping[str, bytes]) -> None:
    ours = _ours(folder, content)
    changed = [path for path in content if not _holds(folder, path, content[path])]
    obsolete = [path for path in sorted(set(ours) - set(content)) if _is_there(folder, path)]
    for path in [*changed, *obsolete]:
        if path != _MANIFEST:
            _check_replaceable(folder, path, ours)
    if not changed and not obsolete:
        _remove_stage(folder)
        return
    _stage(folder, {path: content[path] for path in changed})
    _move(folder, changed, obsolete)


# ------------------------------------------------------------------ what is there


def _ours(folder: Path, content: Mapping[str, bytes]) -> _Ours:
    """The files that we wrote, or were about to write when a run was killed.

    Raises:
        OutputError: the folder holds files of another kind, or a manifest names what is elsewhere.
    """
    entries = sorted(entry.name for entry in folder.iterdir() if entry.name != _STAGE)
    staged = _read_manifest(folder, f"{_STAGE}/{_MANIFEST}") or {}
    ours = _read_manifest(folder, _MANIFEST)
    if ours is None:
        ours = {}
        is_interrupted = bool(staged) and not _is_there(folder, _MANIFEST)
        if not is_interrupted and (found := _foreign(folder, entries, content)):
            raise OutputError(
                "the output folder holds files that are not ours",
                where=str(folder),
                found=", ".join(found[:3]) + (", ..." if len(found) > 3 else ""),
                help="give a new or empty folder with --out; a folder of ours has a manifest.json",
            )
    return {path: ours.get(path, set()) | staged.get(path, set()) for path in {*ours, *staged}}


def _foreign(folder: Path, entries: list[str], content: Mapping[str, bytes]) -> list[str]:
    """List the files of a folder without a manifest that would not be written just so."""
    try:
        below = list(_files_below(folder, entries))
    except OSError:
        return entries
    return [path for path in below if not _holds(folder, path, content.get(path, b"\0"))]


def _files_below(folder: Path, entries: list[str]) -> Iterator[str]:
    """Paths of whatever is no folder; links are not followed."""
    for name in entries:
        if _is_folder(folder / name):
            below = sorted(entry.name for entry in (folder / name).iterdir())
            yield from _files_below(folder, [f"{name}/{entry}" for entry in below])
        else:
            yield name


def _read_manifest(folder: Path, path: str) -> _Ours | None:
    """The digests in a manifest of ours; None where there is none, or one of another kind."""
    if not _is_plain(folder, path, _LARGEST_MANIFEST):
        return None
    try:
        document = json.loads((folder / path).read_text(encoding="utf-8"))
        if document["tool"]["name"] != "tpsgd-edge":
            return None
        digests = {**document["files"], **document.get("built", {})}
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    for name, digest in digests.items():
        is_digest = isinstance(digest, str) and _DIGEST.fullmatch(digest)
        if not _is_plain_name(name) or not is_digest:
            raise OutputError(
                "the manifest in the output folder names what it cannot have written",
                where=str(folder / path),
                found=f"{str(name)[:80]!r} with the digest {str(digest)[:70]!r}",
                help="nothing was written; give a new or empty folder with --out",
            )
    return {name: {digest} for name, digest in digests.items()}


def _is_plain_name(name: str) -> bool:
    """Tell whether a path leads to a file below its folder, on every system."""
    return 0 < len(name) <= 1000 and all(_PART.fullmatch(part) for part in name.split("/"))


def _is_there(folder: Path, path: str) -> bool:
    return os.path.lexists(folder / path)


def _is_plain(folder: Path, path: str, largest: int = _LARGEST_FILE) -> bool:
    """Tell whether a plain file is there, with no link on the way to it."""
    try:
        for parent in PurePosixPath(path).parents[:-1]:
            if not _is_folder(folder / parent):
                return False
        found = (folder / path).lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size <= largest


def _holds(folder: Path, path: str, content: bytes) -> bool:
    is_as_long = _is_plain(folder, path) and (folder / path).stat().st_size == len(content)
    return is_as_long and (folder / path).read_bytes() == content


def _check_replaceable(folder: Path, path: str, ours: _Ours) -> None:
    """Refuse to write or remove what is not the file that was written there."""
    if blocked := _in_the_way(folder, path):
        found = f"'{blocked}' is a link, or something else in the way of '{path}'"
    elif not _is_there(folder, path) or _digest(folder, path) in ours.get(path, ()):
        return
    else:
        found = f"'{path}' is {'not as it was written' if path in ours else 'not ours'}"
    raise OutputError(
        "a file in the output folder is not the one that was written there",
        where=str(folder),
        found=found,
        help="nothing was written; keep your changes elsewhere and remove this file, "
        "or give another folder with --out",
    )


def _in_the_way(folder: Path, path: str) -> str | None:
    """The first part of a path that is no folder, or in the end no plain file; None if none is."""
    for parent in reversed(PurePosixPath(path).parents[:-1]):
        if _is_there(folder, str(parent)) and not _is_folder(folder / parent):
            return str(parent)
    return path if _is_there(folder, path) and not _is_plain(folder, path) else None


def _is_folder(path: Path) -> bool:
    return stat.S_ISDIR(path.lstat().st_mode)


def _digest(folder: Path, path: str) -> str:
    return _sha256((folder / path).read_bytes())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# ------------------------------------------------------------------ what changes


def _stage(folder: Path, content: Mapping[str, bytes]) -> None:
    """Write what is new beside its place, the manifest last."""
    _remove_stage(folder)
    stage = folder / _STAGE
    stage.mkdir()
    for path in sorted(content, key=_manifest_last):
        (stage / path).parent.mkdir(parents=True, exist_ok=True)
        write_to_disk(content[path], stage / path)
    sync_folder(stage)


def _move(folder: Path, changed: Iterable[str], obsolete: Iterable[str]) -> None:
    """Put it into its place, the manifest when all else is as it says."""
    for path in obsolete:
        (folder / path).unlink(missing_ok=True)
    for path in sorted(changed, key=_manifest_last):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        os.replace(folder / _STAGE / path, folder / path)
    for place in {(folder / path).parent for path in changed}:
        sync_folder(place)
    _remove_stage(folder)


def _manifest_last(path: str) -> tuple[bool, str]:
    return path == _MANIFEST, path


def _remove_stage(folder: Path) -> None:
    stage = folder / _STAGE
    if _is_there(folder, _STAGE):
        if not _is_folder(stage):
            raise NotADirectoryError(f"'{_STAGE}' is a link, or something else in the way")
        shutil.rmtree(stage)
