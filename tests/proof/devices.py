"""Small specs, and commands on code that is changed after it was rendered: a wrong device."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tpsgd_edge import pipeline
from tpsgd_edge.cli import run
from tpsgd_edge.codegen import CProject
from tpsgd_edge.errors import ToolError
from tpsgd_edge.stages import preparation, running
from tpsgd_edge.stages.preparation import Prepared, render_project
from tpsgd_edge.toolchain.build import compile_simulation
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.open_device import find_emulator
from tpsgd_edge.toolchain.platforms import load_platform

# More than one chunk of the proof.
STEPS = 320
_SPEC = """
name = "toy"
seed = 3
[model]
layers = [{ name = "fc1", units = 5 }, { name = "fc2", units = 3 }]
[rule]
learning_rate = 0.1
epochs = 2
[data]
file = "toy.npz"
test_fraction = 0.2
[platform]
name = "host"
"""
_STREAM = """
name = "toy"
seed = 3
[model]
layers = [{ name = "r1", kind = "rnn", units = 6 }, { name = "fc2", units = 3 }]
[rule]
learning_rate = 0.05
epochs = 2
learn_every = 2
[data]
file = "stream.npz"
test_fraction = 0.2
[platform]
name = "host"
"""
_VALUES = _SPEC.replace("toy.npz", "values.npz").replace("units = 3", "units = 2")
SPECS = {"toy": _SPEC, "stream": _STREAM, "values": _VALUES}


def write_specs(folder: Path) -> None:
    """Specs of classes, of sequences with classes, and of values, with their data."""
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(100, 6)), rng.integers(0, 3, 100)
    x[:, :3] += np.eye(3)[y] * 2
    np.savez(folder / "toy.npz", x=x, y=y)
    np.savez(folder / "values.npz", x=x, y=x[:, :2] * 0.5 + 0.1)
    np.savez(folder / "stream.npz", x=x.reshape(100, 3, 2).repeat(2, axis=1), y=y)
    for name, text in SPECS.items():
        (folder / f"{name}.toml").write_text(text)


@dataclass(frozen=True)
class Change:
    """A place in one file of a project, and what stands there in a wrong one."""

    pattern: str
    replacement: str
    file: str = "toy.c"

    def __call__(self, project: CProject) -> CProject:
        """The project, wrong."""
        text, count = re.subn(
            self.pattern, self.replacement, project.files[self.file], count=1, flags=re.DOTALL
        )
        assert count == 1, f"{self.pattern} is not in {self.file}"
        assert text != project.files[self.file]
        return replace(project, files={**project.files, self.file: text})


def when(condition: str, statement: str) -> Change:
    """A statement at the end of a training step, under a condition."""
    return Change(
        r"(model->step \+= model->step != UINT32_MAX;)",
        rf"\1\n    if ({condition}) {{\n        {statement}\n    }}",
    )


def inside(function: str, pattern: str, replacement: str) -> Change:
    """A change in the body of one public function."""
    return Change(
        rf"(\w+ \*?toy_{function}(?:_with)?\([^;{{]*\)\n\{{(?:(?!\n\}}).)*?){pattern}",
        rf"\g<1>{replacement}",
    )


def only_predicting(statement: str) -> Change:
    """A statement in front of the first answer of firmware that only predicts."""
    return Change(
        r"(toy_outputs_with\([^;{]*\)\n\{)",
        rf"\1\n#ifdef TOY_INFERENCE_ONLY\n    {statement}\n#endif",
    )


def make_wrong(monkeypatch: pytest.MonkeyPatch, change: Callable[[CProject], CProject]) -> None:
    """Have every command render the changed project; all else stays as it is."""

    def render(prepared: Prepared) -> CProject:
        return change(render_project(prepared))

    monkeypatch.setattr(pipeline, "render_project", render)
    monkeypatch.setattr(running, "render_project", render)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> Ended:
    """Run one command in this process."""
    code = run(list(arguments))
    said = capsys.readouterr()
    return Ended(code, said.out, said.err)


def needs(platform: str) -> None:
    """Skip where firmware for a core cannot be built or run."""
    try:
        find_compiler(load_platform(platform))
        find_emulator(load_platform(platform))
    except ToolError as error:
        pytest.skip(error.what)


def compile_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have commands build for this computer without optimization, in half the time."""
    monkeypatch.setattr(
        preparation, "compile_simulation", partial(compile_simulation, optimize="-O0")
    )
