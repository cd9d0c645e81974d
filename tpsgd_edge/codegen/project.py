"""The rendered project: a mapping from path to text, and what a build system needs to know of it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CProject:
    """A C project in memory.

    Attributes:
        files: text by path, relative to the project's folder.
        sources: the C files of the model itself, without the port.
    """

    name: str
    files: Mapping[str, str]
    sources: tuple[str, ...]
