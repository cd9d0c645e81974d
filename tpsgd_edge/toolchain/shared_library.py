"""Shared libraries of this computer, which are called in-process."""

import ctypes
from collections.abc import Sequence
from pathlib import Path

from tpsgd_edge.errors import ToolError

Function = tuple[str, object, Sequence[object]]


def load_library(path: Path, what: str, prefix: str, functions: Sequence[Function]) -> ctypes.CDLL:
    """Load a library and say what its functions take; those that it lacks are passed by.

    Args:
        what: the library in an error's words.
        prefix: of the functions' names.
        functions: the rest of each name, the type that it returns, and those of its arguments.

    Raises:
        ToolError: the library does not load.
    """
    try:
        library = ctypes.CDLL(str(path.resolve()))
    except OSError as error:
        raise ToolError(f"{what} does not load", where=str(path), found=str(error)) from error
    for name, result, arguments in functions:
        function = getattr(library, prefix + name, None)
        if function is not None:
            function.restype, function.argtypes = result, arguments
    return library
