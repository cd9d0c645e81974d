"""A fixed set of random networks on maps on every emulated core: no bit differs."""

from itertools import product

import pytest

from tests.emulator.test_random_networks import on_cores, run_on
from tests.random.networks import network
from tests.support.models import VALUE_TYPES
from tpsgd_edge.quantize.model import QuantizedModel, QuantizedPool

pytestmark = pytest.mark.emulator

NETWORKS = 12
# With these seeds the set covers all kinds; the last test says whether it still does.
_FIRST_SEED = 4234


def model_of(number: int) -> QuantizedModel:
    """One of the set: the formats in turn, the rest drawn from the number."""
    return network(_FIRST_SEED + number, value_type=VALUE_TYPES[number % 3], maps=True)


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
    convolutions = [layer for layer in layers if layer.kind == "conv2d"]
    pools = [layer for layer in layers if isinstance(layer, QuantizedPool)]
    shapes = [layer.shape for layer in convolutions]
    assert {layer.weight_type for layer in convolutions} == set(VALUE_TYPES)
    assert {(pool.mode, pool.is_cut) for pool in pools} == set(
        product(("max", "average"), (True, False))
    )
    assert {shape.groups > 1 for shape in shapes} == {True, False}
    assert {shape.padding == (0, 0) for shape in shapes} == {True, False}
    assert {shape.is_dilated for shape in shapes} == {True, False}
    assert {shape.stride == (1, 1) for shape in shapes} == {True, False}
    assert {shape.windows == shape.y_shape[:2] for shape in shapes} == {True, False}
    assert {model.gate is None for model in models} == {True, False}
