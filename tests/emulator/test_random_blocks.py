"""Random networks in which errors are passed on, on every emulated core: no bit differs."""

import numpy as np
import pytest

from tests.emulator.test_random_networks import on_cores, run_on
from tests.random.networks import network
from tests.support.blocks import with_blocks
from tests.support.models import VALUE_TYPES
from tpsgd_edge.quantize.model import QuantizedModel

pytestmark = pytest.mark.emulator

NETWORKS = 8
_FIRST_SEED = 15_100


def model_of(number: int) -> QuantizedModel:
    model = network(
        _FIRST_SEED + number,
        value_type=VALUE_TYPES[number % 3],
        maps=number % 4 != 2,
        plain_maps=True,
        hidden=[7, 5, 6],
    )
    return with_blocks(np.random.default_rng(number), model)


@on_cores(number=range(NETWORKS))
@pytest.mark.slow
def test_a_core_does_what_the_reference_does(core, number):
    run_on(core, model_of(number), number)


def test_the_set_has_heads_of_both_kinds_and_layers_that_only_pass():
    models = [model_of(number) for number in range(NETWORKS)]
    heads = {model.layers[way[0]].kind for model in models for way in model.ways_down}
    passing = {unit.kind for model in models for unit in model.weighted if unit.passes_only}
    assert heads == passing == {"dense", "conv2d"}
