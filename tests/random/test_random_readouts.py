"""Random networks whose read-outs learn: dense, on maps, recurrent; some layers do not train.

A failing test names its seed, and `pytest tests/random/test_random_readouts.py -k SEED` repeats it.
"""

from typing import Any

import numpy as np
import pytest

from tests.random.counts import NOW
from tests.random.networks import network
from tests.random.running import OTHER_BUILDS, SANITIZED, run_model
from tests.support.frozen import with_frozen_layers
from tests.support.models import VALUE_TYPES
from tests.support.readouts import with_learning_readouts
from tpsgd_edge.quantize.model import QuantizedModel

COUNTS = NOW["frozen"]
_FIRST_SEED = 15_000
_KINDS: tuple[dict[str, Any], ...] = ({}, {"maps": True}, {"recurrent": True}, {"maps": True})


def learning_network(seed: int) -> QuantizedModel:
    """A net of two hidden dense layers or more, behind layers on maps or recurrent ones."""
    rng = np.random.default_rng(seed)
    hidden = tuple(rng.integers(1, 25, rng.integers(1, 3)).tolist())
    model = network(seed, value_type=VALUE_TYPES[seed % 3], hidden=hidden, **_KINDS[seed % 4])
    model = with_learning_readouts(rng, model)
    return with_frozen_layers(rng, model) if seed % 5 == 4 else model


@pytest.mark.parametrize("seed", range(_FIRST_SEED, _FIRST_SEED + COUNTS.sanitized))
def test_sanitized_code_does_what_the_reference_does(seed):
    run_model(learning_network(seed), seed, SANITIZED)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(_FIRST_SEED, _FIRST_SEED + COUNTS.per_build))
@pytest.mark.parametrize("name", OTHER_BUILDS)
def test_other_builds_do_what_the_reference_does(name, seed):
    run_model(learning_network(seed), seed, OTHER_BUILDS[name])
