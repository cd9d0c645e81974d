"""Blocks of code that a core executed, and the instructions in them."""

import struct
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.cycles import Timing, block_cycles
from tpsgd_edge.toolchain.elf import Elf
from tpsgd_edge.toolchain.platforms import Platform

# What the breakdown calls everything that no layer's kernel does.
MODEL = "model"
Block = tuple[int, int]  # address and bytes


@dataclass(frozen=True, slots=True)
class Executed:
    """Some runs of one function, everything it calls included.

    Attributes:
        blocks: executions of each block of code.
        fell_through: how many of them went on behind the block instead of jumping.
        by_layer: layer name -> instructions in kernels that worked for this layer; the rest is
            under "model".
        cycles: of all runs, where the emulator knows them.
    """

    runs: int
    blocks: Mapping[Block, int]
    fell_through: Mapping[Block, int]
    by_layer: Mapping[str, int]
    cycles: int | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """Instructions of some runs of one function of the model, everything it calls included.

    Attributes:
        by_layer: as in `Executed`. Sums to `total`.
        by_function: symbol -> instructions in the function itself. Sums to `total`.
        cycles: an estimate, of cores whose timings are known; see `cycles.py`.
    """

    runs: int
    total: int
    by_layer: Mapping[str, int]
    by_function: Mapping[str, int]
    cycles: int | None = None

    @property
    def per_run(self) -> int:
        """Instructions of one run: the mean, rounded."""
        return round(self.total / self.runs) if self.runs else 0

    @property
    def cycles_per_run(self) -> int | None:
        """An estimate: the mean, rounded."""
        return None if self.cycles is None or not self.runs else round(self.cycles / self.runs)


def count_of(executed: Executed, elf: Elf, platform: Platform) -> Count:
    """Count the instructions of the executed blocks on a platform."""
    arch = platform.arch
    by_function: Counter[str] = Counter()
    for (address, size), executions in executed.blocks.items():
        instructions = executions * instructions_in(elf.code(address, size), arch)
        by_function[elf.function_at(address)] += instructions
    total = by_function.total()
    cycles = executed.cycles
    if platform.timing is not None:
        cycles = _cycles(executed, elf, platform.timing)
    return Count(executed.runs, total, executed.by_layer, dict(by_function.most_common()), cycles)


def _cycles(executed: Executed, elf: Elf, timing: Timing) -> int | None:
    total = 0
    for block, executions in executed.blocks.items():
        try:
            cost = block_cycles(elf.code(*block), timing)
        except ToolError:  # instructions are counted without capstone too
            return None
        jumps = executions - executed.fell_through.get(block, 0)
        total += executions * cost.always + jumps * cost.jump
    return total


def instructions_in(code: bytes, arch: str) -> int:
    """Instructions in a piece of code, of 2 or 4 bytes each.

    >>> instructions_in(bytes.fromhex("0a23 40f2e832 7047".replace(" ", "")), "arm")
    3
    """
    halfwords = struct.unpack(f"<{len(code) // 2}H", code)
    is_long = _IS_LONG[arch]
    count = position = 0
    while position < len(halfwords):
        position += 2 if is_long(halfwords[position]) else 1
        count += 1
    return count


def _is_long_thumb(halfword: int) -> bool:
    return halfword >> 11 in (0b11101, 0b11110, 0b11111)


def _is_long_riscv(halfword: int) -> bool:
    return halfword & 3 == 3


def _is_long_avr(halfword: int) -> bool:
    """LDS and STS, JMP and CALL."""
    return halfword & 0xFC0F == 0x9000 or halfword & 0xFE0C == 0x940C


_IS_LONG: Mapping[str, Callable[[int], bool]] = {
    "arm": _is_long_thumb,
    "riscv": _is_long_riscv,
    "avr": _is_long_avr,
}
