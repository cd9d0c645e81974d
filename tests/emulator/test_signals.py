"""Features of a signal on emulated cores, as `verify` compares them."""

import pytest

from tests.support.signals import ALL, BANDS, hearing_spec, some_recordings
from tpsgd_edge import verify
from tpsgd_edge.errors import ToolError
from tpsgd_edge.stages import prepare, render_project
from tpsgd_edge.stages.preparation import compile_for_device, scratch_project
from tpsgd_edge.toolchain.counting import count_function
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.sizes import measure

pytestmark = pytest.mark.emulator


@pytest.mark.series(1)
@pytest.mark.parametrize("core", ["cortex-m4f", "cortex-m0plus", "rv32imc", "wasm32"])
def test_a_core_hears_what_the_reference_does(core, tmp_path):
    features = {**BANDS, "window": 128, "statistics": ALL}
    x = some_recordings(10, 300, 2)
    spec = hearing_spec(tmp_path, features, x=x, platform={"name": core})
    try:
        assert verify(spec, steps=3).verdict.verdict == "equal"
    except ToolError as error:
        pytest.skip(f"{error.what}: {error.found}")


def test_what_a_stream_keeps_and_its_work_are_counted(tmp_path):
    spec = hearing_spec(tmp_path, BANDS, platform={"name": "cortex-m4f"})
    prepared = prepare(spec)
    numbers = prepared.features
    blocks = prepared.dataset.signal.recordings[0][:288].reshape(-1, numbers.hop)
    project, interface = render_project(prepared), interface_of(prepared.model, numbers)
    try:
        with scratch_project(project) as folder:
            binary = compile_for_device(prepared, project, folder)
            sizes = measure(binary)
            heard = count_function(
                binary, interface, "hear", lambda device: device.hear(blocks), suffix=""
            )
    except ToolError as error:
        pytest.skip(f"{error.what}: {error.found}")
    assert sizes.ram.signal == numbers.stream_bytes == 2 * 64 + 4 * 33 + 4
    assert heard.runs == 9
    assert 4000 < heard.per_run < 12_000
