"""Bringing a program onto a board: a copy to its drive, or the commands of its tool."""

import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from tpsgd_edge.errors import OutputError, SpecError, ToolError
from tpsgd_edge.toolchain.board import Board, Drive
from tpsgd_edge.toolchain.elf import Elf, read_elf
from tpsgd_edge.toolchain.flash_image import check_place, drive_image, plain_image
from tpsgd_edge.toolchain.process import run_tool
from tpsgd_edge.toolchain.scratch import scratch_folder

Way = Literal["drive", "bossac", "esptool", "probe-rs"]
WAYS: tuple[Way, ...] = get_args(Way)

# It is in the linker script of each core's harness, and of no board.
HARNESS_SECTION = ".port_text"
# Where systems put drives, each in a folder of the name of its volume.
_MOUNTS = ("/media/*/{}", "/run/media/*/{}", "/media/{}", "/Volumes/{}")
_TIMEOUT = 180.0
# Where ESP-IDF's default table of partitions has the program.
_ESP_PROGRAM = "0x10000"
INSTALL_FLASHER: Mapping[Way, str] = {
    "bossac": "it comes with Arduino's core for the board; on Debian and Ubuntu: apt install "
    "bossa-cli, whose own version does not know the nRF52840",
    "esptool": "pip install esptool",
    "probe-rs": "https://probe.rs/docs/getting-started/installation",
}


@dataclass(frozen=True, slots=True)
class Flashed:
    """Steps that were done, or with a dry run would be.

    Attributes:
        steps: in words: a file that is copied, or commands.
        is_done: whether the board has it now.
    """

    board: str
    way: Way
    program: Path
    steps: tuple[str, ...]
    is_done: bool

    def to_json(self) -> dict[str, object]:
        """All of it, as names and values."""
        return {
            "board": self.board,
            "way": self.way,
            "program": str(self.program),
            "steps": list(self.steps),
            "done": self.is_done,
        }


def flash(
    board: Board,
    program: Path,
    *,
    way: Way | None = None,
    drive: Path | None = None,
    port: str | None = None,
    dry_run: bool = False,
) -> Flashed:
    """Bring a program onto a board.

    Args:
        program: an ELF.
        way: the first one that the board has where not given.
        drive: the folder of the board's drive; looked for by its name where not given.
        port: the serial port of bossac and esptool.
        dry_run: say what would be done, and do nothing.

    Raises:
        SpecError: the board has no such way.
        ToolError: the program is not for this board, the drive or the tool is missing, or it
            failed.
        OutputError: the drive does not take the file.
    """
    chosen = _way(board, way)
    elf = read_elf(program)
    _check_kind(elf, program)
    segments = elf.segments
    # esptool makes an image of what lies in RAM as well.
    if chosen != "esptool":
        check_place(segments, board.memory.flash, board.name)
    if chosen == "drive":
        assert board.flashing.drive is not None
        content = drive_image(segments, board)
        steps = (_copy(board.flashing.drive, program, content, drive, dry_run=dry_run),)
        return Flashed(board.name, chosen, program, steps, not dry_run)
    return _by_tool(board, chosen, program, port, dry_run=dry_run)


def ways_of(board: Board) -> tuple[Way, ...]:
    """The ways that a board has, the simplest first."""
    flashing = board.flashing
    there: Mapping[Way, object] = {
        "drive": flashing.drive,
        "bossac": flashing.bossac,
        "esptool": flashing.esptool,
        "probe-rs": flashing.probe,
    }
    return tuple(way for way in WAYS if there[way])


def _way(board: Board, way: Way | None) -> Way:
    ways = ways_of(board)
    if not ways:
        raise SpecError(
            f"the board '{board.name}' cannot be flashed",
            where="platform.board",
            found=f"{board.title} is a machine of QEMU",
            help="tpsgd-edge build says the command that runs its firmware",
        )
    if way is not None and way not in ways:
        raise SpecError(
            f"the board '{board.name}' is not flashed by {way}",
            where="--by",
            help=f"it takes programs by {' or '.join(ways)}",
        )
    return way or ways[0]


def _check_kind(elf: Elf, program: Path) -> None:
    """Refuse the harness of an emulated core, which waits for a debugger that a board has not.

    It may lie where the flash of a board is.
    """
    if HARNESS_SECTION in elf.sections:
        raise ToolError(
            "the program is no firmware",
            where=str(program),
            found="the harness of an emulated core, which talks by semihosting",
            help="name the ELF of firmware for this board: --program FILE",
        )


def _copy(
    drive: Drive, program: Path, content: bytes, folder: Path | None, *, dry_run: bool
) -> str:
    name = f"{program.stem}.{drive.format}"
    if dry_run:
        place = drive.name if folder is None else str(folder)
        return f"copy {name} ({len(content):,} bytes) to the drive {place}: {drive.ready}"
    file = (folder or _mounted(drive)) / name
    try:
        # In place: such a drive is no file system that renames.
        file.write_bytes(content)
    except OSError as error:
        raise OutputError(
            "the drive does not take the program",
            where=str(file),
            found=error.strerror or str(error),
            help=drive.ready,
        ) from error
    return f"copied {len(content):,} bytes to {file}"


def _mounted(drive: Drive) -> Path:
    root = Path("/")
    patterns = (mount.format(drive.name).lstrip("/") for mount in _MOUNTS)
    found = sorted({path for pattern in patterns for path in root.glob(pattern) if path.is_dir()})
    if len(found) == 1:
        return found[0]
    raise ToolError(
        f"the drive {drive.name} is not there" if not found else f"{drive.name} is there twice",
        found=", ".join(map(str, found)) or None,
        help=f"{drive.ready}, or name its folder: --drive DIR",
    )


@dataclass(frozen=True, slots=True)
class _Files:
    """Files that commands are about: the ELF, and a file beside it that is made of it."""

    elf: Path
    bin: Path


Commands = tuple[tuple[str, ...], ...]


def _probe(board: Board, files: _Files, port: str | None) -> Commands:
    chip = ("--chip", str(board.flashing.probe))
    return ("probe-rs", "download", *chip, str(files.elf)), ("probe-rs", "reset", *chip)


def _esptool(board: Board, files: _Files, port: str | None) -> Commands:
    tool = ("esptool", "--chip", str(board.flashing.esptool))
    at = () if port is None else ("--port", port)
    return (
        (*tool, "elf2image", "--output", str(files.bin), str(files.elf)),
        (*tool, *at, "write_flash", _ESP_PROGRAM, str(files.bin)),
    )


def _bossac(board: Board, files: _Files, port: str | None) -> Commands:
    at = () if port is None else (f"--port={port}",)
    return (("bossac", *at, "-U", "-i", "-e", "-w", str(files.bin), "-R"),)


_COMMANDS: Mapping[Way, Callable[[Board, _Files, str | None], Commands]] = {
    "bossac": _bossac,
    "esptool": _esptool,
    "probe-rs": _probe,
}


def _by_tool(board: Board, way: Way, program: Path, port: str | None, *, dry_run: bool) -> Flashed:
    if dry_run:
        commands = _COMMANDS[way](board, _Files(program, Path(f"{program.stem}.bin")), port)
        return Flashed(board.name, way, program, tuple(map(shlex.join, commands)), False)
    with scratch_folder() as folder:
        files = _Files(program, folder / f"{program.stem}.bin")
        commands = _COMMANDS[way](board, files, port)
        if way == "bossac":
            files.bin.write_bytes(plain_image(read_elf(program).segments))
        for command in commands:
            _run(way, command)
    return Flashed(board.name, way, program, tuple(map(shlex.join, commands)), True)


def _run(way: Way, command: Sequence[str]) -> None:
    # Before version 5 esptool had no command of this name.
    names = (command[0], f"{command[0]}.py")
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        raise ToolError(f"{way} is not installed", where="--by", help=INSTALL_FLASHER[way])
    run_tool((found, *command[1:]), purpose=way, timeout=_TIMEOUT)
