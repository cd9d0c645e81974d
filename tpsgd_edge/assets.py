"""Folders of the files that are not Python: templates and firmware."""

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
