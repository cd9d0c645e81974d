"""Front doors that load a room when somebody asks for what is in it."""

from collections.abc import Callable, Mapping
from importlib import import_module


def on_first_use(package: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """The `__getattr__` of a package whose names come from modules of its own, loaded when needed.

    Args:
        homes: module below the package, by name.
    """

    def load(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module '{package}' has no attribute {name!r}")
        return getattr(import_module(f"{package}.{homes[name]}"), name)

    return load
