"""Boards: which one a spec is for, what a project holds for it, and mistakes in words."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.support.board_files import on_board
from tpsgd_edge.assets import firmware_dir
from tpsgd_edge.errors import BudgetError, SpecError, ToolError
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.reports.costs import budget_of
from tpsgd_edge.spec import Spec, load_spec, spec_from_dict
from tpsgd_edge.stages import prepare, render_project
from tpsgd_edge.stages.boards import compile_board, place_of
from tpsgd_edge.toolchain.board import (
    all_boards,
    board_files,
    board_of,
    booting_boards,
    load_board,
    load_booting_board,
    with_board,
)
from tpsgd_edge.toolchain.board_emulators import node_packages
from tpsgd_edge.toolchain.board_file import read_board_file
from tpsgd_edge.toolchain.board_run import EmulatedBoard, Pace, erased_storage
from tpsgd_edge.toolchain.build import WARNINGS, device_flags
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.folder import write_project
from tpsgd_edge.toolchain.process import run_tool

BOARDS = booting_boards()
# Boards whose firmware is a user's own.
TAKEN = tuple(board for board in all_boards() if not board.boots)
TEXT = """\
name = "net"
model.layers = [{ name = "a", units = 4 }, { name = "b", units = 3 }]
data.file = "own.npz"
"""


def spec_with(folder: Path, platform: str, overrides: tuple[str, ...] = ()) -> Spec:
    (folder / "net.toml").write_text(f"{TEXT}\n[platform]\n{platform}\n", encoding="utf-8")
    return load_spec(folder / "net.toml", overrides)


def project_files(platform: dict, firmware: dict, units: int = 4) -> dict[str, str]:
    """The files of a small project on a board."""
    content = {
        "name": "net",
        "model": {"layers": [{"name": "a", "units": units}, {"name": "b", "units": 3}]},
        "data": {"file": "x.npz"},
        "platform": platform,
        "firmware": firmware,
    }
    spec = spec_from_dict(content)
    x = np.random.default_rng(1).standard_normal((30, 64)).astype(np.float32)
    prepared = prepare(spec, dataset_from_arrays(spec, x, np.arange(30) % 3))
    return dict(render_project(prepared).files)


def test_the_boards_that_are_there():
    assert [board.name for board in BOARDS] == [
        "microbit",
        "mps2-an386",
        "netduinoplus2",
        "pico",
        "riscv-virt",
    ]
    assert [board.name for board in TAKEN] == [
        *("esp32-c3", "esp32-c6", "microbit-v2", "nano33ble", "nucleo-f446re", "nucleo-l476rg"),
        *("pico2", "pico2-riscv", "stm32f4-discovery"),
    ]
    assert {board.name for board in BOARDS if board.emulator.keeps} == {"mps2-an386", "riscv-virt"}


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_a_board_has_code_for_all_it_names(board):
    files = board_files(board, has_store=True)
    script, numbers = files["board/link.ld"], files["board/tps_board_config.h"]
    for region in (board.memory.flash, board.memory.ram):
        assert f"ORIGIN = 0x{region.origin:08x}, LENGTH = 0x{region.size:08x}" in script
    assert f"UART_BASE UINT32_C(0x{board.uart.base:08X})" in numbers
    assert f"UART_INTERRUPT {board.uart.interrupt}\n" in numbers
    assert not re.search(r"\$[a-z]", script + numbers)
    if board.storage is not None:
        assert f"board/storage_{board.storage.driver}.c" in files
        assert f"STORAGE_BASE UINT32_C(0x{board.storage.base:08X})" in numbers


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_checkpoints_lie_beside_code_and_data(board):
    storage = board.storage
    if storage is None:
        pytest.skip("the board keeps none")
    end = storage.base + storage.block_size * storage.block_count
    for region in (board.memory.flash, board.memory.ram):
        assert end <= region.origin or region.origin + region.size <= storage.base


@pytest.mark.parametrize("board", all_boards(), ids=lambda board: board.name)
def test_the_numbers_of_a_board_fit_together(board):
    flash, ram = board.memory.flash, board.memory.ram
    assert 0 < board.memory.stack <= ram.size // 4
    assert flash.origin + flash.size <= ram.origin or ram.origin + ram.size <= flash.origin
    assert max(flash.origin + flash.size, ram.origin + ram.size) <= 2**32
    if board.erase is not None:
        assert flash.size % board.erase.block == flash.origin % board.erase.block == 0
        assert board.erase.block % board.erase.write == 0
    if board.clock is not None:
        assert 8e6 <= board.clock <= 1e9


@pytest.mark.parametrize("board", TAKEN, ids=lambda board: board.name)
def test_a_board_without_firmware_says_what_firmware_needs_and_who_says_so(board):
    assert board.clock is not None
    assert board.erase is not None
    assert len(board.sources) >= 2
    drive = board.flashing.drive
    assert drive is None or drive.format != "uf2" or board.erase.block % 256 == 0


def test_a_family_of_uf2_is_one_board_s():
    drives = [board.flashing.drive for board in all_boards() if board.flashing.drive]
    families = [drive.family for drive in drives if drive.family is not None]
    # RP2040, and RP2350 with its cores of Arm and of RISC-V (datasheet, 5.5.3).
    assert sorted(families) == [0xE48BFF56, 0xE48BFF59, 0xE48BFF5A]


def test_every_driver_belongs_to_a_board():
    used = {path for board in BOARDS for path in board_files(board, has_store=True)}
    there = {f"board/{path.name}" for path in (firmware_dir() / "board").glob("*.[ch]")}
    assert there <= used


class TestWhichBoard:
    def test_none_is_the_default(self, tmp_path):
        spec = spec_with(tmp_path, 'name = "cortex-m3"')
        assert board_of(spec) is None
        assert with_board(spec) is spec
        assert place_of(spec) == "cortex-m3"

    def test_it_sets_the_core_and_the_limits(self, tmp_path):
        spec = with_board(spec_with(tmp_path, 'board = "microbit"'))
        assert spec.platform.name == "cortex-m0plus"
        assert (budget_of(spec).ram, budget_of(spec).flash) == (16 * 1024, 224 * 1024)
        assert place_of(spec) == "microbit"
        assert with_board(spec) == spec

    def test_a_board_without_firmware_sets_them_too(self, tmp_path):
        spec = with_board(spec_with(tmp_path, 'board = "pico2"'))
        assert spec.platform.name == "cortex-m33"
        assert (budget_of(spec).ram, budget_of(spec).flash) == (520 * 1024, 4 * 1024 * 1024)
        assert place_of(spec) == "pico2"
        with pytest.raises(SpecError) as caught:
            load_booting_board("pico2")
        assert caught.value.what == "there is no firmware for the board 'pico2' here"
        assert "microbit, mps2-an386" in caught.value.help

    def test_a_limit_of_the_spec_stays(self, tmp_path):
        spec = with_board(spec_with(tmp_path, 'board = "microbit"\nram = "8K"'))
        assert budget_of(spec).ram == 8 * 1024

    @pytest.mark.parametrize(
        ("platform", "override", "found"),
        [
            ('board = "microbit"', 'platform.name="host"', None),
            ('name = "cortex-m3"', 'platform.board="microbit"', "microbit"),
            ('board = "microbit"', 'platform.board="riscv-virt"', "riscv-virt"),
            ('board = "microbit"', 'platform.name="cortex-m0plus"', "microbit"),
        ],
    )
    def test_what_the_command_line_says_stands_above_the_file(
        self, tmp_path, platform, override, found
    ):
        board = board_of(spec_with(tmp_path, platform, (override,)))
        assert (board and board.name) == found

    @pytest.mark.parametrize(
        ("platform", "overrides"),
        [
            ('name = "host"\nboard = "microbit"', ()),
            ("", ('platform.name="host"', 'platform.board="microbit"')),
        ],
    )
    def test_a_core_that_the_board_has_not_is_refused(self, tmp_path, platform, overrides):
        with pytest.raises(SpecError) as caught:
            prepare(spec_with(tmp_path, platform, overrides))
        assert caught.value.what == "the board 'microbit' has another core"
        assert 'name = "host", but its core is cortex-m0plus' in caught.value.found

    def test_an_unknown_board_names_the_nearest(self, tmp_path):
        with pytest.raises(SpecError) as caught:
            prepare(spec_with(tmp_path, 'board = "micro:bit"'))
        assert caught.value.what == "unknown board 'micro:bit'"
        assert caught.value.help == "did you mean 'microbit'?"


class TestProject:
    def test_without_a_board_there_is_no_code_for_one(self):
        files = project_files({"name": "cortex-m0plus"}, {"store": True})
        assert not [path for path in files if path.startswith("board/")]

    def test_of_a_board_without_firmware_there_is_only_the_model(self, tmp_path):
        files = project_files({"board": "pico2"}, {"store": True, "wire": True})
        assert not [path for path in files if path.startswith("board/")]
        assert {"net_store.h", "net_wire.h"} <= set(files)
        assert compile_board(spec_with(tmp_path, 'board = "pico2"'), _Project(), tmp_path) is None

    def test_without_a_wire_the_board_says_what_its_self_test_came_to(self):
        main = project_files({"board": "microbit"}, {})["board/main.c"]
        assert 'say("net: self-test ");' in main
        assert "net_init(&model);" in main
        assert "store" not in main.replace("`store", "")

    def test_with_a_wire_and_a_store_both_are_served(self):
        files = project_files({"board": "microbit"}, {"store": True, "wire": True})
        main = files["board/main.c"]
        assert "net_load(&store, &tps_board_storage, &model);" in main
        assert "wire.scratch = &scratch;" in main
        assert "wire.storage = &tps_board_storage;" in main
        assert "board/storage_nrf51.c" in files

    def test_a_board_that_cannot_keep_anything_begins_anew(self):
        files = project_files({"board": "netduinoplus2"}, {"store": True, "wire": True})
        assert "net_init(&model);" in files["board/main.c"]
        assert not [path for path in files if "storage_" in path and path.startswith("board/")]

    def test_a_second_model_is_there_where_there_is_room(self):
        main = project_files({"board": "microbit"}, {"wire": True}, units=60)["board/main.c"]
        assert "net_wire_open(&wire, &uart, &model);" in main
        assert "scratch" not in main


GOOD = """\
title = "a board"
notes = ""
platform = "cortex-m3"
memory = { flash = { origin = 0, size = 4096 }, ram = { origin = 8192, size = 4096 }, stack = 512 }
uart = { driver = "cmsdk", base = 0x40004000, interrupt = 0, clock = 25000000 }
storage = { driver = "memory", base = 65536, block_size = 4096, block_count = 4, file_size = 16384 }
qemu = { command = "qemu-system-arm", arguments = ["-M", "mps2-an385"], keeps = ["$file"] }
flashing.drive = { name = "DISK", format = "hex", ready = "plug it in" }
"""


class TestBoardFiles:
    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / "a.toml"

    def test_a_good_one_is_read(self, path):
        path.write_text(GOOD, encoding="utf-8")
        keys = read_board_file(path)
        assert (keys.uart.baud, keys.qemu.program) == (115200, "-kernel")
        assert keys.storage.file_size == 16384

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            ("title", "titel", ["'title' is missing", "unknown key 'titel'"]),
            (", interrupt = 0", "", ["'interrupt' is missing"]),
            (
                ', keeps = ["$file"]',
                "",
                ["how QEMU keeps its storage", "no qemu.keeps"],
            ),
            ("qemu = {", "# qemu = {", ["how its firmware runs", "[uart] and [storage] alone"]),
            ("uart = {", "# uart = {", ["how its firmware runs", "[storage] and [qemu] alone"]),
            ("notes", 'node = { script = "a.mjs", package = "a" }\nnotes', ["[qemu] and [node]"]),
            ("hex", "uf2", ["which UF2 files", 'format = "uf2" without a family']),
            ("ready", "family = 1, ready", ["which UF2 files", 'format = "hex" with a family']),
            ("hex", "elf", ["unknown value of 'format'", "uf2, hex, bin"]),
            (", file_size = 16384", "", ["qemu.keeps without storage.file_size"]),
            ('title = "', "title = ", ["is not valid TOML"]),
        ],
    )
    def test_a_mistake_is_answered_in_words(self, path, old, new, words):
        path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(SpecError) as caught:
            read_board_file(path)
        for word in words:
            assert word in caught.value.message()


class TestRunning:
    def test_a_storage_that_qemu_forgets_has_no_file(self, tmp_path):
        with pytest.raises(ToolError) as caught:
            erased_storage(load_board("microbit"), tmp_path / "flash.bin")
        assert "QEMU does not keep the storage of BBC micro:bit" in caught.value.what

    def test_a_missing_emulator_is_named(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(ToolError) as caught:
            EmulatedBoard(load_board("microbit"), tmp_path / "net.elf")
        assert caught.value.what == "the emulator qemu-system-arm is not installed"
        assert "apt install qemu-system-arm" in caught.value.help

    def test_a_missing_package_of_node_is_named(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.prefix", str(tmp_path))
        monkeypatch.setenv("NODE_PATH", "")
        with pytest.raises(ToolError) as caught:
            EmulatedBoard(load_board("pico"), tmp_path / "net.elf")
        assert caught.value.what == "the package rp2040js is not installed"
        assert (caught.value.where, caught.value.help) == ("board 'pico'", "npm install rp2040js")
        (tmp_path / "node_modules" / "rp2040js").mkdir(parents=True)
        (tmp_path / "node_modules" / "rp2040js" / "package.json").touch()
        assert node_packages("rp2040js") == (tmp_path / "node_modules").resolve()

    def test_bytes_take_their_time_one_after_the_other(self, monkeypatch):
        slept, clock = [], [100.0]
        monkeypatch.setattr("time.monotonic", lambda: clock[0])
        monkeypatch.setattr("time.sleep", slept.append)
        pace = Pace(1000)
        pace.wait(10)
        clock[0] += 0.05
        pace.wait(10)
        clock[0] += 100
        pace.wait(1)
        assert slept == pytest.approx([0.1, 0.15, 0.01])
        Pace(None).wait(1000)
        assert len(slept) == 3


class _Failure:
    """A linker that finds no room."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __call__(self, *_args: object, **_options: object) -> None:
        raise ToolError("linking for microbit failed", found=self.text)


@pytest.mark.parametrize(
    "text",
    [
        "ld.lld: error: section '.bss' will not fit in region 'RAM': overflowed by 1234 bytes",
        "ld: region `RAM' overflowed by 1234 bytes",
    ],
)
def test_firmware_that_does_not_fit_is_told_in_words(tmp_path, monkeypatch, text):
    spec = spec_with(tmp_path, 'board = "microbit"')
    monkeypatch.setattr("tpsgd_edge.stages.boards.compile_firmware", _Failure(text))
    with pytest.raises(BudgetError) as caught:
        compile_board(spec, _Project(), tmp_path)
    assert caught.value.what == "the firmware does not fit into the board 'microbit'"
    assert caught.value.found.startswith("1,234 bytes too many; it has 229,376 bytes of flash")
    monkeypatch.setattr("tpsgd_edge.stages.boards.compile_firmware", _Failure("no such file"))
    with pytest.raises(ToolError, match="linking for microbit failed"):
        compile_board(spec, _Project(), tmp_path)


class _Project:
    """As much of a project as is asked for before anything is compiled."""

    name, sources = "net", ()


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_the_code_of_a_board_compiles_without_a_warning(tmp_path, board):
    try:
        compiler = find_compiler(board.platform, "gcc")
    except ToolError as error:
        pytest.skip(error.what)
    _, project = on_board(board.name)
    write_project(project.files, tmp_path / "net")
    sources = [path for path in board.image(has_store=True).sources if path.startswith("board/")]
    assert "board/main.c" in sources
    own = ("-DTPS_BOARD", *WARNINGS, "-Werror", "-fsyntax-only", "-I.", "-Iboard")
    flags = (*device_flags(board.platform, compiler), *own)
    run_tool([*compiler.command, *flags, *sources], purpose="gcc", timeout=60, cwd=tmp_path / "net")
