"""Firmware in QEMU: one batch for each request, over two files (firmware/port/semihosting.c)."""

import contextlib
import shutil
import struct
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.build import Binary
from tpsgd_edge.toolchain.interface import ModelInterface
from tpsgd_edge.toolchain.platforms import Platform
from tpsgd_edge.toolchain.process import run_tool
from tpsgd_edge.toolchain.protocol import DUMP, INFO, LOAD, STACK
from tpsgd_edge.toolchain.scratch import scratch_folder

_MACHINE = ("-nographic", "-monitor", "none", "-serial", "none")
_SEMIHOSTING = ("-semihosting-config", "enable=on,target=native")


class _Foreseen(NamedTuple):
    """A request that was answered before it came, and what it left."""

    request: bytes
    reply: bytes
    stack: int
    state: bytes


class QemuLink:
    """Boots the firmware for each request, with the state that the last one left.

    That state is known here: to ask for it, or to replace it, needs no boot. Requests that are
    foreseen share a boot; as soon as another one comes, what it made is forgotten.
    """

    max_reply = 1 << 26

    def __init__(
        self,
        binary: Binary,
        interface: ModelInterface,
        *,
        timeout: float,
        arguments: Sequence[str] = (),
    ) -> None:
        """`arguments` of QEMU beside those that every run has."""
        kernel = ("-kernel", str(binary.path.resolve()))
        self._command = (*qemu_command(binary.platform), *arguments, *kernel)
        self._state_size = interface.layout.size
        self._state: bytes | None = None
        self._stack = 0
        self._foreseen: deque[_Foreseen] = deque()
        self._timeout = timeout
        self._scratch = contextlib.ExitStack()
        self._folder = self._scratch.enter_context(scratch_folder())

    def exchange(self, request: bytes, reply_size: int) -> bytes:
        """See Link."""
        opcode, _ = struct.unpack_from("<II", request)
        if self._foreseen and self._foreseen[0].request == request:
            return self._taken(self._foreseen.popleft())
        if opcode == STACK:
            stack, self._stack = self._stack, 0
            return struct.pack("<I", stack)
        if opcode == DUMP and self._state is not None:
            return self._state
        self._foreseen.clear()
        if opcode == LOAD:
            self._state = request[len(_command(LOAD)) :]
            return b""
        if opcode == INFO:
            return self._run(request, reply_size)
        (made,) = self._answered([(request, reply_size)])
        return self._taken(made)

    def foresee(self, requests: Sequence[tuple[bytes, int]]) -> None:
        """See BatchLink."""
        room, chosen = self.max_reply, []
        for request, size in requests:
            room -= size + 4 + self._state_size
            if room < 0:
                break
            chosen.append((request, size))
        self._foreseen.clear()
        if not chosen:
            return
        # What goes wrong goes wrong once more when the request comes, and is told then.
        with contextlib.suppress(ToolError):
            self._foreseen.extend(self._answered(chosen))

    def _taken(self, made: _Foreseen) -> bytes:
        self._stack, self._state = max(self._stack, made.stack), made.state
        return made.reply

    def _answered(self, requests: Sequence[tuple[bytes, int]]) -> list[_Foreseen]:
        """Boot once for some requests, one after the other."""
        before = _command(LOAD) + self._state if self._state is not None else b""
        after = _command(STACK) + _command(DUMP)
        commands = before + b"".join(request + after for request, _ in requests)
        extra = 4 + self._state_size
        rest = self._run(commands, sum(size + extra for _, size in requests))
        made = []
        for request, size in requests:
            (stack,) = struct.unpack_from("<I", rest, size)
            made.append(_Foreseen(request, rest[:size], stack, rest[size + 4 : size + extra]))
            rest = rest[size + extra :]
        return made

    def close(self) -> None:
        """See Link."""
        self._scratch.close()

    def _run(self, commands: bytes, reply_size: int) -> bytes:
        folder = self._folder
        replies = folder / "replies.bin"
        replies.unlink(missing_ok=True)
        (folder / "commands.bin").write_bytes(commands)
        run_tool(self._command, purpose="QEMU", timeout=self._timeout, cwd=folder)
        reply = replies.read_bytes() if replies.exists() else b""
        if len(reply) != reply_size:
            raise ToolError(
                "the emulated firmware stopped",
                where=self._command[0],
                found=f"a reply of {len(reply)} bytes, expected {reply_size}",
            )
        return reply


def qemu_command(platform: Platform) -> tuple[str, ...]:
    """Command that starts QEMU for a platform, without the firmware.

    Raises:
        ToolError: QEMU does not run the platform, or is not installed.
    """
    qemu = platform.qemu
    if qemu is None:
        raise ToolError(f"QEMU does not run {platform.title}", where=f"platform '{platform.name}'")
    program = shutil.which(qemu.command)
    if program is None:
        raise ToolError(
            f"the emulator {qemu.command} is not installed",
            where=f"platform '{platform.name}'",
            help=install_qemu(qemu.command),
        )
    return (program, *qemu.arguments, *_MACHINE, *_SEMIHOSTING)


def install_qemu(command: str) -> str:
    """Advice on how to install a QEMU program."""
    packages = {"qemu-system-arm": "qemu-system-arm", "qemu-system-riscv32": "qemu-system-misc"}
    return f"on Debian and Ubuntu: apt install {packages.get(command, command)}"


def _command(opcode: int) -> bytes:
    return struct.pack("<II", opcode, 0)
