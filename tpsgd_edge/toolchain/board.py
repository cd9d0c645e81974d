"""Boards: core, memory map, clock and flashing of each, one TOML file each in boards/."""

import string
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

from tpsgd_edge.assets import firmware_dir
from tpsgd_edge.errors import SpecError
from tpsgd_edge.spec import Spec
from tpsgd_edge.spec.problems import did_you_mean
from tpsgd_edge.toolchain.board_emulators import BoardNode, BoardQemu, board_node, board_qemu
from tpsgd_edge.toolchain.board_file import (
    BoardQemuKeys,
    DriveKeys,
    EraseKeys,
    FlashingKeys,
    ImageFormat,
    NodeKeys,
    StorageKeys,
    UartKeys,
    read_board_file,
)
from tpsgd_edge.toolchain.build import Image
from tpsgd_edge.toolchain.platforms import MemoryMap, Platform, load_platform, memory_map

_FOLDER = Path(__file__).resolve().parent / "boards"
_FILES = ("tps_board.h", "tps_start.h", "tps_uart.h")


@dataclass(frozen=True, slots=True)
class Uart:
    """A UART: the driver of firmware/board that knows it, and its numbers."""

    driver: str
    base: int
    interrupt: int
    clock: int
    baud: int


@dataclass(frozen=True, slots=True)
class Storage:
    """Blocks for checkpoints, and the driver of firmware/board that writes them.

    Attributes:
        file_size: of the file in which QEMU keeps them; None where it forgets them at its end.
    """

    driver: str
    base: int
    block_size: int
    block_count: int
    file_size: int | None


@dataclass(frozen=True, slots=True)
class Drive:
    """The USB drive that a board is, which programs what is copied to it.

    Attributes:
        name: its volume label.
        family: that of its UF2 files; None of other formats.
        ready: how the drive comes up.
    """

    name: str
    format: ImageFormat
    family: int | None
    ready: str


@dataclass(frozen=True, slots=True)
class Flashing:
    """Ways in which a program gets onto a board.

    Attributes:
        bossac: whether its boot loader talks to bossac.
        esptool, probe: what esptool and probe-rs call the chip; None where they do not know it.
    """

    drive: Drive | None
    bossac: bool
    esptool: str | None
    probe: str | None


@dataclass(frozen=True, slots=True)
class Erase:
    """Geometry of flash: bytes that are erased at once, and bytes that are written at once."""

    block: int
    write: int


@dataclass(frozen=True, slots=True)
class Board:
    """A board that one can buy, or a machine of QEMU.

    Attributes:
        memory: the largest RAM in one piece, the flash for programs, and the least stack.
        clock: of its core in Hz: that of the firmware here where there is some, else the highest
            that its maker rates it for; None of a machine that has none.
        erase: geometry of the flash, for checkpoints; None where nothing is known.
        sources: documents that the numbers are from.
    """

    name: str
    title: str
    notes: str
    platform: Platform
    memory: MemoryMap
    clock: int | None
    erase: Erase | None
    flashing: Flashing
    sources: tuple[str, ...]

    @property
    def boots(self) -> bool:
        """Tell whether the project has firmware for it, which an emulator runs."""
        return False


@dataclass(frozen=True, slots=True)
class BootingBoard(Board):
    """A board for which there are start-up code and drivers, and an emulator that runs them.

    Attributes:
        files: of firmware/board, besides start-up code and drivers.
        storage: None where checkpoints cannot be kept.
    """

    files: tuple[str, ...]
    uart: Uart
    storage: Storage | None
    emulator: BoardQemu | BoardNode

    @property
    def boots(self) -> bool:
        """Tell whether the project has firmware for it, which an emulator runs."""
        return True

    def image(self, *, has_store: bool) -> Image:
        """Start-up code and drivers around the model's code, to be linked for the board."""
        files = board_files(self, has_store=has_store)
        sources = (*(path for path in files if path.endswith(".c")), "board/main.c")
        own = ("-DTPS_BOARD", "-Iboard")
        return Image("board", self.name, (*sources, "port/memory.c"), "tps_board_reset", own)


def load_board(name: str) -> Board:
    """The board of this name.

    Raises:
        SpecError: there is none.
    """
    if name not in _names():
        raise SpecError(
            f"unknown board '{name}'", where="platform.board", help=did_you_mean(name, _names())
        )
    return _read(name)


def load_booting_board(name: str) -> BootingBoard:
    """The board of this name, for which the project has firmware.

    Raises:
        SpecError: there is none, or its firmware is to be your own.
    """
    board = load_board(name)
    if not isinstance(board, BootingBoard):
        raise SpecError(
            f"there is no firmware for the board '{name}' here",
            where="platform.board",
            help=f"boards with firmware: {', '.join(other.name for other in booting_boards())}",
        )
    return board


def all_boards() -> tuple[Board, ...]:
    """Every board, by name."""
    return tuple(_read(name) for name in _names())


def booting_boards() -> tuple[BootingBoard, ...]:
    """Every board for which the project has firmware, by name."""
    return tuple(board for board in all_boards() if isinstance(board, BootingBoard))


def board_of(spec: Spec) -> Board | None:
    """The board that a spec is for.

    A platform that was chosen on the command line stands above the board of the file, and a board
    that was chosen there above the file's platform.

    Raises:
        SpecError: there is no such board, or platform and board contradict each other.
    """
    name = spec.platform.board
    if name is None:
        return None
    board = load_board(name)
    is_other = spec.platform.name != board.platform.name
    if "name" not in spec.platform.model_fields_set or not is_other:
        return board
    chosen = {override.partition("=")[0].strip() for override in spec.overrides}
    if ("platform.name" in chosen) != ("platform.board" in chosen):
        return board if "platform.board" in chosen else None
    raise SpecError(
        f"the board '{name}' has another core",
        where=f"{spec.source}, [platform]",
        found=f'name = "{spec.platform.name}", but its core is {board.platform.name}',
        help="leave `name` out: the board says it",
    )


def with_board(spec: Spec) -> Spec:
    """The spec with what follows from its board: platform, and RAM and flash where none is given.

    Raises:
        SpecError: as `board_of` does.
    """
    board = board_of(spec)
    if board is None:
        return spec
    own = spec.platform
    sizes = {
        "ram": board.memory.ram.size if own.ram is None else own.ram,
        "flash": board.memory.flash.size if own.flash is None else own.flash,
    }
    platform = own.model_copy(update={"name": board.platform.name, **sizes})
    return spec.model_copy(update={"platform": platform})


def board_files(board: BootingBoard, *, has_store: bool) -> dict[str, str]:
    """Start-up code, drivers, numbers and linker script of a board, path -> text."""
    folder = firmware_dir() / "board"
    names = [
        *_FILES,
        *board.files,
        f"startup_{board.platform.port}.c",
        f"uart_{board.uart.driver}.c",
    ]
    if has_store and board.storage is not None:
        names += ["tps_board_storage.h", "storage.c", f"storage_{board.storage.driver}.c"]
    files = {f"board/{name}": (folder / name).read_text(encoding="utf-8") for name in names}
    for name in ("tps_board_config.h", "link.ld"):
        text = (folder / f"{name}.in").read_text(encoding="utf-8")
        files[f"board/{name}"] = string.Template(text).substitute(_numbers(board))
    return files


def _numbers(board: BootingBoard) -> Mapping[str, str]:
    memory, uart, storage = board.memory, board.uart, board.storage
    return {
        "title": board.title,
        "flash_origin": f"0x{memory.flash.origin:08x}",
        "flash_size": f"0x{memory.flash.size:08x}",
        "ram_origin": f"0x{memory.ram.origin:08x}",
        "ram_size": f"0x{memory.ram.size:08x}",
        "stack_size": f"0x{memory.stack:x}",
        "uart_base": f"0x{uart.base:08X}",
        "uart_interrupt": str(uart.interrupt),
        "uart_clock": str(uart.clock),
        "baud": str(uart.baud),
        "storage_base": f"0x{storage.base if storage else 0:08X}",
        "storage_block_size": str(storage.block_size if storage else 0),
        "storage_block_count": str(storage.block_count if storage else 0),
    }


@cache
def _names() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


@cache
def _read(name: str) -> Board:
    keys = read_board_file(_FOLDER / f"{name}.toml")
    board = Board(
        name=name,
        title=keys.title,
        notes=keys.notes,
        platform=load_platform(keys.platform),
        memory=memory_map(keys.memory),
        clock=keys.clock,
        erase=None if keys.erase is None else _erase(keys.erase),
        flashing=_flashing(keys.flashing),
        sources=tuple(keys.sources or ()),
    )
    # A board file has a UART and one emulator, or neither.
    emulator = keys.qemu or keys.node
    if keys.uart is None or emulator is None:
        return board
    return BootingBoard(
        **{item.name: getattr(board, item.name) for item in fields(board)},
        files=tuple(keys.files or ()),
        uart=_uart(keys.uart),
        storage=None if keys.storage is None else _storage(keys.storage),
        emulator=_emulator(emulator),
    )


def _emulator(keys: BoardQemuKeys | NodeKeys) -> BoardQemu | BoardNode:
    return board_qemu(keys) if isinstance(keys, BoardQemuKeys) else board_node(keys)


def _erase(keys: EraseKeys) -> Erase:
    return Erase(keys.block, keys.write)


def _flashing(keys: FlashingKeys) -> Flashing:
    drive = None if keys.drive is None else _drive(keys.drive)
    return Flashing(drive, keys.bossac, keys.esptool, keys.probe)


def _drive(keys: DriveKeys) -> Drive:
    return Drive(keys.name, keys.format, keys.family, keys.ready)


def _uart(keys: UartKeys) -> Uart:
    return Uart(keys.driver, keys.base, keys.interrupt, keys.clock, keys.baud)


def _storage(keys: StorageKeys) -> Storage:
    return Storage(keys.driver, keys.base, keys.block_size, keys.block_count, keys.file_size)
