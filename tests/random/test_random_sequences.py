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
from tests.support.models import VALUE_TYPES
from tests.support.sequences import MOST_STEPS
from tpsgd_edge.quantize.model import QuantizedModel, SeededInit
from tpsgd_edge.reference import Reference

SEQUENCES, MIXTURES = NOW["sequences"], NOW["mixtures"]
_FIRST_SEED, _FIRST_MIXTURE = 8000, 9000
PLAIN_SEEDS = range(_FIRST_SEED, _FIRST_SEED + SEQUENCES.sanitized)
MIXTURE_SEEDS = range(_FIRST_MIXTURE, _FIRST_MIXTURE + MIXTURES.sanitized)


def sequences(seed: int) -> QuantizedModel:
    """One to three recurrent layers and dense ones; from the first mixture on, maps between."""
    return network(seed, recurrent=True, maps=seed >= _FIRST_MIXTURE)


@pytest.mark.parametrize("seed", [*PLAIN_SEEDS, *MIXTURE_SEEDS])
def test_sanitized_code_does_what_the_reference_does(seed):
    run_model(sequences(seed), seed, SANITIZED)


@pytest.mark.parametrize(
    "seed", [*PLAIN_SEEDS[: SEQUENCES.per_build], *MIXTURE_SEEDS[: MIXTURES.per_build]]
)
@pytest.mark.parametrize("name", OTHER_BUILDS)
def test_other_builds_do_what_the_reference_does(name, seed):
    run_model(sequences(seed), seed, OTHER_BUILDS[name])


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
    assert {shift for layer in layers for shift in layer.leak_shifts} == set(range(16))
    assert len({(len(la.leak_shifts) > 1, la.has_traces, la.x_type) for la in layers}) == 12
    assert {layer.own_shift for layer in layers} == set(range(16))
    teaching = [m for m in models if not m.labels.each_step and len(m.learning_steps) > 1]
    assert len({(m.value_type, m.labels.kind, m.learn_every > 1) for m in teaching}) == 12
    assert {(m.value_type, m.gate is not None) for m in teaching} >= {
        (value_type, True) for value_type in VALUE_TYPES
    }
    assert any(m.learn_every > m.steps for m in models)
    drawn = [layer for layer in layers if isinstance(layer.init, SeededInit)]
    assert {(la.x_type, la.bias_bound > 0) for la in drawn} == {
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
