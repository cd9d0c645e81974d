"""The adapters of firmware/store: compiled without a warning, and run."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.store.projects import write_sources
from tests.store.test_stored_projects import UART
from tests.unit.test_odd_compilers import needed
from tests.unit.test_two_models import run

HERE = Path(__file__).parent
ADAPTERS = HERE.parent.parent / "firmware" / "store"
SYSTEMS = HERE / "systems"
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
_MAIN = """
#define _POSIX_C_SOURCE 200809L
#include "petals_store.h"
#include "HEADER"

#include <stdio.h>

GLOBALS
static uint8_t page[64];
static uint8_t copy[64];
static struct petals_model model, other;
static struct tps_store store;

static void open_storage(void)
{
    (void)copy;
    OPEN
}

int main(void)
{
    open_storage();
    printf("%ld\\n", (long)petals_load(&store, &place.storage, &model));
    for (int i = 0; i < 40; i++) {
        petals_selftest(&other);
        model.step++;
        model.fc1_w[i % 18]++;
        printf("%ld ", (long)petals_save(&store, &place.storage, &model));
    }
    open_storage();
    printf("\\n%ld", (long)petals_load(&store, &place.storage, &other));
    printf(" %lu %d\\n", (unsigned long)store.sequence,
           petals_digest(&other) == petals_digest(&model) && other.step == 40);
    return 0;
}
"""
SYSTEM = {
    "file": (
        "store_file.h",
        "static struct store_file place;",
        'if (!store_file_open(&place, "petals.bin", page, sizeof page, '
        "PETALS_CHECKPOINT_BYTES, 3)) { return; }",
    ),
    "littlefs": (
        "store_littlefs.h",
        "static lfs_t lfs;\nstatic struct store_littlefs place;",
        'if (store_littlefs_open(&place, &lfs, "petals", page, sizeof page, '
        "PETALS_CHECKPOINT_BYTES, 2) != 0) { return; }",
    ),
    "zephyr": (
        "store_zephyr_nvs.h",
        "static struct nvs_fs fs;\nstatic struct store_zephyr_nvs place;",
        "store_zephyr_nvs_open(&place, &fs, 0x100, page, copy, sizeof page, "
        "PETALS_CHECKPOINT_BYTES, 2);",
    ),
    "esp_idf": (
        "store_esp_nvs.h",
        "struct esp_blob esp_blobs[64];\nstatic struct store_esp_nvs place;",
        "store_esp_nvs_open(&place, 7, page, copy, sizeof page, PETALS_CHECKPOINT_BYTES, 12);",
    ),
}


def test_every_adapter_is_tried():
    tried = {header for header, *_ in SYSTEM.values()} | {"store_arduino_eeprom.h"}
    assert {path.name for path in ADAPTERS.glob("*.h")} == tried
    table = (ADAPTERS / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(store_\w+\.h)`", table)) == tried


def main_of(name: str) -> str:
    header, variables, open_ = SYSTEM[name]
    return _MAIN.replace("HEADER", header).replace("GLOBALS", variables).replace("OPEN", open_)


@pytest.mark.series(1)
@pytest.mark.parametrize("compiler", ["gcc", "clang-14"])
@pytest.mark.parametrize("name", SYSTEM)
def test_an_adapter_saves_and_loads(tmp_path, name, compiler):
    sources = write_sources("classes", tmp_path)
    (tmp_path / "main.c").write_text(main_of(name))
    flags = ["-std=c11", "-O1", "-fsanitize=undefined", *STRICT]
    if compiler == "clang-14":
        flags.remove("-fsanitize=undefined")
    words = [needed(compiler), *flags, "-I.", f"-I{ADAPTERS}", f"-I{SYSTEMS}", "main.c", *sources]
    run(*words, "-o", "program", cwd=tmp_path)
    first, saves, last = run(tmp_path / "program", cwd=tmp_path).splitlines()
    assert first == "33"
    assert saves.split() == ["0"] * 40
    assert last == "0 40 1"


@pytest.mark.series(1)
@pytest.mark.parametrize("name", SYSTEM)
def test_an_adapter_is_for_cplusplus_too(tmp_path, name):
    write_sources("classes", tmp_path)
    header, variables, _ = SYSTEM[name]
    (tmp_path / "main.cpp").write_text(
        f'#include "{header}"\n{variables}\nint main() {{ return 0; }}\n'
    )
    flags = ["-std=c++20", "-Wall", "-Wextra", "-Wshadow", "-Wno-unused-function", "-Werror"]
    words = [needed("g++"), *flags, f"-I{ADAPTERS}", f"-I{SYSTEMS}", "-I.", "-fsyntax-only"]
    run(*words, "main.cpp", cwd=tmp_path)


_LOOP = """
#define _POSIX_C_SOURCE 200809L
#include "petals_store.h"
#include "store_file.h"

#include <stdio.h>

static uint8_t page[32];
static struct petals_model model;
static struct tps_store store;
static struct store_file file;

int main(void)
{
    if (!store_file_open(&file, "petals.bin", page, sizeof page, PETALS_CHECKPOINT_BYTES, 3)) {
        return 1;
    }
    const tps_status found = petals_load(&store, &file.storage, &model);
    printf("%ld %lu\\n", (long)found, (unsigned long)model.step);
    fflush(stdout);
    for (;;) {
        model.step++;
        for (unsigned i = 0; i < 18; i++) {
            model.fc1_w[i] = (int16_t)model.step;
        }
        if (petals_save(&store, &file.storage, &model) != TPS_OK) {
            return 2;
        }
        printf("%lu\\n", (unsigned long)model.step);
        fflush(stdout);
    }
}
"""


def test_a_process_that_is_killed_while_it_saves_loses_nothing(tmp_path):
    sources = write_sources("classes", tmp_path)
    (tmp_path / "main.c").write_text(_LOOP)
    words = [needed("gcc"), "-std=c11", "-O1", *STRICT, "-I.", f"-I{ADAPTERS}", "main.c", *sources]
    run(*words, "-o", "program", cwd=tmp_path)
    saved = 0
    for round_ in range(12):
        with subprocess.Popen(
            [tmp_path / "program"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
        ) as process:
            status, step = map(int, process.stdout.readline().split())
            time.sleep(0.02 + 0.013 * round_)
            os.kill(process.pid, signal.SIGKILL)
            numbers = [int(line) for line in process.stdout.read().split("\n")[:-1]]
        assert status == (33 if round_ == 0 else status)
        assert status in (0, 32, 33)
        assert step in (saved, saved + 1), "the latest save, or the one that was cut off"
        saved = numbers[-1] if numbers else step
    assert saved > 20


_SKETCH = """
#include "petals_store.h"
#include "store_arduino_eeprom.h"

#include <stdio.h>
UART
static uint8_t page[32];
static petals_model model, other;
static tps_store store;
static store_eeprom eeprom, before;

int main()
{
    UCSR0B = 1 << TXEN0;
    stdout = &out;
    store_eeprom_open(&eeprom, 1000, page, sizeof page, PETALS_CHECKPOINT_BYTES, 3);
    /* Another model's checkpoints in the same EEPROM. */
    store_eeprom_open(&before, 0, page, sizeof page, PETALS_CHECKPOINT_BYTES, 2);
    printf("loaded %ld\\n", static_cast<long>(petals_load(&store, &before.storage, &other)));
    other.step = 30;
    printf("saved %ld\\n", static_cast<long>(petals_save(&store, &before.storage, &other)));
    printf("loaded %ld\\n", static_cast<long>(petals_load(&store, &eeprom.storage, &model)));
    for (int i = 0; i < 7; i++) {
        model.step++;
        printf("saved %ld\\n", static_cast<long>(petals_save(&store, &eeprom.storage, &model)));
    }
    printf("loaded %ld\\n", static_cast<long>(petals_load(&store, &eeprom.storage, &other)));
    printf("step %ld\\n", static_cast<long>(other.step));
    petals_load(&store, &before.storage, &other);
    printf("step %ld\\n", static_cast<long>(other.step));
    cli();
    sleep_mode();
    return 0;
}
"""


def test_an_arduino_keeps_checkpoints_in_its_eeprom(tmp_path):
    gcc, simavr = needed("avr-gcc"), needed("simavr")
    sources = write_sources("classes", tmp_path)
    core = ["-Os", "-Wall", "-Wextra", "-Werror", "-mmcu=atmega2560"]
    run(gcc, *core, "-std=gnu11", "-c", *sources, cwd=tmp_path)
    # avr-libc's setup of a stream is C.
    (tmp_path / "uart.c").write_text(f"#include <stdio.h>\n{UART}\nFILE *out_file = &out;\n")
    run(gcc, *core, "-std=gnu11", "-c", "uart.c", cwd=tmp_path)
    headers = "#include <avr/interrupt.h>\n#include <avr/io.h>\n#include <avr/sleep.h>\n"
    text = _SKETCH.replace("UART", f'{headers}extern "C" FILE *out_file;')
    (tmp_path / "main.cpp").write_text(text.replace("&out;", "out_file;"))
    flags = ["-std=gnu++11", "-I.", f"-I{ADAPTERS}", f"-I{SYSTEMS}", "-Wno-int-to-pointer-cast"]
    run(needed("avr-g++"), *core, *flags, "-c", "main.cpp", cwd=tmp_path)
    objects = [path.name for path in tmp_path.glob("*.o")]
    run(needed("avr-g++"), *core, *objects, "-o", "firmware.elf", cwd=tmp_path)
    done = subprocess.run(
        [simavr, "-m", "atmega2560", "-f", "16000000", "firmware.elf"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    said = re.findall(r"(?:loaded|saved|step) \d+", done.stdout + done.stderr)
    # An EEPROM begins with FF everywhere.
    first = ["loaded 33", "saved 0"]
    assert said == [*first, "loaded 33", *["saved 0"] * 7, "loaded 0", "step 7", "step 30"]
