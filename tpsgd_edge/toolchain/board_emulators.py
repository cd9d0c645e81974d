"""Emulators of boards: QEMU's machines, and scripts for node around emulators of npm."""

import os
import shutil
import string
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tpsgd_edge.assets import firmware_dir
from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.board_file import BoardQemuKeys, NodeKeys
from tpsgd_edge.toolchain.node_link import node_command
from tpsgd_edge.toolchain.platforms import Qemu
from tpsgd_edge.toolchain.qemu_link import install_qemu

# Where an emulator in node listens, in the command that a user is told.
NODE_PORT = "4000"


@dataclass(frozen=True, slots=True)
class BoardQemu:
    """QEMU's machine of a board; its firmware talks over the first -serial.

    Attributes:
        program: the option that takes the firmware.
        keeps: further arguments that keep the storage in the file "$file".
    """

    machine: Qemu
    program: str
    keeps: tuple[str, ...]

    def words(self, program: Path, *, has_wire: bool) -> tuple[str, ...]:
        """The command that a user types: a pseudo terminal for a wire, or else text."""
        line = "pty" if has_wire else "stdio"
        return (*self._start(program), "-display", "none", "-serial", line)

    def on_socket(self, program: Path, socket: str, storage: Path | None) -> tuple[str, ...]:
        """The command that talks over a socket that waits.

        Raises:
            ToolError: QEMU is not installed.
        """
        found = shutil.which(self.machine.command)
        if found is None:
            raise ToolError(
                f"the emulator {self.machine.command} is not installed",
                help=install_qemu(self.machine.command),
            )
        kept = () if storage is None else self.keeping(storage)
        line = ("-chardev", f"socket,id=uart,path={socket}", "-serial", "chardev:uart")
        start = (found, *self._start(program)[1:])
        return (*start, *kept, "-display", "none", "-monitor", "none", *line)

    def keeping(self, file: Path) -> tuple[str, ...]:
        """Arguments with which the storage lies in a file, which is there already."""
        return tuple(string.Template(word).substitute(file=file) for word in self.keeps)

    def environment(self) -> Mapping[str, str]:
        """Variables that are added to its environment."""
        return {}

    def _start(self, program: Path) -> tuple[str, ...]:
        return (self.machine.command, *self.machine.arguments, self.program, str(program))


@dataclass(frozen=True, slots=True)
class BoardNode:
    """A script of firmware/host that runs a board by a package of npm. It keeps no storage.

    Attributes:
        script: the file; its twin is `BoardQemu`, its arguments are in its first lines.
        package: what npm calls the emulator.
    """

    script: Path
    package: str
    keeps: tuple[str, ...] = ()

    def words(self, program: Path, *, has_wire: bool) -> tuple[str, ...]:
        """The command that a user types: a port of TCP for a wire, or else text."""
        return ("node", str(self.script), str(program), *((NODE_PORT,) if has_wire else ()))

    def on_socket(self, program: Path, socket: str, storage: Path | None) -> tuple[str, ...]:
        """The command that talks over a socket that waits.

        Raises:
            ToolError: node or the package is not installed.
        """
        node_packages(self.package)
        return (node_command(), str(self.script), str(program), socket)

    def environment(self) -> Mapping[str, str]:
        """Variables that are added to its environment.

        Raises:
            ToolError: the package is not installed.
        """
        return {"NODE_PATH": str(node_packages(self.package))}


def board_qemu(keys: BoardQemuKeys) -> BoardQemu:
    """QEMU's machine as a board file describes it."""
    machine = Qemu(keys.command, tuple(keys.arguments))
    return BoardQemu(machine, keys.program, tuple(keys.keeps or ()))


def board_node(keys: NodeKeys) -> BoardNode:
    """An emulator in node as a board file describes it."""
    return BoardNode(firmware_dir() / "host" / keys.script, keys.package)


def node_packages(name: str) -> Path:
    """The folder node_modules that holds a package of npm.

    Raises:
        ToolError: none does.
    """
    for folder in _places():
        if (folder / name / "package.json").is_file():
            return folder.resolve()
    raise ToolError(f"the package {name} is not installed", help=f"npm install {name}")


def _places() -> Iterator[Path]:
    """Folders of NODE_PATH, of the working folder and all above it, of the Python environment."""
    yield from map(Path, filter(None, os.environ.get("NODE_PATH", "").split(os.pathsep)))
    here = Path.cwd()
    yield from (folder / "node_modules" for folder in (here, *here.parents))
    yield Path(sys.prefix) / "node" / "node_modules"
