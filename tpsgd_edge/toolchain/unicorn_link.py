"""A core in unicorn that runs firmware and answers its semihosting calls."""

import struct
import time
from types import ModuleType
from typing import Any

from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.build import Binary
from tpsgd_edge.toolchain.compilers import INSTALL_ZIG
from tpsgd_edge.toolchain.elf import read_elf
from tpsgd_edge.toolchain.platforms import Region

SYS_OPEN, SYS_WRITE, SYS_READ, SYS_EXIT_EXTENDED = 0x01, 0x05, 0x06, 0x20
_BREAKPOINT = {"arm": 7, "riscv": 3}  # exception numbers that unicorn hands to the interrupt hook
_BREAKPOINT_SIZE = {"arm": 2, "riscv": 4}
_PAGE = 0x1000
_SYSTEM_CONTROL = Region(0xE000E000, _PAGE)  # where start-up code switches the FPU on
# Emulation pauses this often, so that Python sees a Ctrl-C even when the firmware hangs.
_SLICE_SECONDS = 2.0


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
    return unicorn  # type: ignore[no-any-return]


class UnicornLink:
    """Firmware from its reset on. It runs while there are commands to read, and waits when there are none."""

    max_reply = 1 << 26

    def __init__(self, binary: Binary, *, timeout: float) -> None:
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
        self.exit_code: int | None = None
        self._timeout = timeout
        self._commands = memoryview(b"")
        self._replies = bytearray()
        self._fault: str | None = None
        self._unicorn = unicorn
        self.uc = _new_core(unicorn, platform.arch, platform.unicorn)
        self._registers = _registers(platform.arch)
        self._load(platform.memory.flash, platform.memory.ram)
        self.uc.hook_add(unicorn.UC_HOOK_INTR, self._on_interrupt)

    def exchange(self, request: bytes, reply_size: int) -> bytes:
        """Run on with these commands until the firmware waits for more; its replies.

        Raises:
            ToolError: a fault, an exit, or no end within the timeout.
        """
        self._commands = memoryview(request)
        self._replies.clear()
        deadline = time.monotonic() + self._timeout
        waiting = False
        while not waiting:
            waiting = self._run_slice()
            if not waiting and time.monotonic() > deadline:
                raise self._error(f"no answer within {self._timeout:g} s")
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
        """Where a function that is just entered will return to."""
        return int(self.uc.reg_read(self._registers.link)) & ~1

    def _run_slice(self) -> bool:
        """Run for a while. True when the firmware waits for commands."""
        unicorn = self._unicorn
        pc = self._pc()
        try:
            self.uc.emu_start(
                pc | 1 if self.arch == "arm" else pc,
                0xFFFFFFFF,
                timeout=int(_SLICE_SECONDS * 1e6),
            )
        except unicorn.UcError as error:
            raise self._error(str(error)) from error
        if self._fault is not None:
            raise self._error(self._fault)
        if self.exit_code is not None:
            raise self._error(f"the firmware ended with exit code {self.exit_code}")
        return not self.uc.query(unicorn.UC_QUERY_TIMEOUT)

    def _on_interrupt(self, uc: Any, number: int, _: object) -> None:
        if number != _BREAKPOINT[self.arch]:
            self._fault = f"the core took exception {number}"
            uc.emu_stop()
            return
        result = self._semihosting(
            uc.reg_read(self._registers.first), uc.reg_read(self._registers.second)
        )
        if result is None:
            uc.emu_stop()
            return
        uc.reg_write(self._registers.first, result)
        after = self._pc() + _BREAKPOINT_SIZE[self.arch]
        uc.reg_write(self._registers.pc, after | 1 if self.arch == "arm" else after)

    def _semihosting(self, operation: int, block: int) -> int | None:
        """Carry out a call. None stops the core: it waits for commands, or has ended."""
        if operation == SYS_READ:
            _, address, count = self._words(block, 3)
            if not self._commands:
                return None
            part, self._commands = self._commands[:count], self._commands[count:]
            self.uc.mem_write(address, bytes(part))
            return int(count - len(part))
        if operation == SYS_WRITE:
            _, address, count = self._words(block, 3)
            self._replies += self.uc.mem_read(address, count)
            return 0
        if operation == SYS_OPEN:
            return 1
        if operation == SYS_EXIT_EXTENDED:
            self.exit_code = self._words(block, 2)[1]
        else:
            self._fault = f"unknown semihosting operation 0x{operation:x}"
        return None

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
        pc = self.elf.entry
        if self.arch == "arm":
            uc.mem_map(_SYSTEM_CONTROL.origin, _SYSTEM_CONTROL.size)
            stack, pc = self._words(flash.origin, 2)
            uc.reg_write(self._registers.stack, stack)
        uc.reg_write(self._registers.pc, pc)


class _Registers:
    """Unicorn's numbers of the registers that matter here."""

    def __init__(self, constants: ModuleType, prefix: str, names: tuple[str, ...]) -> None:
        numbers = [int(getattr(constants, prefix + name)) for name in names]
        self.pc, self.stack, self.link, self.first, self.second = numbers


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
