"""Projects with a wire, of several kinds of models, and devices that are processes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from tests.golden.projects import NAMES, prepared
from tests.random.networks import ORIGIN, samples_of
from tests.support.small_projects import small_model
from tests.unit.test_codegen_builds import compiler
from tools.line_devices import Process, build
from tpsgd_edge.codegen import Additions, CProject, render
from tpsgd_edge.link import Limits, LinkedDevice
from tpsgd_edge.memory import plan_memory
from tpsgd_edge.quantize import QuantizedModel, quantize_inputs, quantize_labels
from tpsgd_edge.stages.selftest import selftest_of

# Golden projects; a state that ends with single bytes; 16 bits; labels at each step of a sequence;
# kept samples; detectors of anomalies.
WIRED = (*NAMES, *"bytes words maps wave wave_gru remembers keeps odd steady".split())
SANITIZE = ("-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
# A busy machine is no fault of a line.
LIMITS = Limits(answer=20.0, slow=60.0, tries=2)


@dataclass(frozen=True)
class Wired:
    """A model, its project with a wire, and samples and labels as the device takes them."""

    model: QuantizedModel
    project: CProject
    x: np.ndarray
    labels: np.ndarray


@cache
def wired(name: str, *, has_store: bool = False) -> Wired:
    """The project of a name."""
    if name in NAMES:
        ready = prepared(name)
        model, data = ready.model, ready.dataset
        x, labels = quantize_inputs(model, data.x_train), quantize_labels(model, data.y_train)
    else:
        model = small_model(name)
        x, labels = samples_of(model, 1)
    selftest = selftest_of(model, x[:4], labels[:4])
    plan = plan_memory(model)
    project = render(model, plan, ORIGIN, selftest, {}, Additions(has_store, has_wire=True))
    return Wired(model, project, x, labels)


def write_sources(name: str, folder: Path, *, has_store: bool = False) -> list[str]:
    """Write sources and headers into a folder, and return the sources."""
    folder.mkdir(parents=True, exist_ok=True)
    project = wired(name, has_store=has_store).project
    for path, text in project.files.items():
        if path.endswith((".c", ".h")) and "/" not in path:
            (folder / path).write_text(text)
    return list(project.sources)


def built(name: str, folder: Path, *flags: str, has_store: bool = False) -> Path:
    """The device of a project, compiled into a folder; under sanitizers where gcc is there."""
    command = compiler()
    own = SANITIZE if command[0].endswith(("gcc", "clang")) else ("-O1", "-fno-sanitize=all")
    return build(wired(name, has_store=has_store).project, folder, *command, *own, *flags)


@contextmanager
def device_of(name: str, folder: Path, where: str = "0") -> Iterator[tuple[Process, LinkedDevice]]:
    """A device of a project, and the host's end of its line."""
    program = folder / "device"
    if not program.is_file():
        built(name, folder)
    with (
        Process(program, folder, where) as process,
        LinkedDevice.open(process.port, wired(name).model, limits=LIMITS) as device,
    ):
        yield process, device
