"""Emulated boards at a serial port of this computer: power on, power off, a file for the flash."""

import contextlib
import os
import socket
import subprocess
import tempfile
import threading
import time
import tty
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.board import BootingBoard
from tpsgd_edge.toolchain.process import tool_environment

# A byte on the line: start bit, 8 bits, stop bit.
_BITS = 10
_START_LIMIT = 30.0
_CHUNK = 4096


def erased_storage(board: BootingBoard, file: Path) -> Path:
    """Write the file in which QEMU keeps a board's storage, all of it erased.

    Raises:
        ToolError: QEMU does not keep the storage of this board.
    """
    if board.storage is None or board.storage.file_size is None:
        raise ToolError(
            f"QEMU does not keep the storage of {board.title}", where=f"board '{board.name}'"
        )
    file.write_bytes(b"\xff" * board.storage.file_size)
    return file


class EmulatedBoard:
    """A board in its emulator. A context manager: leaving it ends that and takes the port away.

    Attributes:
        port: the pseudo terminal at which the UART of the board is, as pyserial opens it. It stays
            when the power goes.
        carried: bytes that went over the line so far, in both directions.
    """

    def __init__(
        self,
        board: BootingBoard,
        program: Path,
        *,
        storage: Path | None = None,
        baud: int | None = None,
    ) -> None:
        """Make the port; the power is still off.

        Args:
            program: the ELF that `build` made for this board.
            storage: the file of `erased_storage`; without it what was saved is forgotten.
            baud: the speed of the line in each direction; None: as fast as it goes.
        """
        self._baud = baud
        self._folder = tempfile.TemporaryDirectory(prefix="board-")
        path = f"{self._folder.name}/uart"
        self._command, self._environment = _command(board, program, path, storage)
        # In a folder that nobody else can read, as a port of TCP would not be.
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(1)
        self._listener.settimeout(_START_LIMIT)
        self._master, self._slave = os.openpty()
        # Held open, so that the port stays when a host goes; raw, as the wire's bytes must pass.
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._child: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._is_open = True
        self.carried = 0
        threading.Thread(target=self._carry_in, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()

    def power_on(self) -> None:
        """Start the board from reset.

        Raises:
            ToolError: the emulator does not start.
        """
        self._child = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=tool_environment() | dict(self._environment),
        )
        try:
            self._line, _ = self._listener.accept()
        except TimeoutError:
            self.power_off()
            raise self._silent() from None
        threading.Thread(target=self._carry_out, args=(self._line,), daemon=True).start()

    def power_off(self) -> None:
        """Take the power away at once: SIGKILL, whatever the board is doing."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
        if self._line is not None:
            with contextlib.suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)
            self._line.close()
        self._line = None

    def close(self) -> None:
        """Take the power and the port away; a second time has no effect."""
        if not self._is_open:
            return
        self._is_open = False
        self.power_off()
        self._listener.close()
        self._folder.cleanup()
        if self._child is not None and self._child.stderr is not None:
            self._child.stderr.close()
        # Wakes up the thread that reads what a host sends.
        os.write(self._slave, b"\0")

    def _carry_in(self) -> None:
        """Carry from the port to the board; what comes while the power is off is lost."""
        pace = Pace(self._baud)
        while True:
            data = os.read(self._master, _CHUNK)
            if not self._is_open:
                break
            pace.wait(len(data))
            self.carried += len(data)
            line = self._line
            if line is not None:
                with contextlib.suppress(OSError):
                    line.sendall(data)
        os.close(self._master)
        os.close(self._slave)

    def _carry_out(self, line: socket.socket) -> None:
        """Carry from the board to the port, until the power goes."""
        pace = Pace(self._baud)
        with contextlib.suppress(OSError):
            while data := line.recv(_CHUNK):
                pace.wait(len(data))
                self.carried += len(data)
                os.write(self._master, data)

    def _silent(self) -> ToolError:
        assert self._child is not None
        assert self._child.stderr is not None
        said = self._child.stderr.read().decode("utf-8", "replace")
        return ToolError(
            "the emulated board does not start", where=self._command[0], found=said.strip() or None
        )


class Pace:
    """Time that bytes take on a line."""

    def __init__(self, baud: int | None) -> None:
        self._seconds = 0.0 if baud is None else _BITS / baud
        self._free = 0.0

    def wait(self, count: int) -> None:
        """Wait until so many bytes have passed, one after the other and after those before."""
        now = time.monotonic()
        self._free = max(self._free, now) + count * self._seconds
        if self._free > now:
            time.sleep(self._free - now)


def _command(
    board: BootingBoard, program: Path, socket: str, storage: Path | None
) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """The emulator's command, and what is added to its environment."""
    kept = None if storage is None else storage.resolve()
    try:
        words = board.emulator.on_socket(program.resolve(), socket, kept)
        return words, board.emulator.environment()
    except ToolError as error:
        raise ToolError(error.what, where=f"board '{board.name}'", help=error.help) from None
