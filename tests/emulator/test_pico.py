"""The Raspberry Pi Pico: what its boot ROM finds in flash, and a UF2 file that learns."""

import re
import subprocess
import zlib
from pathlib import Path

import pytest

from tests.support.board_files import board_program
from tools import pico_steps
from tpsgd_edge.errors import ToolError
from tpsgd_edge.spec import load_spec
from tpsgd_edge.toolchain.board import load_board
from tpsgd_edge.toolchain.board_emulators import node_packages
from tpsgd_edge.toolchain.compilers import PREFERENCE_VARIABLE
from tpsgd_edge.toolchain.elf import read_elf
from tpsgd_edge.toolchain.node_link import node_command

pytestmark = [pytest.mark.emulator, pytest.mark.slow]

FLASH, RAM, SERIAL, SYSTEM = 0x10000000, 0x20000000, 0x18000000, 0xE000E000
VTOR = 0xE000ED08
BOOT2 = 256
EXAMPLE = Path(__file__).parents[2] / "examples" / "digits_uno.toml"


@pytest.fixture
def emulator():
    """Where rp2040js is."""
    try:
        node_command()
        return node_packages("rp2040js")
    except ToolError as error:
        pytest.skip(error.what)


@pytest.fixture(params=["gcc", "zig"])
def flash(request, tmp_path, monkeypatch):
    """The first bytes of a program of each compiler."""
    monkeypatch.setenv(PREFERENCE_VARIABLE, request.param)
    try:
        elf = read_elf(board_program("pico", tmp_path, has_wire=False).path)
    except ToolError as error:
        if "no C compiler" not in error.what:
            raise
        pytest.skip(error.what)
    return elf.code(FLASH, BOOT2 + 8)


def reversed_bits(value: int, width: int) -> int:
    return int(f"{value:0{width}b}"[::-1], 2)


def test_the_boot_rom_finds_the_crc_that_it_makes(flash):
    """zlib's reversed CRC of reversed bytes is the plain one."""
    mirrored = bytes(reversed_bits(byte, 8) for byte in flash[: BOOT2 - 4])
    plain = reversed_bits(zlib.crc32(mirrored) ^ 0xFFFFFFFF, 32)
    assert int.from_bytes(flash[BOOT2 - 4 : BOOT2], "little") == plain


@pytest.mark.parametrize("back", [0, FLASH + 0x801])
def test_the_first_bytes_make_flash_readable_and_go_on(flash, back):
    """In unicorn, from RAM as the boot ROM has them: what is written to the serial interface."""
    unicorn = pytest.importorskip("unicorn")
    arm = pytest.importorskip("unicorn.arm_const")
    core = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    core.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M0)
    for start in (FLASH, RAM, SERIAL, SYSTEM):
        core.mem_map(start, 0x1000)
    core.mem_write(FLASH, flash)
    core.mem_write(RAM, flash[:BOOT2])
    written = []
    core.hook_add(
        unicorn.UC_HOOK_MEM_WRITE,
        lambda _core, _kind, address, _size, value, _data: written.append((address, value)),
    )
    stack, reset = (int.from_bytes(flash[at : at + 4], "little") for at in (BOOT2, BOOT2 + 4))
    core.reg_write(arm.UC_ARM_REG_LR, back)
    core.emu_start(RAM | 1, (back or reset) & ~1, count=100)
    # Datasheet, 4.10.13: off, clock / 4, 32 bits of data, one word, command 03h, on.
    assert written[:6] == [
        (SERIAL + 0x08, 0),
        (SERIAL + 0x14, 4),
        (SERIAL + 0x00, 31 << 16 | 3 << 8),
        (SERIAL + 0x04, 0),
        (SERIAL + 0xF4, 0x03 << 24 | 2 << 8 | (24 // 4) << 2),
        (SERIAL + 0x08, 1),
    ]
    assert core.reg_read(arm.UC_ARM_REG_PC) == (back or reset) & ~1
    assert written[6:] == ([] if back else [(VTOR, FLASH + BOOT2)])
    if not back:
        assert core.reg_read(arm.UC_ARM_REG_MSP) == stack == RAM + 264 * 1024


def test_a_uf2_file_learns_over_its_uart_what_the_reference_learns(emulator, capsys):
    assert pico_steps.learn(load_spec(EXAMPLE, pico_steps.SETTINGS), passes=20)
    said = capsys.readouterr().out
    assert "self-test passed, 240 steps, digest EBD737F4, of the reference EBD737F4" in said
    assert 250 < int(re.search(r" (\d+) us ", said)[1]) < 450


@pytest.mark.parametrize(
    ("at", "change", "words"),
    [
        (4, b"\1", "the CRC of the first 256 bytes is wrong"),
        (BOOT2 - 4, b"\1", "the CRC of the first 256 bytes is wrong"),
        (None, b"\x7fELF", "bytes at 0x20000000, outside of flash"),
        (None, b"text", "neither ELF nor UF2"),
    ],
)
def test_what_a_boot_rom_would_not_start_is_refused(emulator, tmp_path, at, change, words):
    if at is None:
        # An ELF whose only segment would lie in RAM.
        program = bytearray(0x100)
        program[:4] = change
        program[28:32], program[44] = (0x40).to_bytes(4, "little"), 1
        program[0x40], program[0x4F], program[0x50] = 1, 0x20, 4
        (tmp_path / "a").write_bytes(program)
    else:
        built = board_program("pico", tmp_path, has_wire=False).path
        program = bytearray(built.read_bytes())
        start = program.index(read_elf(built).code(FLASH, BOOT2))
        program[start + at] ^= change[0]
        (tmp_path / "a").write_bytes(program)
    board = load_board("pico")
    done = subprocess.run(
        board.emulator.words(tmp_path / "a", has_wire=False),
        env={"NODE_PATH": str(emulator), "PATH": str(Path(node_command()).parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert words in done.stderr
