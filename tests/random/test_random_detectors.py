"""Random detectors: no bit differs from the reference.

A failing test names its seed; `pytest tests/random/test_random_detectors.py -k SEED` repeats it.
"""

import numpy as np
import pytest

from tests.random.counts import CI, NOW
from tests.random.networks import samples_of
from tests.random.running import OTHER_BUILDS, SANITIZED, run_model
from tests.support.detectors import random_detecting
from tpsgd_edge.reference import Reference

DETECTORS = NOW["detectors"]
_FIRST_SEED = 14_000
SEEDS = range(_FIRST_SEED, _FIRST_SEED + DETECTORS.sanitized)


@pytest.mark.parametrize("seed", SEEDS)
def test_sanitized_code_does_what_the_reference_does(seed):
    run_model(random_detecting(seed), seed, SANITIZED)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS[: DETECTORS.per_build])
@pytest.mark.parametrize("name", OTHER_BUILDS)
def test_other_builds_do_what_the_reference_does(name, seed):
    run_model(random_detecting(seed), seed, OTHER_BUILDS[name])


def test_the_detectors_of_ci_are_of_all_kinds():
    models = [random_detecting(_FIRST_SEED + n) for n in range(CI["detectors"].sanitized)]
    kinds = {(m.layers[0].x_type, m.layers[0].method) for m in models}
    assert len(kinds) == 4
    codes = [m.layers[0].code for m in models if m.layers[0].code is not None]
    assert len({(code.x_type, code.weight_type) for code in codes}) == 4


def test_most_detectors_learn():
    learned = 0
    for seed in range(_FIRST_SEED, _FIRST_SEED + 20):
        model = random_detecting(seed)
        reference = Reference(model)
        before = reference.state()
        for sample, label in zip(*samples_of(model, seed), strict=True):
            reference.train_step(sample, label)
        after, name = reference.state(), model.layers[0].name
        tensor = f"{name}.m" if model.layers[0].code is None else f"{name}.w"
        learned += not np.array_equal(before[tensor], after[tensor])
    assert learned >= 15
