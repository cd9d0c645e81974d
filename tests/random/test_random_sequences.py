"""Random recurrent networks: no bit differs from the reference.

Behind the recurrent layers come dense ones, and in the mixtures convolutions and pools as well.
Lengths, leaks and labels (one for a sequence, one for each step) are drawn.
A failing test names its seed; `pytest tests/random/test_random_sequences.py -k SEED` repeats it.
"""

import numpy as np
import pytest

from tests.random.counts import CI, NOW
from tests.random.networks import network, samples_of
from tests.random.running import OTHER_BUILDS, SANITIZED, run_model
from tests.support.gated import with_gru_layers, with_lstm_layers
from tests.support.models import VALUE_TYPES
from tests.support.sequences import MOST_STEPS
from tpsgd_edge.quantize.model import QuantizedGru, QuantizedLstm, QuantizedModel, SeededInit
from tpsgd_edge.reference import Reference

SEQUENCES, MIXTURES, GATED = NOW["sequences"], NOW["mixtures"], NOW["gated"]
LSTM = NOW["lstm"]
_FIRST_SEED, _FIRST_MIXTURE, _FIRST_GATED = 8122, 9000, 10_036
_FIRST_LSTM = 11_000
PLAIN_SEEDS = range(_FIRST_SEED, _FIRST_SEED + SEQUENCES.sanitized)
MIXTURE_SEEDS = range(_FIRST_MIXTURE, _FIRST_MIXTURE + MIXTURES.sanitized)
GATED_SEEDS = range(_FIRST_GATED, _FIRST_GATED + GATED.sanitized)
LSTM_SEEDS = range(_FIRST_LSTM, _FIRST_LSTM + LSTM.sanitized)


def sequences(seed: int) -> QuantizedModel:
    """One to three recurrent layers and dense ones; from the first mixture on, maps between."""
    return network(seed, recurrent=True, maps=seed >= _FIRST_MIXTURE)


def gated(seed: int) -> QuantizedModel:
    """The same with at least one gru layer among the recurrent ones; maps behind in some."""
    model = network(seed, recurrent=True, maps=seed % 4 == 3)
    return with_gru_layers(np.random.default_rng(seed), model)


def remembering(seed: int) -> QuantizedModel:
    """The same with at least one lstm layer; maps behind in some."""
    model = network(seed, recurrent=True, maps=seed % 4 == 3)
    return with_lstm_layers(np.random.default_rng(seed), model)


@pytest.mark.parametrize("seed", [*PLAIN_SEEDS, *MIXTURE_SEEDS])
def test_sanitized_code_does_what_the_reference_does(seed):
    run_model(sequences(seed), seed, SANITIZED)


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed", [*PLAIN_SEEDS[: SEQUENCES.per_build], *MIXTURE_SEEDS[: MIXTURES.per_build]]
)
@pytest.mark.parametrize("name", OTHER_BUILDS)
def test_other_builds_do_what_the_reference_does(name, seed):
    run_model(sequences(seed), seed, OTHER_BUILDS[name])


@pytest.mark.parametrize("seed", GATED_SEEDS)
def test_sanitized_code_with_gru_layers_does_what_the_reference_does(seed):
    run_model(gated(seed), seed, SANITIZED)


@pytest.mark.slow
@pytest.mark.parametrize("seed", GATED_SEEDS[: GATED.per_build])
@pytest.mark.parametrize("name", OTHER_BUILDS)
def test_other_builds_with_gru_layers_do_too(name, seed):
    run_model(gated(seed), seed, OTHER_BUILDS[name])


@pytest.mark.parametrize("seed", LSTM_SEEDS)
def test_sanitized_code_with_lstm_layers_does_what_the_reference_does(seed):
    run_model(remembering(seed), seed, SANITIZED)


@pytest.mark.slow
@pytest.mark.parametrize("seed", LSTM_SEEDS[: LSTM.per_build])
@pytest.mark.parametrize("name", OTHER_BUILDS)
def test_other_builds_with_lstm_layers_do_too(name, seed):
    run_model(remembering(seed), seed, OTHER_BUILDS[name])


def test_the_networks_of_ci_hold_all_kinds_of_lstm_layers():
    models = [remembering(_FIRST_LSTM + number) for number in range(CI["lstm"].sanitized)]
    lstms = [la for model in models for la in model.recurrent if isinstance(la, QuantizedLstm)]
    assert len({(la.weight_type, la.x_type) for la in lstms}) == 5
    assert len({(la.trains, la.x_type) for la in lstms}) == 6
    assert len({la.cell_max for la in lstms}) >= 4
    stacks = {tuple(la.kind for la in model.recurrent) for model in models}
    assert stacks >= {("lstm",), ("lstm", "rnn"), ("rnn", "lstm")}


def test_the_networks_of_ci_hold_all_kinds_of_gru_layers():
    models = [gated(_FIRST_GATED + number) for number in range(CI["gated"].sanitized)]
    grus = [la for model in models for la in model.recurrent if isinstance(la, QuantizedGru)]
    assert len({(la.reset_before, la.weight_type, la.x_type) for la in grus}) == 10
    stacks = {tuple(la.kind for la in model.recurrent) for model in models}
    assert stacks >= {("gru",), ("gru", "gru"), ("gru", "rnn"), ("rnn", "gru")}
    assert {model.labels.each_step for model in models} == {False, True}
    teaching = [m for m in models if not m.labels.each_step and m.learning_steps[1:]]
    assert {m.gate is not None for m in teaching} == {False, True}
    assert any("conv2d" in {layer.kind for layer in model.layers} for model in models)


def test_the_networks_of_ci_hold_all_kinds_of_sequences():
    models = [sequences(_FIRST_SEED + number) for number in range(CI["sequences"].sanitized)]
    models += [sequences(_FIRST_MIXTURE + number) for number in range(CI["mixtures"].sanitized)]
    assert {model.steps for model in models} == set(range(1, MOST_STEPS + 1))
    assert {len(model.recurrent) for model in models} == {1, 2, 3}
    assert len({(m.value_type, m.labels.kind, m.labels.each_step) for m in models}) == 12
    assert {(m.value_type, m.gate is not None) for m in models} >= {
        (value_type, gated) for value_type in VALUE_TYPES for gated in (False, True)
    }
    layers = [layer for model in models for layer in model.recurrent]
    assert {shift for layer in layers for shift in layer.shape.leak_shifts} == set(range(16))
    assert (
        len({(len(la.shape.leak_shifts) > 1, la.shape.has_traces, la.x_type) for la in layers})
        == 12
    )
    integers = [layer for layer in layers if layer.x_type != "f32"]
    assert {layer.numbers.own_shift for layer in integers} == set(range(16))
    teaching = [m for m in models if not m.labels.each_step and len(m.learning_steps) > 1]
    assert len({(m.value_type, m.labels.kind, m.learn_every > 1) for m in teaching}) == 12
    assert {(m.value_type, m.gate is not None) for m in teaching} >= {
        (value_type, True) for value_type in VALUE_TYPES
    }
    assert any(m.learn_every > m.steps for m in models)
    drawn = [layer for layer in layers if isinstance(layer.init, SeededInit)]
    assert {(la.x_type, la.init.recurrent.biases > 0) for la in drawn} == {
        (value_type, biased) for value_type in VALUE_TYPES for biased in (False, True)
    }
    kinds = [{layer.kind for layer in model.layers} for model in models]
    assert {"rnn", "conv2d", "dense"} in kinds
    assert {"rnn", "max_pool", "average_pool", "conv2d", "dense"} in kinds


def test_most_recurrent_layers_learn():
    moved = 0
    for seed in PLAIN_SEEDS[:12]:
        model = sequences(seed)
        reference = Reference(model)
        before = reference.state()
        for sample, label in zip(*samples_of(model, seed), strict=True):
            reference.train_step(sample, label)
        after = reference.state()
        moved += any(
            not np.array_equal(before[f"{layer.name}.w"], after[f"{layer.name}.w"])
            for layer in model.recurrent
        )
    assert moved >= 9
