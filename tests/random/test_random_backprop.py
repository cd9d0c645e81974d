"""Random networks that train by backpropagation, no bit away from the reference.

A failing test names its seed, and `pytest tests/random/test_random_backprop.py -k SEED` repeats it.
"""

import numpy as np
import pytest

from tests.random.counts import NOW
from tests.random.networks import network, samples_of
from tests.random.running import OTHER_BUILDS, SANITIZED, run_model
from tests.support.backprop import with_backprop
from tpsgd_edge.quantize.model import QuantizedModel
from tpsgd_edge.reference import Reference

BACKPROP = NOW["backprop"]
_FIRST_SEED = 13_000


def backprop_network(seed: int) -> QuantizedModel:
    return with_backprop(np.random.default_rng(seed), network(seed, maps=seed % 3 > 0))


@pytest.mark.parametrize("seed", range(_FIRST_SEED, _FIRST_SEED + BACKPROP.sanitized))
def test_sanitized_code_does_what_the_reference_does(seed):
    run_model(backprop_network(seed), seed, SANITIZED)


@pytest.mark.parametrize("seed", range(BACKPROP.per_build))
@pytest.mark.parametrize("name", OTHER_BUILDS)
def test_other_builds_do_what_the_reference_does(name, seed):
    run_model(backprop_network(seed), seed, OTHER_BUILDS[name])


def test_errors_reach_the_first_layers():
    reached = several = 0
    for seed in range(60):
        model = backprop_network(seed)
        reference = Reference(model)
        for x, label in zip(*samples_of(model, seed), strict=True):
            reference.train_step(x, label)
            if len(model.error_path) > 2:
                several += 1
                reached += model.error_path[-1] in reference.changed
    assert reached > several / 5 > 60
