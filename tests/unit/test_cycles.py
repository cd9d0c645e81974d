"""Estimates of cycles, on code short enough to add up by hand."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from tpsgd_edge.toolchain.cycles import Cycles, block_cycles
from tpsgd_edge.toolchain.executed import Executed, count_of
from tpsgd_edge.toolchain.platforms import load_platform

pytest.importorskip("capstone")

PUSH, POP = "30b5", "30bd"  # {r4, r5, lr} and {r4, r5, pc}
LOAD, NEXT, STORE = "0868", "4a68", "1060"  # ldr r0, [r1]; ldr r2, [r1, #4]; str r0, [r2]
MULTIPLY, ADD = "4843", "4018"  # muls r0, r1, r0; adds r0, r0, r1
SMLAD, DIVIDE = "20fb0233", "91fbf2f0"
FUSED = "a0ee810a"  # vfma.f32 s0, s1, s2
BRANCH, CALL = "fed1", "fff7feff"  # bne; bl


def cost(timing: Any, *code: str) -> Cycles:
    return block_cycles(bytes.fromhex("".join(code)), timing)


@pytest.mark.parametrize(
    ("code", "always", "jump"),
    [
        ((PUSH, ADD, MULTIPLY), 4 + 1 + 1, 1),
        ((LOAD, NEXT, STORE), 2 + 2 + 2, 1),
        ((ADD, BRANCH), 1 + 1, 1),  # 2 where it is taken
        ((CALL,), 1, 2),
        ((ADD, POP), 1 + 4, 2),
    ],
)
def test_cortex_m0plus(code: tuple[str, ...], always: int, jump: int) -> None:
    assert cost("cortex-m0plus", *code) == Cycles(always, jump)


@pytest.mark.parametrize(
    ("code", "always"),
    [
        ((PUSH, SMLAD, DIVIDE), 4 + 1 + 7),
        ((LOAD, NEXT, STORE), 2 + 1 + 1),
        ((LOAD, ADD, NEXT), 2 + 1 + 2),
        ((STORE,), 1),
        ((FUSED,), 3),
        ((ADD, BRANCH), 1 + 1),
        ((ADD, POP), 1 + 4),
    ],
)
def test_cortex_m4(code: tuple[str, ...], always: int) -> None:
    assert cost("cortex-m4", *code) == Cycles(always, 2)


def test_what_is_not_known_takes_a_cycle() -> None:
    assert cost("cortex-m4", "ffffffff", ADD).always == 2


def test_jumps_cost_more_than_going_on() -> None:
    code = bytes.fromhex(ADD + BRANCH)
    elf = SimpleNamespace(code=lambda *_: code, function_at=lambda _: "loop")
    executed = Executed(2, {(0, 4): 10}, {(0, 4): 2}, {})
    count = count_of(executed, cast(Any, elf), load_platform("cortex-m4f"))
    assert (count.total, count.cycles) == (20, 10 * 2 + 8 * 2)
    assert count.cycles_per_run == 18
    assert count_of(executed, cast(Any, elf), load_platform("cortex-m33")).cycles is None
