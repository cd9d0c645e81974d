"""Generated code that saves: any compiler takes it, it is small, and it loads what it saved."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.store.projects import STORED, stored_model, stored_project, write_sources
from tests.support.narrow_int import findings
from tests.unit.test_codegen_builds import compiler
from tests.unit.test_odd_compilers import CPLUSPLUS, needed, refusal
from tests.unit.test_two_models import run, symbols
from tpsgd_edge.memory import model_id, state_layout
from tpsgd_edge.memory.checkpoint import checkpoint, newest

STRICT = (
    "-std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wmissing-prototypes -Wcast-qual "
    "-Wundef -Wstrict-prototypes -Wvla -Werror"
).split()
M4F = "-mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=hard -ffreestanding".split()
COMPILERS = {
    "gcc": [],
    "clang-14": [],
    "arm-none-eabi-gcc": M4F,
    "riscv64-unknown-elf-gcc": ["-march=rv32imc", "-mabi=ilp32", "-ffreestanding"],
    "avr-gcc": ["-mmcu=atmega2560"],
}
# A storage in RAM, which a program prints in the end.
STORAGE = """
static uint8_t cells[BLOCKS][256];
static uint8_t page[64];

static int read_cells(void *context, uint32_t block, uint32_t offset, void *bytes, uint32_t count)
{
    (void)context;
    memcpy(bytes, &cells[block][offset], (size_t)count);
    return 0;
}

static int program_cells(void *context, uint32_t block, uint32_t offset, const void *bytes,
                         uint32_t count)
{
    (void)context;
    memcpy(&cells[block][offset], bytes, (size_t)count);
    return 0;
}

static int erase_cells(void *context, uint32_t block)
{
    (void)context;
    memset(cells[block], 0xFF, sizeof cells[block]);
    return 0;
}

static int sync_cells(void *context)
{
    (void)context;
    return 0;
}

static const struct tps_storage flash = {
    .read = read_cells,
    .program = program_cells,
    .erase = erase_cells,
    .sync = sync_cells,
    .page = page,
    .program_size = 4,
    .page_size = sizeof page,
    .block_size = sizeof cells[0],
    .block_count = BLOCKS,
};
"""
_MAIN = """
#include "MODEL_store.h"

#include <stdio.h>
#include <string.h>

#define BLOCKS 40
STORAGE
static struct MODEL_model model;
static struct MODEL_model other;
static struct tps_store store;

int main(void)
{
    printf("empty %ld\\n", (long)MODEL_save(&store, &flash, &model));
    erase_cells(NULL, 0);
    for (uint32_t block = 1; block < BLOCKS; block++) {
        erase_cells(NULL, block);
    }
    printf("empty %ld\\n", (long)MODEL_load(&store, &flash, &model));
    MODEL_selftest(&model);
    printf("saved %ld\\n", (long)MODEL_save(&store, &flash, &model));
    model.step += 1;
    printf("saved %ld\\n", (long)MODEL_save(&store, &flash, &model));
    printf("loaded %ld\\n", (long)MODEL_load(&store, &flash, &other));
    printf("same %d\\n", MODEL_digest(&other) == MODEL_digest(&model));
    printf("number %lu step %lu\\n", (unsigned long)store.sequence, (unsigned long)store.step);
    cells[store.block][store.offset + 40] ^= 1;
    printf("damaged %ld\\n", (long)MODEL_load(&store, &flash, &other));
    printf("step %lu\\n", (unsigned long)other.step);
    cells[store.damaged_block][store.damaged_offset + 40] ^= 1;
    MODEL_init(&other);
    MODEL_seal(&store, &other);
    printf("whole %d\\n", MODEL_is_whole(&store, &other));
    OUTPUT
    return 0;
}
"""
_SAID = ["empty 38", "empty 33", "saved 0", "saved 0", "loaded 0", "same 1"]


def main_of(name: str, output: str = "") -> str:
    """The program for a project."""
    text = _MAIN.replace("STORAGE", STORAGE).replace("OUTPUT", output)
    return text.replace("MODEL", stored_project(name).name)


@pytest.mark.series(5)
@pytest.mark.parametrize("compiler_name", COMPILERS)
@pytest.mark.parametrize("name", STORED)
@pytest.mark.parametrize("optimize", ["-O2", pytest.param("-Os", marks=pytest.mark.slow)])
def test_compilers_take_it_without_a_warning(tmp_path, name, compiler_name, optimize):
    sources = write_sources(name, tmp_path)
    own = [path for path in sources if re.search("store|slots", path)]
    assert len(own) == 3
    command = [needed(compiler_name), optimize, *STRICT, *COMPILERS[compiler_name], "-c", *own]
    run(*command, cwd=tmp_path)


@pytest.mark.series(1)
@pytest.mark.parametrize("compiler_name", CPLUSPLUS)
def test_the_header_is_for_cplusplus_too(tmp_path, compiler_name):
    names = [stored_project(name).name for name in STORED]
    for name in STORED:
        write_sources(name, tmp_path)
    lines = [f'#include "{name}_store.h"' for name in names]
    calls = [f"    {name}_seal(&store, &{name});" for name in names]
    lines += [f"static struct {name}_model {name};" for name in names]
    lines += ["static struct tps_store store;", "int main()", "{", *calls, "    return 0;", "}", ""]
    (tmp_path / "main.cpp").write_text("\n".join(lines))
    flags = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
    command = [needed(compiler_name), *CPLUSPLUS[compiler_name], *flags, "-fsyntax-only"]
    run(*command, "main.cpp", cwd=tmp_path)


def test_sources_say_that_they_are_c(tmp_path):
    for source in write_sources("classes", tmp_path):
        message = refusal([needed("g++"), "-fsyntax-only", "-x", "c++", source], tmp_path)
        assert "compile the .c files of petals as C11" in message, source


@pytest.mark.series(1)
@pytest.mark.parametrize("name", STORED)
def test_no_expression_needs_more_than_16_bits_of_an_int(tmp_path, name):
    needed("clang-14")
    for source in write_sources(name, tmp_path):
        assert findings(tmp_path, source) == [], source


@pytest.mark.series(2)
@pytest.mark.parametrize("name", STORED)
def test_what_was_saved_is_loaded_and_python_reads_it(tmp_path, name):
    sources = write_sources(name, tmp_path)
    output = 'fwrite(cells, sizeof cells, 1, fopen("flash.bin", "wb"));\n'
    (tmp_path / "main.c").write_text(main_of(name, output))
    flags = ("-O1", "-std=c11", "-fno-sanitize=all")
    run(*compiler(), *flags, "main.c", *sources, "-o", "program", cwd=tmp_path)
    lines = run(tmp_path / "program", cwd=tmp_path).splitlines()
    assert lines[:6] == _SAID
    _, number, _, step = lines[6].split()
    assert (number, lines[7]) == ("2", "damaged 32")
    assert lines[8:] == [f"step {int(step) - 1}", "whole 1"]
    model = stored_model(name)
    layout = state_layout(model)
    flash = (tmp_path / "flash.bin").read_bytes()
    found = newest(flash, model_id(model), layout.used_bytes, where="flash.bin")
    assert (found.sequence, found.step) == (2, int(step))
    own = checkpoint(found.state, model_id=model_id(model), step=int(step), sequence=2)
    assert flash[found.offset : found.offset + len(own)] == own


def test_an_avr_saves_and_loads_too(tmp_path):
    """The struct ends there without padding; a checkpoint has none anywhere."""
    gcc, simavr = needed("avr-gcc"), needed("simavr")
    sources = write_sources("bytes", tmp_path)
    text = main_of("bytes").replace("#define BLOCKS 40", "#define BLOCKS 9\n" + UART)
    text = text.replace(
        "main(void)\n{", "main(void)\n{\n    UCSR0B = 1 << TXEN0;\n    stdout = &out;"
    )
    text = text.replace("    return 0;\n}\n", "    cli();\n    sleep_mode();\n    return 0;\n}\n")
    # Calls of the storage end with that, too: only main sleeps.
    head, _, tail = text.rpartition("int main(void)")
    head = head.replace("    cli();\n    sleep_mode();\n", "")
    (tmp_path / "main.c").write_text(f"{head}int main(void){tail}")
    flags = ["-std=gnu11", "-Os", "-Wall", "-Wextra", "-Werror", "-mmcu=atmega2560"]
    run(gcc, *flags, "main.c", *sources, "-o", "firmware.elf", cwd=tmp_path)
    done = subprocess.run(
        [simavr, "-m", "atmega2560", "-f", "16000000", "firmware.elf"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    said = re.findall(r"(?:empty|saved|loaded|same|damaged|whole) \d+", done.stdout + done.stderr)
    assert said == [*_SAID, "damaged 32", "whole 1"]


UART = """
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>

static int put(char letter, FILE *file)
{
    (void)file;
    while (!(UCSR0A & (1 << UDRE0))) {
    }
    UDR0 = (uint8_t)letter;
    return 0;
}

static FILE out = FDEV_SETUP_STREAM(put, NULL, _FDEV_SETUP_WRITE);
"""


def frames(folder: Path) -> dict[str, int]:
    """Bytes of stack of each function."""
    lines = [line for path in folder.glob("*.su") for line in path.read_text().splitlines()]
    words = [line.split("\t") for line in lines]
    assert all(kind == "static" for _, _, kind in words)
    return {place.rsplit(":", 1)[1]: int(size) for place, size, _ in words}


@pytest.mark.parametrize("optimize", ["-O2", "-Os"])
def test_flash_ram_and_stack_on_a_cortex_m4f(tmp_path, optimize):
    gcc = needed("arm-none-eabi-gcc")
    sources = [s for s in write_sources("classes", tmp_path) if re.search("store|slots|crc", s)]
    assert len(sources) == 4
    run(gcc, *M4F, optimize, "-fstack-usage", "-c", *sources, cwd=tmp_path)
    table = run(needed("arm-none-eabi-size"), "-t", *tmp_path.glob("*.o")).splitlines()
    text, data, bss = (int(word) for word in table[-1].split()[:3])
    assert text < 3 * 1024
    assert (data, bss) == (0, 0)
    stack = frames(tmp_path)
    loads = ("petals_load", "tps_store_load", "find_older", "tps_slot_read_header", "read_slot")
    saves = ("petals_save", "tps_store_save", "tps_slot_is_whole", "read_slot")
    for calls in (loads, saves):
        names = [name if name in stack else f"petals_{name}" for name in calls]
        # With struct tps_store, whose size is below.
        assert sum(stack[name] for name in names) + 52 < 300
    (tmp_path / "size.c").write_text(
        '#include "petals_store.h"\nchar bytes[sizeof(struct tps_store)];\n'
    )
    run(gcc, *M4F, "-c", "size.c", "-o", "size.elf", cwd=tmp_path)
    assert "52" in run(needed("arm-none-eabi-size"), tmp_path / "size.elf").splitlines()[1].split()


def test_two_models_with_stores_share_one_header_and_no_symbol(tmp_path):
    found = []
    for name in STORED:
        folder = tmp_path / name
        sources = write_sources(name, folder)
        run(*compiler(), "-O1", "-std=c11", "-fno-sanitize=all", "-c", *sources, cwd=folder)
        own = {
            symbol
            for path in folder.glob("*.o")
            for symbol, is_defined in symbols(path)
            if is_defined
        }
        prefix = stored_project(name).name
        assert all(symbol.startswith(f"{prefix}_") for symbol in own)
        assert {f"{prefix}_{verb}" for verb in ("load", "save", "seal", "is_whole")} <= own
        found.append(own)
    assert not found[0] & found[1]
    texts = {stored_project(name).files["tps_storage.h"] for name in STORED}
    assert len(texts) == 1


def test_nobody_pays_who_does_not_ask():
    from tests.golden.projects import golden_project

    assert not [path for path in golden_project("classes").files if re.search("stor|slot", path)]


def test_the_readme_of_a_project_says_how_to_save():
    text = stored_project("classes").files["README.md"]
    assert "petals_load(&store, &flash, &model);" in text
    assert "160 bytes a checkpoint" in text
