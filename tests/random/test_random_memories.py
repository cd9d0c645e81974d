"""Random networks with memories: no bit differs from the reference.

Memories come first or behind recurrent layers, one behind the other, or with dense layers between.
A failing test names its seed; `pytest tests/random/test_random_memories.py -k SEED` repeats it.
"""

import numpy as np
import pytest

from tests.random.counts import CI, NOW
from tests.random.networks import network, samples_of
from tests.random.running import OTHER_BUILDS, SANITIZED, run_model
from tests.support.map_models import chain, conv, small
from tests.support.memories import behind_a_map, with_memories
from tests.support.models import VALUE_TYPES
from tpsgd_edge.quantize.model import QuantizedMemory, QuantizedModel
from tpsgd_edge.reference import Reference

MEMORIES = NOW["memories"]
_FIRST_SEED = 12_000
SEEDS = range(_FIRST_SEED, _FIRST_SEED + MEMORIES.sanitized)


def remembering(seed: int) -> QuantizedModel:
    """Memories and dense layers; behind one to three recurrent layers in every fourth."""
    model = network(seed, recurrent=seed % 4 == 3, max_width=12)
    return with_memories(np.random.default_rng(seed), model)


@pytest.mark.parametrize("seed", SEEDS)
def test_sanitized_code_does_what_the_reference_does(seed):
    run_model(remembering(seed), seed, SANITIZED)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_a_memory_behind_a_convolution_does_what_the_reference_does(value_type, seed):
    plans = chain(conv(3, kernel=(1, 4)))
    kinds = {"projection": "sign", "storage": "seed", "label_kind": "class", "hidden": [4]}
    base = small(plans, seed, value_type=value_type, **kinds)
    run_model(behind_a_map(np.random.default_rng(seed), base), seed, SANITIZED)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS[: MEMORIES.per_build])
@pytest.mark.parametrize("name", OTHER_BUILDS)
def test_other_builds_do_what_the_reference_does(name, seed):
    run_model(remembering(seed), seed, OTHER_BUILDS[name])


def test_the_networks_of_ci_hold_all_kinds_of_memories():
    models = [remembering(_FIRST_SEED + number) for number in range(CI["memories"].sanitized)]
    memories = [la for model in models for la in model.layers if isinstance(la, QuantizedMemory)]
    assert len({(la.x_type, bool(la.leak_shifts), la.states > 1) for la in memories}) == 12
    assert len({(la.x_type, la.differences) for la in memories}) == 6
    assert {shift for la in memories for shift in la.leak_shifts} == set(range(16))
    assert {(la.x_type, la.every > 1, la.first_wait > 0) for la in memories} >= {
        (value_type, *waits) for value_type in VALUE_TYPES for waits in ((False,) * 2, (True,) * 2)
    }
    walks = {tuple(la.kind for la in model.walk) for model in models}
    assert walks >= {("memory",), ("memory", "memory"), ("memory", "dense", "memory")}
    assert ("rnn", "memory") in walks
    teaching = [model for model in models if len(model.learning_steps) > 1]
    assert {(m.value_type, m.gate is not None) for m in teaching} >= {
        (value_type, False) for value_type in VALUE_TYPES
    }
    assert any(m.gate is not None for m in teaching)
    assert {model.labels.each_step for model in models} == {False, True}


def test_most_layers_that_walk_learn():
    moved, asked = 0, 0
    for seed in range(_FIRST_SEED, _FIRST_SEED + 40):
        model = remembering(seed)
        walking = [layer for layer in model.walk if layer in model.trainable]
        if not walking:
            continue
        reference = Reference(model)
        before = reference.state()
        for sample, label in zip(*samples_of(model, seed), strict=True):
            reference.train_step(sample, label)
        after = reference.state()
        asked += 1
        moved += any(
            not np.array_equal(before[f"{layer.name}.w"], after[f"{layer.name}.w"])
            for layer in walking
        )
    assert asked >= 10
    assert moved >= 0.7 * asked
