"""The verb `package`: a model in the form that an ecosystem's own tool takes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tpsgd_edge.codegen.packages import TARGETS, Maker
from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.data import DataNotes
from tpsgd_edge.spec import Spec
from tpsgd_edge.stages.packaging import package_of
from tpsgd_edge.toolchain.folder import write_project


@dataclass(frozen=True, slots=True)
class PackageResult:
    """A package that was written.

    Attributes:
        title: of the ecosystem's packages.
        archive: None where the ecosystem takes the folder.
        next: the command, or the place, that takes it.
    """

    name: str
    target: str
    title: str
    version: str
    folder: Path
    files: tuple[str, ...]
    archive: Path | None
    next: str
    data: DataNotes

    def to_json(self) -> dict[str, Any]:
        """The document of `--json`."""
        return {
            "name": self.name,
            "for": self.target,
            "version": self.version,
            "folder": str(self.folder),
            "archive": None if self.archive is None else str(self.archive),
            "files": list(self.files),
            "next": self.next,
            "notes": list(self.data.notes),
        }


def package(
    spec: Spec, target: str, *, out: Path | None = None, maker: Maker | None = None
) -> PackageResult:
    """Write the package of a spec's model for an ecosystem.

    Args:
        target: a name of `TARGETS`.
        out: the folder; build/NAME-TARGET where not given.

    Raises:
        TpsgdError: the spec or data are at fault, or the folder holds something else.
    """
    if target not in TARGETS:
        raise SpecError(
            f"there are no packages for {target!r:.40}",
            where="--for",
            help=f"known: {', '.join(TARGETS)}",
        )
    record = TARGETS[target]
    made = package_of(spec, record, maker or Maker())
    folder = out or Path("build") / f"{spec.name}-{target}"
    write_project(made.files, folder, built=made.archive)
    archive = next((folder / path for path in made.archive), None)
    return PackageResult(
        name=spec.name,
        target=target,
        title=record.title,
        version=made.view.version,
        folder=folder,
        files=tuple(made.files),
        archive=archive,
        next=record.next.format(p=made.view, folder=folder, parent=folder.parent, archive=archive),
        data=made.data,
    )
