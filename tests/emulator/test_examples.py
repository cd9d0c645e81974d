"""Every example on every emulated core: no bit differs in the first steps of training."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from tests.emulator.test_random_networks import build_for, on_cores
from tpsgd_edge.errors import DataError, ToolError
from tpsgd_edge.spec import load_spec
from tpsgd_edge.stages import (
    Prepared,
    prepare,
    prove,
    render_project,
    scratch_project,
)
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import find_emulator, open_device
from tpsgd_edge.toolchain.platforms import load_platform, port_files

pytestmark = pytest.mark.emulator

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.toml"))
STEPS = 3


@cache
def prepared_example(path: Path) -> Prepared:
    """An example, quantized once for all cores: no number of it depends on the core."""
    # The memory of the emulated machine counts here, not the budget of the example's board.
    roomy = ["platform.ram=4M", "platform.flash=4M"]
    spec = load_spec(path, [*roomy, "data.limit=200"])
    try:
        return prepare(spec)
    except DataError as error:
        if "there is no data file" not in error.what and "is not installed" not in error.what:
            raise
        pytest.skip(error.what)


@pytest.mark.slow
@on_cores(path=EXAMPLES)
def test_an_example_trains_as_the_reference_does(path: Path, core: str) -> None:
    prepared = replace(prepared_example(path), platform=load_platform(core))
    if core == "cortex-m0plus" and prepared.spec.numbers.weights == "f32":
        pytest.skip("soft float takes minutes")
    try:
        find_compiler(prepared.platform)
        find_emulator(prepared.platform)
    except ToolError as error:
        pytest.skip(f"{error.what}: {error.found}")
    project = render_project(prepared)
    project = replace(project, files={**project.files, **port_files(prepared.platform)})
    with scratch_project(project) as folder:
        binary = build_for(prepared.platform, project, folder, EXAMPLES.index(path))
        with open_device(binary, interface_of(prepared.model)) as device:
            verdict = prove(device, prepared, STEPS, lambda *_: None)
    assert verdict.verdict == "equal", verdict.describe()
