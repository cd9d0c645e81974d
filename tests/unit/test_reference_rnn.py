"""Recurrent layers in the reference against scalar loops."""

import dataclasses
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.models import ACTIVATIONS, VALUE_TYPES, loss_choices, random_model
from tests.support.same_training import assert_same_training
from tests.support.sequences import rnn_plans
from tpsgd_edge.quantize.model import QuantizedModel, SeededInit
from tpsgd_edge.reference.layer import WEIGHTED

ELMAN = (0,)
TINY = (15,)


def small(
    value_type, widths, leak_shifts, has_traces=None, *, seed: int = 3, **wanted: Any
) -> QuantizedModel:
    """Recurrent layers, `widths` from the values of one step on, then what is asked for."""
    plans = rnn_plans(value_type, widths, leak_shifts, has_traces or [False] * len(leak_shifts))
    wish = {"hidden": [], "rnn_plans": plans, **wanted}
    return random_model(np.random.default_rng(seed), value_type=value_type, **wish)


CASES = [
    (value_type, label_kind, activation, loss)
    for value_type, label_kind, activation in product(VALUE_TYPES, ("class", "vector"), ACTIVATIONS)
    for loss in loss_choices(label_kind, activation, is_last=False)
]


@pytest.mark.sampled(3)
@pytest.mark.series(25)
@pytest.mark.parametrize(("value_type", "label_kind", "activation", "loss"), CASES)
def test_recurrent_layers_train_as_scalar_loops_do(value_type, label_kind, activation, loss):
    last = "softmax_cross_entropy" if label_kind == "class" else "l2"
    for each_step, traces in product((False, True), ((False, True), (True, False))):
        model = small(
            value_type,
            [3, 4, 2],
            [(0, 1), (1, 2)],
            traces,
            label_kind=label_kind,
            steps=4,
            each_step=each_step,
            activations=[activation, activation, "linear"],
            losses=[loss, loss, last],
            weight_types=["s8", "s16", "s16"],
            lively=True,
        )
        assert_same_training(model, steps=4)


# Widths, shifts, steps, dense layers behind.
SHAPES = {
    "one unit, one value, one step": ([1, 1], [(3,)], 1, []),
    "one step, two layers": ([3, 4, 5], [(3,), ELMAN], 1, [2]),
    "plain layer": ([2, 5], [ELMAN], 7, []),
    "hardly moves": ([3, 4], [TINY], 9, []),
    "slow": ([3, 4], [(7,)], 40, []),
    "groups": ([3, 7], [(1, 2, 3)], 6, [3]),
    "groups of one unit": ([3, 4], [(0, 1, 2, 3)], 6, []),
    "groups far apart": ([3, 6], [(0, 15)], 6, []),
    "wide input": ([20, 2], [(2,)], 3, []),
    "wide layer": ([1, 17], [(2, 0)], 3, [3]),
    "two layers": ([2, 3, 4], [(1,), (3, 1)], 6, []),
    "three layers": ([4, 3, 2, 5], [(3,), TINY, ELMAN], 5, [3]),
    "two dense layers behind": ([3, 4], [(3,)], 5, [5, 3]),
}
# Whether layers learn from traces, by turns; whether each step has a label; learn_every.
WAYS = [
    ((False, True), False, 0),
    ((True, False), False, 1),
    ((False, False), False, 2),
    ((True, True), False, 3),
    ((False, False), False, 41),
    ((False, False), True, 0),
    ((True, True), True, 0),
]


@pytest.mark.series(8)
@pytest.mark.parametrize("value_type", VALUE_TYPES)
@pytest.mark.parametrize(("widths", "leaks", "steps", "hidden"), SHAPES.values(), ids=SHAPES)
def test_all_shapes_train_as_scalar_loops_do(widths, leaks, steps, hidden, value_type):
    for seed, (traces, each_step, learn_every) in enumerate(WAYS):
        model = small(
            value_type,
            widths,
            leaks,
            (traces * 2)[: len(leaks)],
            seed=seed,
            steps=steps,
            hidden=hidden,
            each_step=each_step,
            learn_every=learn_every,
            lively=True,
        )
        assert_same_training(model, steps=2, seed=seed)


@pytest.mark.parametrize("own_shift", range(16))
@pytest.mark.parametrize("value_type", ["s8", "s16"])
def test_all_units_of_inputs_train_as_scalar_loops_do(value_type, own_shift):
    for has_traces in (False, True):
        (plan,) = rnn_plans(value_type, [3, 4], [(1, 0)], [has_traces])
        plan = dataclasses.replace(plan, own_shift=own_shift)
        model = small(value_type, [], [], rnn_plans=[plan], steps=5, lively=True)
        assert_same_training(model, steps=3)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(st.integers(0, 2**32 - 1))
def test_random_models_train_as_scalar_loops_do(seed):
    model = random_model(np.random.default_rng(seed), recurrent=True, max_width=6)
    assert_same_training(model, steps=4, seed=seed)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_models_with_maps_behind_train_as_scalar_loops_do(seed):
    model = random_model(np.random.default_rng(seed), recurrent=True, maps=True, max_width=5)
    assert_same_training(model, steps=3, seed=seed)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from(VALUE_TYPES), st.booleans(), st.integers(0, 3))
def test_gated_models_train_as_scalar_loops_do(seed, value_type, each_step, learn_every):
    model = small(
        value_type,
        [3, 4],
        [(2, 1)],
        seed=seed,
        label_kind="class",
        each_step=each_step,
        learn_every=learn_every,
        activations=["tanh", "linear"],
        losses=["l2", "softmax_cross_entropy"],
        gate=True,
        lively=True,
    )
    assert_same_training(model, steps=6, seed=seed)


@pytest.mark.slow
def test_random_models_hold_every_kind_of_sequence():
    models = [
        random_model(np.random.default_rng(seed), recurrent=True, maps=None, max_width=6)
        for seed in range(800)
    ]
    assert {model.steps for model in models} == set(range(1, 10))
    assert {model.labels.each_step for model in models} == {False, True}
    assert {len(model.recurrent) for model in models} == {1, 2, 3}
    behind = {tuple(la.kind for la in model.layers if la.kind != "rnn") for model in models}
    assert behind >= {("dense",), ("dense",) * 2, ("conv2d", "dense"), ("max_pool", "dense")}
    layers = [layer for model in models for layer in model.recurrent]
    assert {shift for layer in layers for shift in layer.shape.leak_shifts} == set(range(16))
    assert {layer.numbers.own_shift for layer in layers if layer.x_type != "f32"} == set(range(16))
    assert (
        len({(len(la.shape.leak_shifts) > 1, la.shape.has_traces, la.x_type) for la in layers})
        == 12
    )
    ways = {(m.gate is not None, m.labels.each_step, len(m.learning_steps) > 1) for m in models}
    assert len(ways) == 8
    assert {m.learn_every > m.steps for m in models} == {False, True}
    bounds = {
        (la.init.recurrent.biases, la.x_type) for la in layers if isinstance(la.init, SeededInit)
    }
    assert bounds > {(0, "s8"), (0, "s16"), (0, "f32"), (2**27, "s8"), (2**27, "s16")}


def test_every_format_is_in_the_table():
    assert {key[1] for key in WEIGHTED if key[0] == "rnn"} == set(VALUE_TYPES)
