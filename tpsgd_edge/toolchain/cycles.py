"""Estimates of cycles: documented timings of instructions, applied to the blocks that ran.

Memory without wait states, no interrupts. Sources: Arm, Cortex-M0+ Technical Reference Manual
(DDI 0484C), table 3-1, with the multiplier of one cycle; Cortex-M4 Technical Reference Manual
(DDI 0439B), tables 3-1 and 7-1. A refill of the M4's pipeline takes 1 to 3 cycles: here 2. Its
division takes 2 to 12 cycles: here 7. A load or store right behind another one takes 1.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from tpsgd_edge.errors import ToolError, how_to_install

Timing = Literal["cortex-m0plus", "cortex-m4"]

_CONDITIONS = "eq ne hs cs lo cc mi pl vs vc hi ls ge lt gt le".split()
_BRANCHES = {"b", "bl", "bx", "blx", "cbz", "cbnz", "tbb", "tbh", *(f"b{c}" for c in _CONDITIONS)}
_SINGLE = re.compile(r"v?(ldr|str)(b|h|sb|sh|ex|exb|exh)?")
_MULTIPLE = re.compile(r"v?(ldm|stm|push|pop)(ia|db)?")
# Those of the M4 that take neither 1 cycle nor are a branch, load or store; the first that fits.
_M4_LONG = (
    (re.compile(r"[su]div"), 7),
    (re.compile(r"v(div|sqrt)"), 14),
    (re.compile(r"v?fn?m[as]|vn?ml[as]"), 3),
)
_REFILL = 2


@dataclass(frozen=True, slots=True)
class Cycles:
    """Cycles of one run of a block: `always`, and `jump` more if it jumps from its end."""

    always: int
    jump: int


def block_cycles(code: bytes, timing: Timing) -> Cycles:
    """Cycles of a block of Thumb code, whose last instruction may be a branch.

    Raises:
        ToolError: capstone is not installed.
    """
    always, before = 0, ""
    name = operands = ""
    for name, operands in _decoded(code):
        always += _COST[timing](name, operands, before)
        before = name
    return Cycles(always, _JUMP[timing](name, operands))


def _m0plus(name: str, operands: str, before: str) -> int:
    if name in _BRANCHES:
        return 1
    if _MULTIPLE.fullmatch(name):
        return 1 + _registers(operands)
    if _SINGLE.fullmatch(name):
        return 2
    return 3 if name in ("mrs", "msr", "dmb", "dsb", "isb") else 1


def _m0plus_jump(name: str, operands: str) -> int:
    # B and BX take 2 cycles, BL 3, a POP with the pc 2 more than one without.
    return 2 if name in ("bl", "pop") else 1


def _m4(name: str, operands: str, before: str) -> int:
    if name in ("tbb", "tbh"):
        return 2
    if name in _BRANCHES:
        return 1
    if _MULTIPLE.fullmatch(name):
        return 1 + _registers(operands)
    if name in ("ldrd", "strd"):
        return 3
    if single := _SINGLE.fullmatch(name):
        is_pipelined = _SINGLE.fullmatch(before) is not None
        return 1 if is_pipelined or single[1] == "str" else 2
    return next((cycles for pattern, cycles in _M4_LONG if pattern.match(name)), 1)


def _m4_jump(name: str, operands: str) -> int:
    return _REFILL


_COST = {"cortex-m0plus": _m0plus, "cortex-m4": _m4}
_JUMP = {"cortex-m0plus": _m0plus_jump, "cortex-m4": _m4_jump}


def _registers(operands: str) -> int:
    """Number of registers in a list; lists without braces, as vpush has them, count in full too."""
    _, _, listed = operands.partition("{")
    return listed.count(",") + 1


def _decoded(code: bytes) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(code):
        one = next(_decoder().disasm_lite(code[position:], 0), None)
        if one is None:  # the newest instructions: as one of a cycle
            is_long = code[position + 1] >> 3 in (0b11101, 0b11110, 0b11111)
            position += 4 if is_long else 2
            yield "unknown", ""
            continue
        _, size, name, operands = one
        position += size
        yield name.partition(".")[0], operands


@cache
def _decoder() -> Any:
    try:
        import capstone
    except ImportError as error:
        raise ToolError(
            "an estimate of cycles needs capstone",
            help=how_to_install("emulator"),
        ) from error
    return capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
