"""Networks that keep samples, on emulated cores: no bit differs."""

from dataclasses import replace

import pytest

from tests.emulator.test_random_networks import on_cores, run_on
from tests.random.test_random_replay import keeping_network

pytestmark = pytest.mark.emulator


@pytest.mark.slow
@on_cores(number=range(4))
def test_a_core_does_what_the_reference_does(core, number):
    # Seeds of s8 and s16: f32 is for cores with a unit for it.
    seed = next(s for s in range(21_100 + 20 * number, 21_200) if _fits(s, number))
    run_on(core, replace(keeping_network(seed), name="net"), number)


def _fits(seed: int, number: int) -> bool:
    return seed % 4 == number and keeping_network(seed).value_type != "f32"
