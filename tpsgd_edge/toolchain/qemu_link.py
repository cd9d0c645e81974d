"""Firmware in QEMU, which talks over two files that are pipes (firmware/port/semihosting.c)."""

import contextlib
import shutil
from collections.abc import Sequence

from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.build import Binary
from tpsgd_edge.toolchain.platforms import Platform
from tpsgd_edge.toolchain.process_link import ProcessLink
from tpsgd_edge.toolchain.scratch import scratch_folder

_MACHINE = ("-nographic", "-monitor", "none", "-serial", "none")
_SEMIHOSTING = ("-semihosting-config", "enable=on,target=native")


class QemuLink:
    """One QEMU for all requests. The files that the firmware opens are its standard streams."""

    max_reply = ProcessLink.max_reply

    def __init__(self, binary: Binary, *, timeout: float, arguments: Sequence[str] = ()) -> None:
        """`arguments` of QEMU beside those that every run has."""
        command = (*qemu_command(binary.platform), *arguments)
        with contextlib.ExitStack() as undo:
            folder = undo.enter_context(scratch_folder())
            (folder / "commands.bin").symlink_to("/dev/stdin")
            (folder / "replies.bin").symlink_to("/dev/stdout")
            kernel = ("-kernel", str(binary.path.resolve()))
            self._process = ProcessLink(
                *command, *kernel, timeout=timeout, folder=folder, title="QEMU"
            )
            self._scratch = undo.pop_all()

    def exchange(self, request: bytes, reply_size: int) -> bytes:
        """See Link."""
        return self._process.exchange(request, reply_size)

    def close(self) -> None:
        """See Link."""
        # What a plugin counted is written when the command stream ends.
        self._process.end()
        self._process.close()
        self._scratch.close()


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
