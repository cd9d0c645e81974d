"""Networks whose read-outs learn, on emulated cores: no bit differs."""

from dataclasses import replace

import pytest

from tests.emulator.test_random_networks import on_cores, run_on
from tests.random.test_random_readouts import learning_network

pytestmark = pytest.mark.emulator


@pytest.mark.slow
@on_cores(number=range(4))
def test_a_core_does_what_the_reference_does(core, number):
    # Seeds of s8 and s16: f32 is for cores with a unit for it.
    seed = 16_001 + 3 * number + (0, 1)[number % 2]
    run_on(core, replace(learning_network(seed), name="net"), number)
