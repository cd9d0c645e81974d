"""The files of this package: folders of those that are not Python, and a digest of all of them."""

import hashlib
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def firmware_dir() -> Path:
    """The hand-written C: runtime/, port/ and host/."""
    return _folder("firmware")


def templates_dir() -> Path:
    """The Jinja templates of the generated C."""
    return _folder("codegen_templates")


def _folder(name: str) -> Path:
    # In a wheel they are inside the package, in a checkout beside it.
    installed = _PACKAGE / "_assets" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


@cache
def code_digest() -> bytes:
    """Digest of every file of this package, templates and firmware too.

    It stands for the code in the keys of what is remembered: other code may come to other results.
    Where the package lies in no folder it is another one each time, and nothing is found again.
    """
    digest = hashlib.sha256()
    roots = (_PACKAGE, firmware_dir(), templates_dir())
    if not all(root.is_dir() for root in roots):
        return os.urandom(digest.digest_size)
    for path in (path for root in roots for path in _files_below(str(root))):
        with open(path, "rb") as file:
            content = file.read()
        digest.update(f"{path.removeprefix(str(_PACKAGE.parent))}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.digest()


def _files_below(root: str) -> Iterator[str]:
    for folder, inside, names in os.walk(root):
        inside[:] = sorted(name for name in inside if name != "__pycache__")
        yield from (os.path.join(folder, name) for name in sorted(names))
