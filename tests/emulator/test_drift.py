"""The detector of drift on emulated cores: every number that it remembers is the reference's."""

import struct

import numpy as np
import pytest

from tests.support.kinds import net
from tpsgd_edge.errors import ToolError
from tpsgd_edge.reference.drift import ONE, Detector, Limits
from tpsgd_edge.stages import prepare, render_project
from tpsgd_edge.toolchain.build import compile_firmware
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.folder import write_project
from tpsgd_edge.toolchain.platforms import load_platform, port_files
from tpsgd_edge.toolchain.unicorn_link import UnicornLink, import_unicorn

pytestmark = pytest.mark.emulator

LIMITS = Limits(tolerance=300, threshold=6 * ONE, after=20)
# In the place of the harness: answers each number with what the detector remembers then.
_HARNESS = """
#include "tps_port.h"

#include "small_drift.h"

enum tps_port_exit tps_port_serve(void)
{
    static const struct tps_drift_limits limits = {300, 6 * 32768, 20};
    static struct tps_drift drift;
    uint32_t value;

    while (tps_port_read(&value, sizeof value) == sizeof value) {
        const uint32_t risen = (uint32_t)tps_drift_update(&drift, &limits, value);
        tps_port_write(&drift, sizeof drift);
        tps_port_write(&risen, sizeof risen);
    }
    return TPS_PORT_END;
}
"""


@pytest.mark.series(1)
@pytest.mark.parametrize("core", ["cortex-m4f", "cortex-m0plus", "rv32imc"])
def test_a_core_remembers_what_the_reference_does(tmp_path, core):
    platform = load_platform(core)
    try:
        import_unicorn()
        compiler = find_compiler(platform)
    except ToolError as error:
        pytest.skip(f"{error.what}: {error.found}")
    project = render_project(prepare(net(drift={"watch": "confidence"})))
    files = dict(port_files(platform))
    files |= {path: text for path, text in project.files.items() if "/" not in path}
    files["port/harness.c"] = _HARNESS
    files["port/answers.c"] = "typedef int tps_port_is_empty;\n"
    write_project(files, tmp_path)
    binary = compile_firmware(
        tmp_path, project.name, project.sources, platform, compiler, build_dir=tmp_path
    )
    rng = np.random.default_rng(4)
    values = rng.integers(0, ONE + 1, 600) * (rng.random(600) < np.repeat(rng.random(6), 100))
    link = UnicornLink(binary, timeout=60)
    raw = link.exchange(values.astype("<u4").tobytes(), 16 * len(values))
    link.close()
    detector, found = Detector(), 0
    for value, own in zip(values.tolist(), struct.iter_unpack("<IIII", raw), strict=True):
        detector, risen = detector.after(value, LIMITS)
        found += risen
        assert own == (detector.n, detector.sum, detector.excess, int(risen))
    assert found >= 1
