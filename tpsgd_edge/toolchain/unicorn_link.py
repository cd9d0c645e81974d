"""A core in unicorn that runs firmware and answers its semihosting calls."""

import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import ModuleType
from typing import Any

from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.build import Binary
from tpsgd_edge.toolchain.compilers import INSTALL_ZIG
from tpsgd_edge.toolchain.elf import read_elf
from tpsgd_edge.toolchain.platforms import Region

SYS_OPEN, SYS_WRITE, SYS_READ, SYS_EXIT_EXTENDED = 0x01, 0x05, 0x06, 0x20
_ARM_BREAKPOINT = 7  # the exception number of BKPT
_EBREAK = bytes.fromhex("73001000")
_CALL_BYTES = {"arm": 2, "riscv": 4}
_PAGE = 0x1000
_SYSTEM_CONTROL = Region(0xE000E000, _PAGE)  # where start-up code switches the FPU on
# Emulation pauses this often, so that Python sees a Ctrl-C even when the firmware hangs.
_PULSE_SECONDS = 1.0


def import_unicorn() -> ModuleType:
    """The package unicorn.

    Raises:
        ToolError: it is not installed.
    """
    try:
        import unicorn
    except ImportError as error:
        raise ToolError(
            "the emulator unicorn is not installed", found=str(error), help=INSTALL_ZIG
        ) from error
    return unicorn


class UnicornLink:
    """Firmware from its reset on. It runs while there are commands to read, then waits."""

    max_reply = 1 << 26

    def __init__(self, binary: Binary, *, timeout: float, pausing: bool = True) -> None:
        """`pausing` lets Ctrl-C and timeout in; a block hook sees a block that it hits twice."""
        platform = binary.platform
        if platform.unicorn is None or platform.memory is None:
            raise ToolError(
                f"unicorn has no model of {platform.title}",
                where=f"platform '{platform.name}'",
                help="it runs on QEMU; `tpsgd-edge doctor` says how to get that",
            )
        unicorn = import_unicorn()
        self.elf = read_elf(binary.path)
        self.arch = platform.arch
        self._timeout = timeout
        self._pausing = pausing
        self._commands = memoryview(b"")
        self._replies = bytearray()
        self._exception: int | None = None
        # Where to go on, if not where the core stands.
        self._next: int | None = None
        self._waiting = False
        self._unicorn = unicorn
        self.uc = _new_core(unicorn, platform.arch, platform.unicorn)
        self._registers = _registers(platform.arch)
        self._load(platform.memory.flash, platform.memory.ram)
        self.uc.hook_add(unicorn.UC_HOOK_INTR, self._on_exception)

    def exchange(self, request: bytes, reply_size: int) -> bytes:
        """Run on with these commands until the firmware waits for more; its replies.

        Raises:
            ToolError: a fault, an exit, or no end within the timeout.
        """
        self._commands = memoryview(request)
        self._replies.clear()
        self._waiting = False
        with _pulse(self.uc) if self._pausing else nullcontext():
            self._run(time.monotonic() + self._timeout)
        if len(self._replies) != reply_size:
            raise self._error(f"a reply of {len(self._replies)} bytes, expected {reply_size}")
        return bytes(self._replies)

    def close(self) -> None:
        """Free the core."""
        self.uc = None

    def argument(self) -> int:
        """The first argument of a function that is just entered."""
        return int(self.uc.reg_read(self._registers.first))

    def return_address(self) -> int:
        """Return address of a function that was just entered."""
        return int(self.uc.reg_read(self._registers.link)) & ~1

    def _run(self, deadline: float) -> None:
        """Run until the firmware waits for commands."""
        while not self._waiting:
            if self._run_to_call():
                self._semihosting()
            elif time.monotonic() > deadline:
                raise self._error(f"no answer within {self._timeout:g} s")

    def _run_to_call(self) -> bool:
        """Run for a while. Whether the core stands at a semihosting call now."""
        begin = self._pc() if self._next is None else self._next
        self._exception, self._next = None, None
        try:
            self.uc.emu_start(self._code_address(begin), 0xFFFFFFFF)
        except self._unicorn.UcError as error:
            # Unicorn has no hook that could go on after ebreak: it ends here.
            if self.arch == "riscv" and self.uc.mem_read(self._pc(), 4) == _EBREAK:
                return True
            raise self._error(str(error)) from error
        if self._exception not in (None, _ARM_BREAKPOINT):
            raise self._error(f"the core took exception {self._exception}")
        return self._exception is not None

    def _on_exception(self, uc: Any, number: int, _: object) -> None:
        self._exception = number
        uc.emu_stop()

    def _semihosting(self) -> None:
        """Carry out the call at which the core stands, and step over it unless it has to wait."""
        # Called several times a training step; each look at a register costs as much as a kernel.
        registers = self._registers
        pc, *arguments = self.uc.reg_read_batch(registers.call)
        result = self._call(*arguments)
        if result is None:
            self._waiting = True
            return
        self.uc.reg_write(registers.first, result)
        self._next = pc + _CALL_BYTES[self.arch]

    def _call(self, operation: int, block: int) -> int | None:
        """One operation's result; None where it reads commands and there are none."""
        if operation == SYS_OPEN:
            return 1
        if operation == SYS_EXIT_EXTENDED:
            raise self._error(f"the firmware ended with exit code {self._words(block, 2)[1]}")
        if operation not in (SYS_READ, SYS_WRITE):
            raise self._error(f"unknown semihosting operation 0x{operation:x}")
        _, address, count = self._words(block, 3)
        if operation == SYS_WRITE:
            self._replies += self.uc.mem_read(address, count)
            return 0
        if not self._commands:
            return None
        part, self._commands = self._commands[:count], self._commands[count:]
        self.uc.mem_write(address, bytes(part))
        return int(count - len(part))

    def _code_address(self, address: int) -> int:
        """Address as a jump needs it: with the Thumb bit on Arm."""
        return address | 1 if self.arch == "arm" else address

    def _words(self, address: int, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}I", self.uc.mem_read(address, 4 * count))

    def _pc(self) -> int:
        return int(self.uc.reg_read(self._registers.pc))

    def _error(self, found: str) -> ToolError:
        pc = self._pc()
        return ToolError(
            "the emulated firmware stopped",
            where=f"pc 0x{pc:08x} in {self.elf.function_at(pc)}",
            found=found,
        )

    def _load(self, flash: Region, ram: Region) -> None:
        unicorn, uc = self._unicorn, self.uc
        uc.mem_map(flash.origin, flash.size, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
        uc.mem_map(ram.origin, ram.size, unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE)
        for address, content in self.elf.segments.items():
            uc.mem_write(address, content)
        pc = flash.origin  # where the linker script puts the entry of a RISC-V core
        if self.arch == "arm":
            uc.mem_map(_SYSTEM_CONTROL.origin, _SYSTEM_CONTROL.size)
            stack, pc = self._words(flash.origin, 2)
            uc.reg_write(self._registers.stack, stack)
        uc.reg_write(self._registers.pc, pc)


@contextmanager
def _pulse(uc: Any) -> Iterator[None]:
    """Stop the core now and then, from another thread; whoever runs it decides whether to go on."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(_PULSE_SECONDS):
            uc.emu_stop()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


class _Registers:
    """Unicorn's numbers of the registers that matter here."""

    def __init__(self, constants: ModuleType, prefix: str, names: tuple[str, ...]) -> None:
        numbers = [int(getattr(constants, prefix + name)) for name in names]
        self.pc, self.stack, self.link, self.first, self.second = numbers
        # What a semihosting call says: where, the operation, its block of words.
        self.call = (self.pc, self.first, self.second)


def _registers(arch: str) -> _Registers:
    if arch == "arm":
        from unicorn import arm_const

        return _Registers(arm_const, "UC_ARM_REG_", ("PC", "SP", "LR", "R0", "R1"))
    from unicorn import riscv_const

    return _Registers(riscv_const, "UC_RISCV_REG_", ("PC", "SP", "RA", "A0", "A1"))


def _new_core(unicorn: ModuleType, arch: str, model: str) -> Any:
    if arch == "arm":
        uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        from unicorn import arm_const

        uc.ctl_set_cpu_model(getattr(arm_const, f"UC_CPU_ARM_{model}"))
        return uc
    from unicorn import riscv_const

    uc = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV32)
    uc.ctl_set_cpu_model(getattr(riscv_const, f"UC_CPU_RISCV32_{model}"))
    return uc
