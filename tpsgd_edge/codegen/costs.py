"""NAME_costs.h: what calls take at most, as it was measured on a compiled project."""

import json
from dataclasses import dataclass, replace

from tpsgd_edge.codegen.license import with_license
from tpsgd_edge.codegen.project import CProject
from tpsgd_edge.codegen.rendering import sha256_of, template

_MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Stacks:
    """Bytes of stack that calls of the model take, and that its self-test takes."""

    calls: int
    selftest: int


@dataclass(frozen=True, slots=True)
class CostsView:
    """Figures that the header gives.

    Attributes:
        platform, compiler: in words, of which code it holds.
        training, predicting: stacks of firmware that trains, and that does not.
        step: instructions of a training step; None where no bound is known.
    """

    name: str
    platform: str
    compiler: str
    training: Stacks
    predicting: Stacks
    step: int | None

    @property
    def upper(self) -> str:
        """The name as macros have it."""
        return self.name.upper()


def with_costs(project: CProject, view: CostsView) -> CProject:
    """The project with its costs, in the manifest too."""
    path = f"{view.name}_costs.h"
    text = with_license(path, template("model_costs.h.j2").render(c=view))
    document = json.loads(project.files[_MANIFEST])
    document["files"] = dict(sorted({**document["files"], path: sha256_of(text)}.items()))
    manifest = json.dumps(document, indent=2) + "\n"
    files = {**project.files, path: text, _MANIFEST: manifest}
    return replace(project, files=dict(sorted(files.items())))
