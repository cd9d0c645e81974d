"""The rendered project: texts by path, and what a build system needs to know of it."""

import hashlib
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

    @property
    def digest(self) -> str:
        """SHA-256 over all paths and texts: "sha256:..."."""
        whole = hashlib.sha256()
        for path, text in sorted(self.files.items()):
            whole.update(f"{path}\0{text}\0".encode())
        return f"sha256:{whole.hexdigest()}"
