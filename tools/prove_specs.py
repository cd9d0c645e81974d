"""Draws specs at random and proves each on this computer, for as long as one likes.

    python tools/prove_specs.py --nets 300              some minutes, as in CI
    python tools/prove_specs.py --nets 10000            a night on one core
    python tools/prove_specs.py --minutes 20 --seed 7   as many as come in that time

Prints how many specs were drawn, refused and proved, with how many training steps, and how many
differences there are; ends with 1 at the first, which it prints with the spec, made as small as it
can. Run it from the checkout: the specs are those of tests/random/specs.py.
"""

import argparse
import sys
import time
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.random.specs import STEPS, Drawn, Tally, specs

_BLOCK = 100


def run(nets: int, minutes: float, first_seed: int, steps: int) -> int:
    """Prove specs until there are as many nets, or the time is over; the exit code."""
    tally, start, block = Tally(), time.monotonic(), first_seed
    ends = start + 60 * minutes

    def is_over() -> bool:
        return tally.nets >= nets or time.monotonic() > ends

    while not is_over():

        @seed(block)
        @settings(
            max_examples=_BLOCK,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(specs())
        def check(one: Drawn) -> None:
            if not is_over():
                tally.run(one, steps)

        try:
            check()
        except AssertionError as error:
            print(f"{_words(tally, start)}, differences 1 or more\n{error}")
            return 1
        block += 1
        print(f"{_words(tally, start)}, differences 0", flush=True)
    return 0


def _words(tally: Tally, start: float) -> str:
    return (
        f"{tally.drawn:,} specs, {tally.refused:,} refused, {tally.nets:,} nets, "
        f"{tally.steps:,} steps in {time.monotonic() - start:,.0f} s"
    )


def main() -> int:
    """Prove, and count."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nets", type=int, default=10_000, help="stop after so many")
    parser.add_argument("--minutes", type=float, default=1e6, help="or after this time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=STEPS, help="training steps of each net")
    arguments = parser.parse_args()
    return run(arguments.nets, arguments.minutes, arguments.seed, arguments.steps)


if __name__ == "__main__":
    sys.exit(main())
