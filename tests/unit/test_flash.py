"""Flashing: images of programs, read by independent readers, and commands of tools."""

import json
import os
import shutil
import stat
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpsgd_edge.cli import run
from tpsgd_edge.errors import OutputError, SpecError, ToolError
from tpsgd_edge.toolchain import doctor, flashing
from tpsgd_edge.toolchain.board import all_boards, board_files, booting_boards, load_board
from tpsgd_edge.toolchain.elf import Elf
from tpsgd_edge.toolchain.flash_image import check_place, intel_hex, plain_image, uf2
from tpsgd_edge.toolchain.flashing import HARNESS_SECTION, WAYS, flash, ways_of
from tpsgd_edge.toolchain.platforms import all_platforms, port_files

FLASHED = [board for board in all_boards() if ways_of(board)]
BASE = 0x10000000


@st.composite
def programs(draw):
    """Segments that do not overlap, near and across the boundaries of pages, rows and 64 KB."""
    starts = st.sampled_from([0, 1, 15, 16, 255, 256, 4095, 4096, 0xFFF8, 0x10000, 0x1FFFF])
    segments, end = {}, BASE
    for _ in range(draw(st.integers(1, 4))):
        start = max(end, BASE + draw(starts))
        segments[start] = draw(st.binary(min_size=1, max_size=600))
        end = start + len(segments[start])
    return segments


def bytes_at(segments):
    """Every byte of a program, by address."""
    return {start + i: value for start, piece in segments.items() for i, value in enumerate(piece)}


def read_uf2(content):
    """Bytes by address, as the format's specification tells a boot loader to read a file."""
    assert len(content) % 512 == 0
    found, count = {}, len(content) // 512
    for number in range(count):
        block = content[512 * number : 512 * (number + 1)]
        word = [int.from_bytes(block[at : at + 4], "little") for at in range(0, 32, 4)]
        assert block[:4] == b"UF2\n"
        assert word[1] == 0x9E5D5157
        assert block[508:] == bytes.fromhex("306fb10a")
        assert word[2] == 0x2000, "the family is there, and nothing is to be left out"
        assert word[4] == 256
        assert word[3] % 256 == 0
        assert (word[5], word[6], word[7]) == (number, count, 0xE48BFF56)
        assert not any(block[32 + 256 : 508])
        for i in range(256):
            assert word[3] + i not in found
            found[word[3] + i] = block[32 + i]
    return found


def read_hex(text):
    """Bytes by address of an Intel HEX file."""
    found, upper, lines = {}, 0, text.splitlines()
    assert lines[-1] == ":00000001FF"
    for line in lines[:-1]:
        assert line[0] == ":"
        record = bytes.fromhex(line[1:])
        assert sum(record) % 256 == 0
        length, low, kind, data = record[0], record[1:3], record[3], record[4:-1]
        assert length == len(data)
        if kind == 4:
            upper = int.from_bytes(data, "big") << 16
            continue
        assert kind == 0
        start = int.from_bytes(low, "big")
        assert start + length <= 0x10000
        for i, value in enumerate(data):
            assert upper + start + i not in found
            found[upper + start + i] = value
    return found


@given(programs())
def test_uf2_brings_each_byte_and_whole_sectors(segments):
    found, expected = read_uf2(uf2(segments, 0xE48BFF56, sector=4096)), bytes_at(segments)
    sectors = {address // 4096 for address in expected}
    assert {address // 4096 for address in found} == sectors
    assert len(found) == 4096 * len(sectors)
    assert {address: found[address] for address in expected} == expected
    assert {value for address, value in found.items() if address not in expected} <= {0xFF}


@given(programs())
def test_hex_brings_each_byte_and_no_other(segments):
    assert read_hex(intel_hex(segments).decode()) == bytes_at(segments)


@given(programs())
def test_a_plain_image_begins_with_the_first_byte(segments):
    image, expected, first = plain_image(segments), bytes_at(segments), min(segments)
    assert len(image) == max(expected) + 1 - first
    assert all(value == expected.get(first + i, 0xFF) for i, value in enumerate(image))


def test_a_block_of_uf2_to_the_byte():
    content = uf2({0x10000100: b"abc"}, 0xE48BFF59, sector=256)
    head = "5546320a 57515d9e 00200000 00010010 00010000 00000000 01000000 59ff8be4"
    assert content[:35] == bytes.fromhex(head) + b"abc"
    assert content[35:288] == b"\xff" * 253
    assert content[288:] == bytes(220) + bytes.fromhex("306fb10a")


@pytest.mark.skipif(shutil.which("arm-none-eabi-objcopy") is None, reason="needs objcopy")
def test_objcopy_reads_the_same_of_hex(tmp_path):
    segments = {0x0001FFF5: bytes(range(40)), 0x00020100: b"end"}
    (tmp_path / "a.hex").write_bytes(intel_hex(segments))
    words = ["arm-none-eabi-objcopy", "-I", "ihex", "-O", "binary", "--gap-fill", "0xff"]
    subprocess.run([*words, "a.hex", "a.bin"], cwd=tmp_path, check=True, timeout=60)
    assert (tmp_path / "a.bin").read_bytes() == plain_image(segments)


@pytest.mark.parametrize(
    ("segments", "found"),
    [
        ({0x00000000: b"1234"}, "4 bytes at 0x00000000; its flash has 2,097,152 bytes"),
        ({0x101FFFFD: b"1234"}, "4 bytes at 0x101ffffd"),
        ({}, "no bytes that are loaded"),
    ],
)
def test_a_program_for_another_memory_is_refused(segments, found):
    board = load_board("pico")
    with pytest.raises(ToolError) as caught:
        check_place(segments, board.memory.flash, board.name)
    assert found in caught.value.found


def test_a_program_that_fills_the_flash_is_taken():
    check_place({0x101FFFFC: b"1234"}, load_board("pico").memory.flash, "pico")


def elf(path: Path, start: int, content: bytes = b"firmware") -> Path:
    """The least ELF: one segment to be loaded."""
    head = struct.pack(
        "<4s5B7xHHIIIIIHHHHHH",
        *(b"\x7fELF", 1, 1, 1, 0, 0),
        *(2, 40, 1, start, 52, 0, 0, 52, 32, 1, 40, 0, 0),
    )
    segment = struct.pack("<8I", 1, 84, start, start, len(content), len(content), 5, 4)
    path.write_bytes(head + segment + content)
    return path


def program_for(board, folder):
    return elf(folder / "net.elf", board.memory.flash.origin)


def test_the_harness_of_a_core_is_refused_wherever_it_lies(tmp_path, monkeypatch):
    monkeypatch.setattr(
        flashing, "read_elf", lambda path: Elf({0: b"1234"}, {HARNESS_SECTION: 4}, {}, ())
    )
    for name in ("microbit-v2", "pico", "esp32-c3"):
        with pytest.raises(ToolError) as caught:
            flash(load_board(name), tmp_path / "net.elf", dry_run=True)
        assert caught.value.what == "the program is no firmware"
        assert "harness of an emulated core" in caught.value.found


def test_the_linker_script_tells_a_harness_from_firmware():
    for platform in all_platforms():
        if platform.is_core:
            assert f"{HARNESS_SECTION} :" in port_files(platform)["port/link.ld"]
    for board in booting_boards():
        assert HARNESS_SECTION not in board_files(board, has_store=True)["board/link.ld"]


class TestWays:
    def test_boards_that_can_be_bought_have_one(self):
        machines = {board.name for board in all_boards()} - {board.name for board in FLASHED}
        assert machines == {"mps2-an386", "riscv-virt"}

    def test_each_way_is_somebody_s_and_has_commands(self):
        assert {way for board in FLASHED for way in ways_of(board)} == set(WAYS)
        assert {"drive", *flashing._COMMANDS} == set(WAYS)
        assert set(flashing.INSTALL_FLASHER) == set(flashing._COMMANDS)
        assert set(flashing._COMMANDS) <= {program[0] for program in doctor._PROGRAMS}

    @pytest.mark.parametrize("board", FLASHED, ids=lambda board: board.name)
    def test_a_dry_run_says_all_and_does_nothing(self, tmp_path, monkeypatch, board):
        monkeypatch.setenv("PATH", "")
        for way in ways_of(board):
            done = flash(board, program_for(board, tmp_path), way=way, port="COM7", dry_run=True)
            assert (done.board, done.way, done.is_done) == (board.name, way, False)
            drive = board.flashing.drive
            words = f": {drive.ready}" if way == "drive" else "net."
            assert words in done.steps[-1] + done.steps[0]
        assert [path.name for path in tmp_path.iterdir()] == ["net.elf"]

    def test_a_machine_of_qemu_is_refused(self, tmp_path):
        with pytest.raises(SpecError) as caught:
            flash(load_board("riscv-virt"), tmp_path / "a.elf")
        assert caught.value.what == "the board 'riscv-virt' cannot be flashed"

    def test_a_way_of_other_boards_is_refused(self, tmp_path):
        with pytest.raises(SpecError) as caught:
            flash(load_board("pico"), tmp_path / "a.elf", way="esptool")
        assert caught.value.what == "the board 'pico' is not flashed by esptool"
        assert caught.value.help == "it takes programs by drive or probe-rs"


class TestDrive:
    @pytest.mark.parametrize(
        ("name", "suffix", "text"),
        [
            ("pico", "uf2", b"firmware"),
            ("microbit", "hex", b"6669726D77617265"),
            ("nucleo-f446re", "bin", b"firmware"),
        ],
    )
    def test_the_file_of_its_kind_is_copied(self, tmp_path, name, suffix, text):
        board = load_board(name)
        done = flash(board, program_for(board, tmp_path), drive=tmp_path)
        content = (tmp_path / f"net.{suffix}").read_bytes()
        assert done.steps == (f"copied {len(content):,} bytes to {tmp_path}/net.{suffix}",)
        assert done.is_done
        assert text in content

    def test_the_drive_is_found_by_its_name(self, tmp_path, monkeypatch):
        monkeypatch.setattr(flashing, "_MOUNTS", (f"{tmp_path}/*/{{}}",))
        board = load_board("pico2")
        (tmp_path / "ann" / "RP2350").mkdir(parents=True)
        flash(board, program_for(board, tmp_path))
        assert (tmp_path / "ann" / "RP2350" / "net.uf2").is_file()
        (tmp_path / "ben" / "RP2350").mkdir(parents=True)
        with pytest.raises(ToolError, match="RP2350 is there twice"):
            flash(board, program_for(board, tmp_path))

    def test_a_drive_that_is_not_there_says_how_it_comes_up(self, tmp_path, monkeypatch):
        monkeypatch.setattr(flashing, "_MOUNTS", (f"{tmp_path}/{{}}",))
        board = load_board("pico")
        with pytest.raises(ToolError) as caught:
            flash(board, program_for(board, tmp_path))
        assert caught.value.what == "the drive RPI-RP2 is not there"
        assert "hold BOOTSEL" in caught.value.help

    def test_a_drive_that_takes_nothing_is_named(self, tmp_path):
        board = load_board("pico")
        with pytest.raises(OutputError) as caught:
            flash(board, program_for(board, tmp_path), drive=tmp_path / "gone")
        assert caught.value.what == "the drive does not take the program"


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """Puts a program of a name on the path that writes down how it is called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")

    def install(name: str, after: str = "") -> None:
        path = folder / name
        path.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n{after}\n', encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    return install


def calls(tmp_path: Path) -> list[str]:
    return (tmp_path / "calls").read_text(encoding="utf-8").splitlines()


class TestTools:
    def test_probe_rs_downloads_and_resets(self, tmp_path, tool):
        tool("probe-rs")
        board = load_board("nano33ble")
        program = program_for(board, tmp_path)
        assert flash(board, program, way="probe-rs").is_done
        assert calls(tmp_path) == [
            f"download --chip nRF52840_xxAA {program}",
            "reset --chip nRF52840_xxAA",
        ]

    @pytest.mark.parametrize("name", ["esptool", "esptool.py"])
    def test_esptool_makes_an_image_and_writes_it(self, tmp_path, tool, name):
        tool(name)
        board = load_board("esp32-c6")
        flash(board, elf(tmp_path / "net.elf", 0x40800000), port="/dev/ttyACM0")
        made, written = calls(tmp_path)
        image = made.split()[4]
        assert made == f"--chip esp32c6 elf2image --output {image} {tmp_path}/net.elf"
        assert written == f"--chip esp32c6 --port /dev/ttyACM0 write_flash 0x10000 {image}"

    def test_bossac_gets_the_bare_bytes(self, tmp_path, tool):
        tool("bossac", f'cp "$6" {tmp_path}/got.bin')
        board = load_board("nano33ble")
        flash(board, program_for(board, tmp_path), port="/dev/ttyACM0")
        assert calls(tmp_path)[0].startswith("--port=/dev/ttyACM0 -U -i -e -w ")
        assert (tmp_path / "got.bin").read_bytes() == b"firmware"

    def test_a_failure_ends_it(self, tmp_path, tool):
        tool("probe-rs", "echo no probe was found >&2; exit 1")
        board = load_board("stm32f4-discovery")
        with pytest.raises(ToolError) as caught:
            flash(board, program_for(board, tmp_path))
        assert caught.value.what == "probe-rs failed"
        assert "no probe was found" in caught.value.found
        assert len(calls(tmp_path)) == 1

    @pytest.mark.parametrize("way", sorted(flashing._COMMANDS))
    def test_a_missing_tool_says_where_it_comes_from(self, tmp_path, monkeypatch, way):
        monkeypatch.setenv("PATH", str(tmp_path))
        board = next(board for board in FLASHED if way in ways_of(board))
        with pytest.raises(ToolError) as caught:
            flash(board, program_for(board, tmp_path), way=way)
        assert caught.value.what == f"{way} is not installed"
        assert caught.value.help == flashing.INSTALL_FLASHER[way]


SPEC = """\
name = "net"
model.layers = [{ name = "a", units = 4 }, { name = "b", units = 3 }]
data.file = "own.npz"
"""


class TestCommand:
    @pytest.fixture
    def command(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

        def call(board: str, *words: str) -> int:
            line = f'platform.board = "{board}"\n' if board else ""
            Path("net.toml").write_text(SPEC + line, encoding="utf-8")
            return run(["flash", "net.toml", *words])

        return call

    def test_a_program_of_one_s_own_goes_onto_the_drive(self, command, tmp_path, capsys):
        program_for(load_board("pico"), tmp_path)
        assert command("pico", "--program", "net.elf", "--drive", ".", "--json") == 0
        said = json.loads(capsys.readouterr().out)
        assert said == {
            "board": "pico",
            "way": "drive",
            "program": "net.elf",
            "steps": ["copied 8,192 bytes to net.uf2"],
            "done": True,
        }
        assert read_uf2(Path("net.uf2").read_bytes())[BASE] == ord("f")

    def test_what_was_built_is_the_default(self, command, tmp_path, capsys):
        folder = tmp_path / "build" / "net-microbit" / "build"
        folder.mkdir(parents=True)
        elf(folder / "net.elf", 0)
        assert command("microbit", "--dry-run") == 0
        said = "copy net.hex (40 bytes) to the drive MICROBIT: plug in its USB cable\n"
        assert capsys.readouterr().out == said

    @pytest.mark.parametrize(
        ("board", "code", "words"),
        [
            ("", 2, ["the spec names no board", 'board = "pico"']),
            ("pico2", 2, ["there is no firmware for the board 'pico2' here", "--program FILE"]),
            ("microbit", 3, ["there is no program yet", "tpsgd-edge build net.toml"]),
        ],
    )
    def test_without_a_program_it_says_what_to_do(self, command, capsys, board, code, words):
        assert command(board) == code
        said = capsys.readouterr().err
        assert not [word for word in words if word not in said], said
