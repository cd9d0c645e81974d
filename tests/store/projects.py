"""Projects that save and load checkpoints, of several kinds of models."""

from dataclasses import replace
from functools import cache
from pathlib import Path

from tests.golden.projects import NAMES, prepared
from tests.random.networks import ORIGIN, network, samples_of
from tpsgd_edge.codegen import Additions, CProject, render
from tpsgd_edge.memory import plan_memory
from tpsgd_edge.quantize.model import QuantizedModel
from tpsgd_edge.stages.selftest import selftest_of

# Golden projects, and one whose state ends with single bytes, so that compilers add padding.
STORED = (*NAMES, "bytes")


@cache
def stored_model(name: str) -> QuantizedModel:
    """The model of a project."""
    if name in NAMES:
        return prepared(name).model
    kinds = {"value_type": "s8", "label_kind": "class", "weight_types": ["s8", "s8"]}
    return replace(network(1, n_in=9, hidden=[7], **kinds), name=name)


@cache
def stored_project(name: str) -> CProject:
    """The project of a model, with a store."""
    model = stored_model(name)
    x, labels = samples_of(model, 1)
    selftest = selftest_of(model, x[:4], labels[:4])
    return render(model, plan_memory(model), ORIGIN, selftest, {}, Additions(has_store=True))


def write_sources(name: str, folder: Path) -> list[str]:
    """Write sources and headers into a folder, and return the sources."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in stored_project(name).files.items():
        if path.endswith((".c", ".h")) and "/" not in path:
            (folder / path).write_text(text)
    return list(stored_project(name).sources)
