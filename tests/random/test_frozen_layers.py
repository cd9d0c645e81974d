"""Random networks of all kinds in which some layers do not train.

A failing test names its seed, and `pytest tests/random/test_frozen_layers.py -k SEED` repeats it.
"""

import numpy as np
import pytest

from tests.random.counts import NOW
from tests.random.networks import network
from tests.random.running import OTHER_BUILDS, SANITIZED, run_model
from tests.support.frozen import freeze, with_four_bits, with_frozen_layers
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


def packed_network(seed: int) -> QuantizedModel:
    """A network of which only the last layer learns, with s4 weights wherever there can be some."""
    model = network(seed, value_type=("s8", "s16")[seed % 2], maps=True)
    frozen = freeze(model, [layer is model.weighted[-1] for layer in model.weighted])
    return with_four_bits(np.random.default_rng(seed), frozen, 1.0)


@pytest.mark.parametrize("seed", range(2 * FROZEN.per_build + 8))
def test_weights_of_four_bits_in_sanitized_code(seed):
    run_model(packed_network(seed), seed, SANITIZED)


@pytest.mark.parametrize("seed", range(FROZEN.per_build))
@pytest.mark.parametrize("name", OTHER_BUILDS)
def test_weights_of_four_bits_in_other_builds(name, seed):
    run_model(packed_network(seed), seed, OTHER_BUILDS[name])


@pytest.mark.parametrize("build", [SANITIZED, OTHER_BUILDS["pairs"]], ids=["vectors", "pairs"])
@pytest.mark.parametrize("value_type", ["s8", "s16"])
def test_rows_and_inputs_of_four_bits_that_are_left_over(value_type, build):
    model = network(7, value_type=value_type, n_in=9, hidden=[7, 6, 5], lively=True)
    frozen = freeze(model, [False, False, False, True])
    packed = with_four_bits(np.random.default_rng(7), frozen, 1.0)
    assert [layer.n_out % 4 for layer in packed.weighted[:3]] == [3, 2, 1]
    run_model(packed, 7, build)


def test_the_set_has_weights_of_four_bits_in_all_their_kinds():
    models = [packed_network(seed) for seed in range(2 * FROZEN.per_build + 8)]
    packed = [la for model in models for la in model.weighted if la.weight_type == "s4"]
    assert len({(la.kind, la.x_type) for la in packed}) == 4
    assert len({(la.kind, la.n_out % 2) for la in packed}) == 4


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
