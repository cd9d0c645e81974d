"""Draws specs at random and proves each, for as long as one likes.

    python tools/prove_specs.py --nets 10000 --jobs 2        an hour of one core
    python tools/prove_specs.py --core cortex-m4f --nets 500
    python tools/prove_specs.py --minutes 20 --seed 7        as many as come in that time

Prints how many specs were drawn, refused and proved, with how many training steps, and how many
differences there are; ends with 1 at the first, which it prints with the spec, made as small as it
can. Each block of specs has a seed, a process, and on this computer a compiler of its own. Run it
from the checkout: the specs are those of tests/random/specs.py.
"""

import argparse
import itertools
import os
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.random.proving import TCC, Tally, Way
from tests.random.specs import Drawn, specs
from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.platforms import load_platform

_BLOCK = 250
_CORE_BLOCK = 100
# Of sixteen blocks on this computer: gcc takes five times as long, but its code has vectors.
_IN_TURN = (*[(TCC, "-O0")] * 7, ("gcc", "-O0"), *[(TCC, "-O0")] * 7, ("gcc", "-O2"))
# Of five blocks on a core: zig takes three times as long as gcc.
_ON_A_CORE = (("gcc", "-O1"), ("gcc", "-O2"), ("gcc", "-O1"), ("gcc", "-Os"), (None, "-O1"))
# What is compiled once is not worth keeping, and looking for room in the cache takes its time.
os.environ["TPSGD_EDGE_CACHE"] = ""


@dataclass
class Total:
    """What came of all blocks so far."""

    start: float = field(default_factory=time.monotonic)
    sum: Tally = field(default_factory=Tally)
    differences: list[str] = field(default_factory=list)

    def add(self, tally: Tally, difference: str) -> None:
        """Count one block; the simplest spec comes in each of them."""
        self.sum.drawn += tally.drawn
        self.sum.refused += tally.refused
        self.sum.steps += tally.steps
        self.sum.seen |= tally.seen
        self.differences += [difference] if difference else []

    def __str__(self) -> str:
        tally = self.sum
        return (
            f"{tally.drawn:,} specs, {tally.refused:,} refused, {tally.nets:,} nets, "
            f"{tally.steps:,} steps in {time.monotonic() - self.start:,.0f} s, "
            f"differences {len(self.differences)}"
        )


def prove_block(number: int, count: int, way: Way) -> tuple[Tally, str]:
    """What came of the specs of one seed, and the first difference in words."""
    tally = Tally()

    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(specs())
    def check(one: Drawn) -> None:
        tally.run(one, way)

    try:
        check()
    except AssertionError as error:
        return tally, str(error)
    return tally, ""


def ways(way: Way) -> Iterator[Way]:
    """How each block is built: by compilers in turn, where none is asked for."""
    if way.compiler:
        yield from itertools.repeat(way)
    for compiler, optimize in itertools.cycle(_IN_TURN if way.core == "host" else _ON_A_CORE):
        there = compiler if _is_there(compiler, way.core) else None
        yield replace(way, compiler=there, optimize=optimize)


def _is_there(compiler: str | None, core: str) -> bool:
    if compiler == TCC:
        return shutil.which(TCC) is not None
    try:
        find_compiler(load_platform(core), compiler)
    except ToolError:
        return False
    return True


def run(nets: int, minutes: float, first_seed: int, jobs: int, way: Way) -> int:
    """Prove block after block until there are as many nets, or the time is over; the exit code."""
    total = Total()
    ends = total.start + 60 * minutes
    # Some are drawn twice, some refused.
    size = min(nets + nets // 8 + 1, _BLOCK if way.core == "host" else _CORE_BLOCK)
    blocks = zip(itertools.count(first_seed), itertools.repeat(size), ways(way), strict=False)
    # A process for each block: a library that was loaded stays loaded.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        running: set[Future[tuple[Tally, str]]] = set()
        while True:
            wanted = nets - total.sum.nets - size * len(running)
            is_over = total.differences or time.monotonic() > ends
            if wanted > 0 and not is_over and len(running) < jobs:
                running.add(pool.submit(prove_block, *next(blocks)))
                continue
            if not running:
                break
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                total.add(*future.result())
                print(total, flush=True)
    print("\n".join(total.differences), end="")
    return 1 if total.differences else 0


def main() -> int:
    """Prove, and count."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nets", type=int, default=10_000, help="stop after so many")
    parser.add_argument("--minutes", type=float, default=1e6, help="or after this time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=100, help="training steps of each net")
    parser.add_argument("--jobs", type=int, default=1, help="blocks at a time")
    parser.add_argument("--core", default="host", help="a platform; this computer by default")
    parser.add_argument("--compiler", help="a family or a command, for all blocks")
    parser.add_argument("--optimize", default="-O1", help="with --compiler")
    given_ = parser.parse_args()
    way = Way(given_.core, given_.compiler, given_.optimize, given_.steps)
    return run(given_.nets, given_.minutes, given_.seed, given_.jobs, way)


if __name__ == "__main__":
    sys.exit(main())
