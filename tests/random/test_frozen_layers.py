"""Random networks of all kinds in which some layers do not train.

A failing test names its seed, and `pytest tests/random/test_frozen_layers.py -k SEED` repeats it.
"""

import numpy as np
import pytest

from tests.random.counts import NOW
from tests.random.networks import network
from tests.random.running import OTHER_BUILDS, SANITIZED, run_model
from tests.support.frozen import with_frozen_layers
from tpsgd_edge.memory import digest_order, plan_memory
from tpsgd_edge.memory.state import COUNTERS
from tpsgd_edge.quantize.model import QuantizedModel

FROZEN = NOW["frozen"]
_FIRST_SEED = 11_000
_KINDS = ({}, {"maps": True}, {"recurrent": True}, {"recurrent": True, "maps": True})


def frozen_network(seed: int) -> QuantizedModel:
    return with_frozen_layers(np.random.default_rng(seed), network(seed, **_KINDS[seed % 4]))


@pytest.mark.parametrize("seed", range(_FIRST_SEED, _FIRST_SEED + FROZEN.sanitized))
def test_sanitized_code_does_what_the_reference_does(seed):
    run_model(frozen_network(seed), seed, SANITIZED)


@pytest.mark.parametrize("seed", range(FROZEN.per_build))
@pytest.mark.parametrize("name", OTHER_BUILDS)
def test_other_builds_do_what_the_reference_does(name, seed):
    run_model(frozen_network(seed), seed, OTHER_BUILDS[name])


def test_a_frozen_layer_takes_no_ram():
    models = [frozen_network(seed) for seed in range(40)]
    assert sum(not layer.trains for model in models for layer in model.weighted) > 30
    for model in models:
        names = {name.split(".")[0] for name in digest_order(model)} - set(COUNTERS)
        assert names == {layer.name for layer in model.trainable}
        of_state = {tensor.name.split(".")[0] for tensor in plan_memory(model).state.tensors}
        assert of_state - set(COUNTERS) == names
        kept = {b.layer for b in plan_memory(model).stream if b.role != "h"}
        assert kept <= names
