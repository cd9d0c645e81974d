"""Random networks in which some layers do not train, on every emulated core: no bit differs.

Their weights are constants, which lie at other addresses than those of the state.
"""

import numpy as np
import pytest

from tests.emulator.test_random_networks import on_cores, run_on
from tests.random.networks import network
from tests.support.frozen import with_frozen_layers
from tests.support.models import VALUE_TYPES
from tpsgd_edge.quantize.model import QuantizedModel

pytestmark = pytest.mark.emulator

_FIRST_SEED = 12_000


def model_of(number: int) -> QuantizedModel:
    model = network(
        _FIRST_SEED + number,
        value_type=VALUE_TYPES[number % 2],
        maps=number % 5 == 3,
        recurrent=number % 5 == 4,
    )
    return with_frozen_layers(np.random.default_rng(number), model)


@pytest.mark.slow
@on_cores(number=range(10))
def test_a_core_does_what_the_reference_does(core, number):
    run_on(core, model_of(number), number)


def test_the_set_has_frozen_layers_beside_trained_ones_of_the_same_types():
    models = [model_of(number) for number in range(10)]
    frozen = [layer for model in models for layer in model.weighted if not layer.trains]
    assert len(frozen) > 8
    assert {layer.weight_type for layer in frozen} == {"s4", "s8", "s16"}
