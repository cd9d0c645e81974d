"""ESP8266: the package in C on its core, an LX106, by gcc and in QEMU, to the reference's bits."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packages.making import STRICT, TREES, digits_digest, digits_spec, made
from tests.unit.test_odd_compilers import needed
from tests.unit.test_two_models import run
from tpsgd_edge.codegen.example import EPOCHS

pytestmark = pytest.mark.slow

TREE = TREES / "lx106"
QEMU = ["-M", "sim", "-cpu", "lx106", "-semihosting", "-display", "none", "-monitor", "none"]


def said_by_core(folder: Path, rom: Path) -> list[str]:
    """What the model of a package says on the core, with these functions as the chip's ROM."""
    gcc, qemu = needed("xtensa-lx106-elf-gcc"), needed("qemu-system-xtensa")
    words = ["-std=c11", "-O2", *STRICT, "-ffreestanding", "-nostdlib", "-mlongcalls"]
    words += ["-ffunction-sections", "-Wl,--gc-sections", f"-DPASSES={EPOCHS}"]
    words += [f"-I{folder}/src", f"-I{folder}/examples/learn", "-T", str(TREE / "link.ld")]
    sources = [*folder.glob("src/*.c"), TREE / "main.c", rom]
    run(gcc, *words, *sources, "-lgcc", "-o", folder / "a.elf")
    done = subprocess.run(
        [qemu, *QEMU, "-kernel", str(folder / "a.elf")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.splitlines()


def test_an_lx106_computes_what_the_reference_does(tmp_path):
    folder = made(digits_spec(), "c", tmp_path / "digits").folder
    lines = said_by_core(folder, TREE / "rom.c")
    assert lines == ["self-test 00000000", f"digest {digits_digest()}"]


def test_a_rom_that_multiplies_otherwise_is_noticed(tmp_path):
    folder = made(digits_spec(), "c", tmp_path / "digits").folder
    rom = Path(shutil.copy(TREE / "rom.c", tmp_path))
    text = rom.read_text()
    assert "return product;" in text
    rom.write_text(text.replace("return product;", "return (uint32_t)product;"))
    tested, digest = said_by_core(folder, rom)
    assert tested != "self-test 00000000"
    assert digest != f"digest {digits_digest()}"
