"""The golden projects: small specs, rendered as a user's would be, without the tool's version."""

from pathlib import Path

from tpsgd_edge.codegen import CProject, Origin, render
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.spec import load_spec
from tpsgd_edge.stages import Prepared, prepare
from tpsgd_edge.stages.selftest import selftest_of

FOLDER = Path(__file__).parent
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))
_SAMPLES = 4


def prepared(name: str) -> Prepared:
    """The quantized model of a golden spec."""
    return prepare(load_spec(FOLDER / f"{name}.toml"))


def golden_project(name: str) -> CProject:
    """The project, with four samples in its self-test."""
    ready = prepared(name)
    model, dataset = ready.model, ready.dataset
    x = quantize_inputs(model, dataset.x_train[:_SAMPLES])
    labels = quantize_labels(model, dataset.y_train[:_SAMPLES])
    selftest = selftest_of(model, x, labels)
    return render(model, ready.plan, Origin("0", f"{name}.toml", "0" * 64), selftest, {})


def stored_files(name: str) -> dict[str, str]:
    """The files as they are kept, by path."""
    folder = FOLDER / name
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().decode("utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
