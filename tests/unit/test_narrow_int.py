"""Cores whose int has 16 bits compute the same: no expression overflows there; and on an AVR."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.narrow_int import findings
from tests.support.small_projects import SMALL, small_project
from tests.unit.test_codegen import projects
from tests.unit.test_odd_compilers import needed, written
from tests.unit.test_two_models import code_of, run

# What fits 8 KB of RAM. Each kind of constant is there once: an AVR reads those in flash by other
# instructions.
ON_AVR = ("classes", "regression", "bytes", "words", "reals", "wave", "twin", "adaptor", "learned")
ON_AVR += ("remembers",)
# Constants that kernels read by the pointers of weights in RAM.
IN_RAM = re.compile(r"tps_\w+_[wb]|\w+_layer|__compound_literal\.\d+")

_MAIN = """
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
#include <stdio.h>

#include "MODEL.h"

static struct MODEL_model model;

static int put(char letter, FILE *file)
{
    (void)file;
    while (!(UCSR0A & (1 << UDRE0))) {
    }
    UDR0 = (uint8_t)letter;
    return 0;
}

static FILE out = FDEV_SETUP_STREAM(put, NULL, _FDEV_SETUP_WRITE);

int main(void)
{
    UCSR0B = 1 << TXEN0;
    stdout = &out;
    printf("selftest %ld digest %08lX\\n", (long)MODEL_selftest(&model), MODEL_digest(&model));
    cli();
    sleep_mode();
    return 0;
}
"""


def written_where_clang_is(name: str, folder: Path) -> list[str]:
    needed("clang-14")
    return written(name, folder)


@pytest.mark.series(3)
@pytest.mark.parametrize("name", SMALL)
def test_no_expression_needs_more_than_16_bits_of_an_int(tmp_path, name):
    for source in written_where_clang_is(name, tmp_path):
        assert findings(tmp_path, source) == [], source


@pytest.mark.slow
@pytest.mark.parametrize("number", range(0, 90, 3))
def test_no_expression_of_a_random_network_does(tmp_path, number):
    needed("clang-14")
    _, project = projects()[number]
    for path, text in code_of(project).items():
        (tmp_path / path).write_text(text)
    for source in project.sources:
        assert findings(tmp_path, source) == [], source


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("*y = w * x;", "int cannot hold -1073709056..1073741824"),
        ("*y = (long)(w + x);", "int cannot hold -65536..65534"),
        ("*y = n << 15;", "unsigned int cannot hold 0..2147450880"),
        ("*y = -w;", "int cannot hold -32767..32768"),
        ("*y = w < n;", "a negative number becomes unsigned"),
        ("*y = c * d; *y += w >> 3; *y = (long)w * x; *y = n & 7; *y = w - (c & 15L);", ""),
    ],
)
def test_the_search_finds_what_goes_wrong(tmp_path, line, words):
    needed("clang-14")
    (tmp_path / "f.c").write_text(
        "void f(short w, short x, unsigned short n, signed char c, unsigned char d, long *y);\n"
        "void f(short w, short x, unsigned short n, signed char c, unsigned char d, long *y)\n"
        f"{{\n    (void)w; (void)x; (void)n; (void)c; (void)d;\n    {line}\n}}\n"
    )
    found = findings(tmp_path, "f.c")
    assert [words in text for text in found] == [True] * bool(words)
    assert all(text.startswith("f.c:5: ") for text in found)


def on_avr(name: str, folder: Path) -> str:
    """What the self-test of a project says on a simulated ATmega2560."""
    gcc, simavr = needed("avr-gcc"), needed("simavr")
    sources, model = written(name, folder), small_project(name).name
    (folder / "main.c").write_text(_MAIN.replace("MODEL", model))
    flags = ["-std=gnu11", "-Os", "-Wall", "-Wextra", "-Werror", "-mmcu=atmega2560"]
    run(gcc, *flags, "main.c", *sources, "-o", "firmware.elf", cwd=folder)
    done = subprocess.run(
        [simavr, "-m", "atmega2560", "-f", "16000000", "firmware.elf"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    said = done.stdout + done.stderr
    assert "selftest" in said, said
    return said[said.index("selftest") :].split(".")[0]


@pytest.mark.series(2)
@pytest.mark.parametrize("name", ON_AVR)
def test_an_avr_computes_the_same_bits(tmp_path, name):
    assert on_avr(name, tmp_path).startswith("selftest 0 digest ")


@pytest.mark.series(2)
@pytest.mark.parametrize("name", ON_AVR)
def test_constants_of_an_avr_stay_in_flash(tmp_path, name):
    gcc, dump = needed("avr-gcc"), needed("avr-objdump")
    sources = written(name, tmp_path)
    run(gcc, "-std=gnu11", "-Os", "-mmcu=atmega2560", "-c", *sources, cwd=tmp_path)
    symbols = run(dump, "-t", *(path.name for path in tmp_path.glob("*.o")), cwd=tmp_path)
    found = re.findall(r" O (\.[\w.]+)\s+\w+ (\S+)$", symbols, re.MULTILINE)
    places = {symbol.removeprefix(f"{name}_"): section for section, symbol in found}
    assert places["nibble_table"] == ".progmem.data"
    assert len([s for s in places.values() if s == ".progmem.data"]) >= 4
    in_ram = [s for s, section in places.items() if section.startswith((".data", ".rodata"))]
    assert [symbol for symbol in in_ram if not IN_RAM.fullmatch(symbol)] == []


@pytest.mark.series(3)
@pytest.mark.parametrize("name", SMALL)
def test_firmware_that_only_predicts_compiles_without_a_warning(tmp_path, name):
    """Functions that only a training step calls are gone with it."""
    written(name, tmp_path)
    model = small_project(name).name
    flags = ["-Wall", "-Wextra", "-Werror", f"-D{model.upper()}_INFERENCE_ONLY", "-fsyntax-only"]
    run(needed("gcc"), "-std=c11", *flags, f"{model}.c", cwd=tmp_path)
    run(needed("avr-gcc"), "-std=gnu11", "-mmcu=atmega2560", *flags, f"{model}.c", cwd=tmp_path)
