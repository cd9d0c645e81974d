"""A fixed set of random recurrent networks on every emulated core: no bit differs."""

import numpy as np
import pytest

from tests.emulator.test_random_networks import CORES, on_cores, run_on
from tests.random.networks import network
from tests.support.gated import with_gru_layers, with_lstm_layers
from tests.support.models import VALUE_TYPES
from tests.support.sequences import rnn_plans
from tpsgd_edge.quantize.model import QuantizedGru, QuantizedLstm, QuantizedModel, SeededInit

pytestmark = pytest.mark.emulator

NETWORKS = 12
# With these seeds the set covers all kinds; the last test says whether it still does.
_FIRST_SEED, _FIRST_GATED, _FIRST_LSTM = 7, 5418, 29


def model_of(number: int) -> QuantizedModel:
    """One of the set: the formats in turn, the rest drawn from the number; two with maps behind."""
    return network(
        _FIRST_SEED + number,
        value_type=VALUE_TYPES[number % 3],
        recurrent=True,
        maps=number >= NETWORKS - 2,
    )


def gated_model_of(number: int) -> QuantizedModel:
    """The same with gru layers."""
    model = network(_FIRST_GATED + number, value_type=VALUE_TYPES[number % 3], recurrent=True)
    return with_gru_layers(np.random.default_rng(number), model)


def lstm_model_of(number: int) -> QuantizedModel:
    """The same with lstm layers."""
    model = network(_FIRST_LSTM + number, value_type=VALUE_TYPES[number % 3], recurrent=True)
    return with_lstm_layers(np.random.default_rng(number), model)


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


@pytest.mark.slow
@on_cores(number=range(4))
def test_a_core_runs_gru_layers_as_the_reference_does(core, number):
    run_on(core, gated_model_of(number), number)


@pytest.mark.slow
@pytest.mark.parametrize(("place", "core"), [*enumerate(CORES)])
def test_a_core_runs_lstm_layers_as_the_reference_does(core, place):
    run_on(core, lstm_model_of(place), place)


@pytest.mark.series(1)
@pytest.mark.parametrize("core", [core for core in CORES if core.startswith("cortex")])
def test_clang_clears_the_stream_of_a_wide_layer(core):
    """It calls __aeabi_memclr4 for that, and where there is no C library the port has it."""
    plans = rnn_plans("s16", [6, 40], [(0,)], [True])
    model = network(9, value_type="s16", rnn_plans=plans, hidden=[], steps=3)
    run_on(core, model, 9, family="clang")


def test_the_set_covers_all_kinds():
    gated = [gated_model_of(number) for number in range(4)]
    grus = [la for model in gated for la in model.recurrent if isinstance(la, QuantizedGru)]
    assert {la.x_type for la in grus} == set(VALUE_TYPES)
    assert {(la.reset_before, la.x_type == "f32") for la in grus} >= {(True, False), (False, False)}
    cells = [lstm_model_of(place) for place in range(len(CORES))]
    lstms = [la for model in cells for la in model.recurrent if isinstance(la, QuantizedLstm)]
    assert {(la.x_type, la.trains) for la in lstms} >= {(kind, True) for kind in VALUE_TYPES}
    models = [model_of(number) for number in range(NETWORKS)]
    layers = [layer for model in models for layer in model.recurrent]
    assert len({(layer.weight_type, layer.shape.has_traces) for layer in layers}) == 6
    assert len({(layer.x_type, layer.shape.has_traces) for layer in layers}) == 6
    assert {len(layer.shape.leak_shifts) > 1 for layer in layers} == {True, False}
    assert {0 in layer.shape.leak_shifts for layer in layers} == {True, False}
    assert {isinstance(layer.init, SeededInit) for layer in layers} == {True, False}
    assert any(isinstance(la.init, SeededInit) and la.init.recurrent.biases > 0 for la in layers)
    assert {model.gate is None for model in models} == {True, False}
    teaching = {m.value_type for m in models if not m.labels.each_step and m.learning_steps[1:]}
    assert teaching == set(VALUE_TYPES)
    assert {m.value_type for m in models if m.labels.each_step} == set(VALUE_TYPES)
    assert {layer.kind for layer in models[-1].layers} > {"rnn", "dense"}
    # What runs in `make check` learns in the middle of a sequence, from the present and traces.
    quick = [layer for model in models[:2] for layer in model.recurrent]
    assert {layer.shape.has_traces for layer in quick} == {True, False}
    assert any(not m.labels.each_step and m.learning_steps[1:] for m in models[:2])
