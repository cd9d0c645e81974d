"""Random networks whose layers carry scores: dense, on maps, in graphs; gated, learned, frozen.

A failing test names its seed, and `pytest tests/random/test_random_carried.py -k SEED` repeats it.
"""

from itertools import count
from typing import Any

import numpy as np
import pytest

from tests.random.counts import CI, NOW
from tests.random.networks import network
from tests.random.running import OTHER_BUILDS, SANITIZED, run_model
from tests.support.carried import can_carry, with_carried_scores
from tests.support.frozen import with_frozen_layers
from tests.support.models import VALUE_TYPES
from tests.support.readouts import with_learning_readouts
from tpsgd_edge.quantize.model import QuantizedModel

COUNTS = NOW["frozen"]
_FIRST_SEED = 19_000
_KINDS: tuple[dict[str, Any], ...] = ({}, {"maps": True}, {"graph": True}, {"maps": True})


def carrying_network(seed: int) -> QuantizedModel:
    """A net of a hidden dense layer or two, behind layers on maps or in their place."""
    rng = np.random.default_rng(seed)
    wanted = dict(value_type=VALUE_TYPES[seed % 3], label_kind="class", **_KINDS[seed % 4])
    if seed % 4 != 2:
        wanted["hidden"] = tuple(rng.integers(1, 25, rng.integers(1, 3)).tolist())
    drawn = (network(seed + 100_000 * turn, **wanted) for turn in count())
    model = next(model for model in drawn if can_carry(model))
    if seed % 5 == 3:
        model = with_learning_readouts(rng, model)
    model = with_carried_scores(rng, model)
    return with_frozen_layers(rng, model) if seed % 5 == 4 else model


def test_scores_are_carried_in_most_of_them():
    models = [
        carrying_network(seed) for seed in range(_FIRST_SEED, _FIRST_SEED + CI["frozen"].sanitized)
    ]
    assert sum(len(model.carrying) > 1 for model in models) > 20
    assert sum(model.has_error_gate for model in models) > 5
    assert len({model.value_type for model in models if model.carrying}) == 3


@pytest.mark.parametrize("seed", range(_FIRST_SEED, _FIRST_SEED + COUNTS.sanitized))
def test_sanitized_code_does_what_the_reference_does(seed):
    run_model(carrying_network(seed), seed, SANITIZED)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(_FIRST_SEED, _FIRST_SEED + COUNTS.per_build))
@pytest.mark.parametrize("name", OTHER_BUILDS)
def test_other_builds_do_what_the_reference_does(name, seed):
    run_model(carrying_network(seed), seed, OTHER_BUILDS[name])
