"""A fixed set of random networks that branch on every emulated core: no bit differs."""

import pytest

from tests.emulator.test_random_networks import on_cores, run_on
from tests.random.networks import network
from tests.support.models import VALUE_TYPES
from tpsgd_edge.quantize.model import QuantizedAdd, QuantizedConcat, QuantizedModel

pytestmark = pytest.mark.emulator

NETWORKS = 20
# With these seeds the set covers all kinds; the last test says whether it still does.
_FIRST_SEED = 15_600


def model_of(number: int) -> QuantizedModel:
    """One of the set: the formats in turn, the rest drawn from the number."""
    recurrent, value_type = number % 5 == 4, VALUE_TYPES[number % 3]
    return network(_FIRST_SEED + number, value_type=value_type, graph=True, recurrent=recurrent)


@on_cores(number=range(NETWORKS))
@pytest.mark.slow
def test_a_core_does_what_the_reference_does(core, number):
    run_on(core, model_of(number), number)


@pytest.mark.slow
@on_cores(family="gcc", number=[3, 4, 5])
def test_gcc_makes_the_same_of_it(core, number):
    run_on(core, model_of(number), number, family="gcc")


@pytest.mark.slow
@on_cores(number=[6, 7, 8])
def test_firmware_that_only_predicts_does_too(core, number):
    run_on(core, model_of(number), number, inference_only=True)


def test_the_set_covers_all_kinds():
    models = [model_of(number) for number in range(NETWORKS)]
    layers = [layer for model in models for layer in model.layers]
    sums = [layer for layer in layers if isinstance(layer, QuantizedAdd)]
    concats = [layer for layer in layers if isinstance(layer, QuantizedConcat)]
    assert {layer.y_type for layer in sums} == set(VALUE_TYPES)
    assert {layer.y_type for layer in concats} == set(VALUE_TYPES)
    assert {layer.activation for layer in sums} == {"linear", "relu", "relu6"}
    assert {bool(model.recurrent) for model in models} == {True, False}
    assert {len(model.edges.consumers_of("x")) > 1 for model in models} == {True, False}
