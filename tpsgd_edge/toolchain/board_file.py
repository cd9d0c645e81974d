"""Keys of a board file, checked on reading as the keys of a spec are."""

from pathlib import Path
from typing import Literal

from tpsgd_edge.errors import SpecError
from tpsgd_edge.spec.base import Keys
from tpsgd_edge.toolchain.platform_file import MemoryKeys, read_keys


class UartKeys(Keys):
    """[uart]: a driver of firmware/board, and where its peripheral is."""

    driver: str
    base: int
    interrupt: int
    clock: int
    baud: int = 115200


class StorageKeys(Keys):
    """[storage]: a driver of firmware/board, and the blocks that checkpoints may take.

    `file_size` is that of the file in which QEMU keeps them, where it does.
    """

    driver: str
    base: int
    block_size: int
    block_count: int
    file_size: int | None = None


class BoardQemuKeys(Keys):
    """[qemu]: the command, arguments that choose the machine, and those that keep the storage.

    `program` is the option that takes the firmware; `$file` in `keeps` is the file.
    """

    command: str
    arguments: list[str]
    program: str = "-kernel"
    keeps: list[str] | None = None


class NodeKeys(Keys):
    """[node]: a script of firmware/host that runs the board in node, and the package it needs."""

    script: str
    package: str


ImageFormat = Literal["uf2", "hex", "bin"]


class DriveKeys(Keys):
    """[flashing] drive: a board that is a USB drive, which programs what is copied to it.

    `family` is that of its UF2 files; `ready` says how the drive comes up.
    """

    name: str
    format: ImageFormat
    family: int | None = None
    ready: str


class FlashingKeys(Keys):
    """[flashing]: how a program gets onto the board, one key for each way that there is.

    `esptool` and `probe` are what these tools call the chip.
    """

    drive: DriveKeys | None = None
    bossac: bool = False
    esptool: str | None = None
    probe: str | None = None


class EraseKeys(Keys):
    """[erase]: bytes of the smallest piece of its flash that is erased at once, and written."""

    block: int
    write: int


class BoardKeys(Keys):
    """A board file: its core, memory and clock, and how it is flashed.

    With a UART and an emulator it boots firmware of the project; a board without both takes the
    model's C files into firmware of your own. `files` are those of firmware/board that it needs
    besides start-up code and drivers.
    """

    title: str
    platform: str
    notes: str
    clock: int | None = None
    sources: list[str] | None = None
    files: list[str] | None = None
    memory: MemoryKeys
    erase: EraseKeys | None = None
    flashing: FlashingKeys = FlashingKeys()
    uart: UartKeys | None = None
    storage: StorageKeys | None = None
    qemu: BoardQemuKeys | None = None
    node: NodeKeys | None = None


def read_board_file(path: Path) -> BoardKeys:
    """Read and check a board file.

    Raises:
        SpecError: everything that is wrong with it.
    """
    where = f"boards/{path.name}"
    keys = read_keys(path, BoardKeys, what="board file", where=where)
    for problem in (_half_booting(keys), _half_kept(keys), _half_uf2(keys)):
        if problem is not None:
            what, found, help_ = problem
            raise SpecError(
                f"the board file '{path.name}' {what}", where=where, found=found, help=help_
            )
    return keys


Problem = tuple[str, str, str]


def _half_booting(keys: BoardKeys) -> Problem | None:
    names = ("uart", "storage", "qemu", "node")
    given = [name for name in names if getattr(keys, name) is not None]
    emulators = {"qemu", "node"} & set(given)
    if not given or ("uart" in given and len(emulators) == 1):
        return None
    return (
        "does not say how its firmware runs",
        f"[{'] and ['.join(given)}] alone",
        "give [uart] and either [qemu] or [node], or none of them where the project has no "
        "firmware for the board",
    )


def _half_kept(keys: BoardKeys) -> Problem | None:
    has_file = keys.storage is not None and keys.storage.file_size is not None
    has_keeps = keys.qemu is not None and bool(keys.qemu.keeps)
    if has_keeps == has_file:
        return None
    return (
        "does not say how QEMU keeps its storage",
        "qemu.keeps without storage.file_size" if has_keeps else "no qemu.keeps",
        "give both, or neither where QEMU forgets the storage",
    )


def _half_uf2(keys: BoardKeys) -> Problem | None:
    drive = keys.flashing.drive
    if drive is None or (drive.format == "uf2") == (drive.family is not None):
        return None
    return (
        "does not say which UF2 files its drive takes",
        f'format = "{drive.format}" {"with" if drive.family is not None else "without"} a family',
        "a family belongs to UF2 and to nothing else",
    )
