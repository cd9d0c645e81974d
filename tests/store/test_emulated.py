"""A model is saved and loaded on emulated cores, and the bytes are those of the contract."""

import struct

import pytest

from tests.store.projects import stored_model, stored_project
from tests.store.test_stored_projects import STORAGE
from tpsgd_edge.errors import ToolError
from tpsgd_edge.memory import model_id, state_layout
from tpsgd_edge.memory.checkpoint import newest
from tpsgd_edge.toolchain.build import compile_firmware
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.folder import write_project
from tpsgd_edge.toolchain.platforms import load_platform, port_files
from tpsgd_edge.toolchain.unicorn_link import UnicornLink, import_unicorn

# In the place of the harness: saves what the self-test has trained, loads it, sends the storage.
_HARNESS = """
#include "tps_port.h"

#include "MODEL_store.h"

#define BLOCKS 4
void *memcpy(void *to, const void *from, size_t count);
void *memset(void *to, int value, size_t count);
STORAGE
static struct MODEL_model model, other;
static struct tps_store store;

static void reply(uint32_t word)
{
    tps_port_write(&word, sizeof word);
}

enum tps_port_exit tps_port_serve(void)
{
    uint32_t command;

    while (tps_port_read(&command, sizeof command) == sizeof command) {
        for (uint32_t block = 0; block < BLOCKS; block++) {
            erase_cells(NULL, block);
        }
        reply((uint32_t)MODEL_load(&store, &flash, &model));
        reply((uint32_t)MODEL_selftest(&model));
        for (uint32_t i = 0; i < 5; i++) {
            model.step++;
            reply((uint32_t)MODEL_save(&store, &flash, &model));
        }
        reply((uint32_t)MODEL_load(&store, &flash, &other));
        reply(MODEL_digest(&model));
        reply(MODEL_digest(&other));
        tps_port_write(cells, sizeof cells);
    }
    return TPS_PORT_END;
}
"""


@pytest.mark.series(1)
@pytest.mark.parametrize("core", ["cortex-m4f", "cortex-m0plus", "rv32imc"])
def test_a_core_saves_and_loads(tmp_path, core):
    platform = load_platform(core)
    try:
        import_unicorn()
        compiler = find_compiler(platform)
    except ToolError as error:
        pytest.skip(f"{error.what}: {error.found}")
    project, model = stored_project("classes"), stored_model("classes")
    files = dict(port_files(platform))
    files |= {path: text for path, text in project.files.items() if "/" not in path}
    harness = _HARNESS.replace("STORAGE", STORAGE).replace("MODEL", project.name)
    files["port/harness.c"] = f"#include <stddef.h>\n{harness}"
    files["port/answers.c"] = "typedef int tps_port_is_empty;\n"
    write_project(files, tmp_path)
    binary = compile_firmware(
        tmp_path, project.name, project.sources, platform, compiler, build_dir=tmp_path
    )
    link = UnicornLink(binary, timeout=60)
    raw = link.exchange(b"\0" * 4, 4 * 10 + 4 * 256)
    link.close()
    words = struct.unpack("<10I", raw[:40])
    assert words[:8] == (33, 0, 0, 0, 0, 0, 0, 0)
    assert words[8] == words[9]
    found = newest(raw[40:], model_id(model), state_layout(model).used_bytes, where="cells")
    assert found.sequence == 5
