"""Random networks on maps: convolutions, pools and dense layers, no bit away from the reference.

A failing test names its seed, and `pytest tests/random/test_random_maps.py -k SEED` repeats it.
"""

import pytest

from tests.random.counts import NOW
from tests.random.networks import network
from tests.random.running import OTHER_BUILDS, SANITIZED, run_model

MAPS = NOW["maps"]
_FIRST_SEED = 7000


@pytest.mark.parametrize("seed", range(_FIRST_SEED, _FIRST_SEED + MAPS.sanitized))
def test_sanitized_code_does_what_the_reference_does(seed):
    run_model(network(seed, maps=True), seed, SANITIZED)


@pytest.mark.parametrize("seed", range(MAPS.per_build))
@pytest.mark.parametrize("name", OTHER_BUILDS)
def test_other_builds_do_what_the_reference_does(name, seed):
    run_model(network(seed, maps=True), seed, OTHER_BUILDS[name])
