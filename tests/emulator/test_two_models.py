"""Two models in one firmware on an emulated core: each computes what it does alone there."""

import struct

import pytest

from tests.support.small_projects import small_project
from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.build import compile_firmware
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.folder import write_project
from tpsgd_edge.toolchain.platforms import load_platform, port_files
from tpsgd_edge.toolchain.unicorn_link import UnicornLink, import_unicorn

# Of other formats and layers, so that hardly a kernel of one would do for the other.
PAIR = ("classes", "wave")

# In the place of the harness. The states lie where the linker script expects that of one model.
_MAIN = """
#include "tps_port.h"
HEADERS
STATES
static void reply(uint32_t word)
{
    tps_port_write(&word, sizeof word);
}

enum tps_port_exit tps_port_serve(void)
{
    uint32_t command;

    while (tps_port_read(&command, sizeof command) == sizeof command) {
RUNS    }
    return TPS_PORT_END;
}
"""


def answers(core: str, names: tuple[str, ...], folder, *, family=None) -> list[tuple[int, ...]]:
    """Status and digest of each model, after the self-tests of all."""
    platform = load_platform(core)
    try:
        import_unicorn()
        compiler = find_compiler(platform, family)
    except ToolError as error:
        pytest.skip(f"{error.what}: {error.found}")
    projects = [small_project(name) for name in names]
    files = dict(port_files(platform))
    for project in projects:
        files |= {path: text for path, text in project.files.items() if "/" not in path}
    files["port/harness.c"] = main_of([project.name for project in projects])
    # What the harness asks one model is not needed, and knows only one.
    files["port/answers.c"] = "typedef int tps_port_is_empty;\n"
    write_project(files, folder)
    sources = [source for project in projects for source in project.sources]
    binary = compile_firmware(
        folder, "pair", sources, platform, compiler, build_dir=folder, warnings_as_errors=True
    )
    link = UnicornLink(binary, timeout=60)
    words = struct.unpack(f"<{2 * len(names)}I", link.exchange(b"\0" * 4, 8 * len(names)))
    link.close()
    return list(zip(words[: len(names)], words[len(names) :], strict=True))


def main_of(models: list[str]) -> str:
    """The program, whose replies are all statuses, then all digests."""
    runs = [f"        reply((uint32_t){m}_selftest(&{m}_state));\n" for m in models]
    runs += [f"        reply({m}_digest(&{m}_state));\n" for m in models]
    headers = "\n".join(f'#include "{m}.h"' for m in models)
    states = "".join(f"static struct {m}_model {m}_state;\n" for m in models)
    text = _MAIN.replace("HEADERS", headers).replace("STATES", states)
    return text.replace("RUNS", "".join(runs))


@pytest.mark.slow
@pytest.mark.parametrize("family", ["zig", "gcc"])
@pytest.mark.parametrize("core", ["cortex-m4f", "rv32imc"])
def test_two_models_on_one_core(core, family, tmp_path):
    both = answers(core, PAIR, tmp_path / "both", family=family)
    alone = [answers(core, (name,), tmp_path / name, family=family)[0] for name in PAIR]
    assert [status for status, _ in both] == [0, 0]
    assert both == alone
