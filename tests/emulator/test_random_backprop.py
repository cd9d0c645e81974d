"""Random networks that train by backpropagation, on every emulated core: no bit differs."""

import numpy as np
import pytest

from tests.emulator.test_random_networks import on_cores, run_on
from tests.random.networks import network
from tests.support.backprop import with_backprop
from tests.support.models import VALUE_TYPES
from tpsgd_edge.quantize.model import QuantizedModel

pytestmark = pytest.mark.emulator

NETWORKS = 8
_FIRST_SEED = 14_056


def model_of(number: int) -> QuantizedModel:
    model = network(
        _FIRST_SEED + number,
        value_type=VALUE_TYPES[number % 3],
        maps=number % 4 != 2,
        plain_maps=True,
    )
    return with_backprop(np.random.default_rng(number), model)


@on_cores(number=range(NETWORKS))
@pytest.mark.slow
def test_a_core_does_what_the_reference_does(core, number):
    run_on(core, model_of(number), number)


def test_the_set_hands_errors_through_all_kinds_of_layers():
    kinds = {
        model.layers[index].kind
        for model in map(model_of, range(NETWORKS))
        for index in model.way_down(len(model.layers) - 1)[:-1]
    }
    assert kinds == {"dense", "conv2d", "max_pool", "average_pool"}
