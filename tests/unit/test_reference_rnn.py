"""Recurrent layers in the reference: scalar loops, numbers worked out by hand."""

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
from tpsgd_edge.quantize.model import (
    DTYPES,
    Loss,
    QuantizedModel,
    Requantize,
    Schedule,
    StoredInit,
    Target,
    TargetF32,
)
from tpsgd_edge.reference import Reference
from tpsgd_edge.reference.layer import TRAINED, prepare

ELMAN = (0,)
TINY = (15,)


def small(
    value_type, widths, leak_shifts, trace_shifts=None, *, seed: int = 3, **wanted: Any
) -> QuantizedModel:
    """Recurrent layers, `widths` from the values of one step on, then what is asked for."""
    plans = rnn_plans(value_type, widths, leak_shifts, trace_shifts)
    wish = {"hidden": [], "rnn_plans": plans, **wanted}
    return random_model(np.random.default_rng(seed), value_type=value_type, **wish)


# ------------------------------------------------------------------ against scalar loops


CASES = [
    (value_type, label_kind, activation, loss)
    for value_type, label_kind, activation in product(VALUE_TYPES, ("class", "vector"), ACTIVATIONS)
    for loss in loss_choices(label_kind, activation, is_last=False)
]


@pytest.mark.parametrize(("value_type", "label_kind", "activation", "loss"), CASES)
def test_recurrent_layers_train_as_scalar_loops_do(value_type, label_kind, activation, loss):
    last = "softmax_cross_entropy" if label_kind == "class" else "l2"
    for each_step in (False, True):
        model = small(
            value_type,
            [3, 4, 2],
            [ELMAN, (1, 2)],
            label_kind=label_kind,
            steps=4,
            each_step=each_step,
            activations=[activation, activation, "linear"],
            losses=[loss, loss, last],
            weight_types=["s8", "s16", "s16"],
            lively=True,
        )
        assert_same_training(model, steps=4)


# Widths, shifts of states and traces, steps, dense layers behind.
SHAPES = {
    "one unit, one value, one step": ([1, 1], [(3,)], [(3,)], 1, []),
    "one step, two layers": ([3, 4, 5], [(3,), ELMAN], [(2,), ELMAN], 1, [2]),
    "plain layer": ([2, 5], [ELMAN], [ELMAN], 7, []),
    "plain layer, slow trace": ([2, 5], [ELMAN], [(4,)], 7, []),
    "hardly moves": ([3, 4], [TINY], [TINY], 9, []),
    "slow": ([3, 4], [(7,)], [(7,)], 40, []),
    "groups": ([3, 7], [(1, 2, 3)], [(1, 2, 3)], 6, []),
    "groups with one trace": ([3, 7], [(1, 2, 3)], [(2,)], 6, [3]),
    "groups with other traces": ([3, 6], [(0, 15)], [(4, 0)], 6, []),
    "groups of one unit": ([3, 4], [(0, 1, 2, 3)], [(3, 2, 1, 0)], 6, []),
    "wide input": ([20, 2], [(2,)], [(2,)], 3, []),
    "wide layer": ([1, 17], [(2, 0)], [(2, 0)], 3, [3]),
    "two layers": ([2, 3, 4], [(1,), (3, 1)], [(1,), (3, 1)], 6, []),
    "three layers": ([4, 3, 2, 5], [(3,), TINY, ELMAN], [(3,), ELMAN, ELMAN], 5, [3]),
    "two dense layers behind": ([3, 4], [(3,)], [(3,)], 5, [5, 3]),
}


@pytest.mark.parametrize("value_type", VALUE_TYPES)
@pytest.mark.parametrize(
    ("widths", "leaks", "traces", "steps", "hidden"), SHAPES.values(), ids=SHAPES
)
def test_all_shapes_train_as_scalar_loops_do(widths, leaks, traces, steps, hidden, value_type):
    for seed, (each_step, learns) in enumerate([(False, False), (False, True), (True, True)]):
        model = small(
            value_type,
            widths,
            leaks,
            traces,
            seed=seed,
            steps=steps,
            hidden=hidden,
            each_step=each_step,
            learns_each_step=learns,
            lively=True,
        )
        assert_same_training(model, steps=3, seed=seed)


@pytest.mark.parametrize("own_shift", range(16))
@pytest.mark.parametrize("value_type", ["s8", "s16"])
def test_all_units_of_inputs_train_as_scalar_loops_do(value_type, own_shift):
    (plan,) = rnn_plans(value_type, [3, 4], [(1, 0)])
    plan = dataclasses.replace(plan, own_shift=own_shift)
    model = small(value_type, [], [], rnn_plans=[plan], steps=5, lively=True)
    assert_same_training(model, steps=3)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 2**32 - 1))
def test_random_models_train_as_scalar_loops_do(seed):
    model = random_model(np.random.default_rng(seed), recurrent=True, max_width=6)
    assert_same_training(model, steps=4, seed=seed)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_models_with_maps_behind_train_as_scalar_loops_do(seed):
    model = random_model(np.random.default_rng(seed), recurrent=True, maps=True, max_width=5)
    assert_same_training(model, steps=3, seed=seed)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from(VALUE_TYPES), st.booleans(), st.booleans())
def test_gated_models_train_as_scalar_loops_do(seed, value_type, each_step, learns):
    model = small(
        value_type,
        [3, 4],
        [(2, 1)],
        seed=seed,
        label_kind="class",
        each_step=each_step,
        learns_each_step=learns,
        activations=["tanh", "linear"],
        losses=["l2", "softmax_cross_entropy"],
        gate=True,
        lively=True,
    )
    assert_same_training(model, steps=6, seed=seed)


def test_random_models_hold_every_kind_of_sequence():
    models = [
        random_model(np.random.default_rng(seed), recurrent=True, maps=None, max_width=6)
        for seed in range(400)
    ]
    assert {model.steps for model in models} == set(range(1, 10))
    assert {model.labels.each_step for model in models} == {False, True}
    assert {len(model.recurrent) for model in models} == {1, 2, 3}
    behind = {tuple(la.kind for la in model.layers if la.kind != "rnn") for model in models}
    assert behind >= {("dense",), ("dense",) * 2, ("conv2d", "dense"), ("max_pool", "dense")}
    layers = [layer for model in models for layer in model.recurrent]
    assert {shift for layer in layers for shift in layer.leak_shifts} == set(range(16))
    assert {layer.own_shift for layer in layers if layer.x_type != "f32"} == set(range(16))
    assert {(len(la.leak_shifts) > 1, len(la.trace_shifts) > 1) for la in layers} == {
        (False, False),
        (True, False),
        (True, True),
    }
    learns = {m.learns_each_step for m in models if not m.labels.each_step}
    assert learns == {False, True}
    gates = {(model.gate is not None, model.labels.each_step) for model in models}
    assert len(gates) == 4


# ------------------------------------------------------------------ numbers worked out by hand

# For each format: weights of x and of o, biases of 0, a leak of a half; two steps of one value;
# then o after each step, h and trace after both, and what the update reads.
HALF: dict[str, dict[str, Any]] = {
    "s8": {
        "w": [64, 32],
        "z": Requantize(2**15, 15 + 6),
        "x": [100, -100],
        # c is 100, then (-6400 + 32 * 50) / 64 = -75.
        "o": [50, -12],
        "h": -3200,
        "trace": [-6400, 6400],
        "read": [-25, 25],
    },
    "s16": {
        "w": [2**14, 2**13],
        "z": Requantize(2**15, 15 + 14),
        "x": [2**14, -(2**14)],
        "o": [2**13, -(2**11)],
        "h": -(2**11),
        "trace": [-(2**12), 2**12],
        "read": [-(2**12), 2**12],
    },
    "f32": {
        "w": [1.0, 0.5],
        "z": None,
        "x": [0.5, -0.5],
        "o": [0.25, -0.0625],
        "h": -0.0625,
        "trace": [-0.125, 0.125],
        "read": [-0.125, 0.125],
    },
}


def by_hand(value_type: str) -> QuantizedModel:
    """One recurrent unit, two steps; it wants to answer more, and its d is 256 (f32: 0.5)."""
    numbers, real = HALF[value_type], value_type == "f32"
    model = small(
        value_type,
        [1, 1],
        [(1,)],
        label_kind="class",
        steps=2,
        each_step=False,
        activations=["hard_tanh", "linear"],
        losses=["l1", "softmax_cross_entropy"],
        weight_types=["s16", "s16"],
        gate=False,
        dead_zone=False,
    )
    rnn, last = model.layers
    w = np.array([numbers["w"]], DTYPES[rnn.weight_type])
    rnn = dataclasses.replace(
        rnn,
        z=numbers["z"],
        init=StoredInit(w, np.zeros(1, DTYPES[rnn.bias_type])),
        loss=Loss("l1", target=TargetF32(mid=1.0) if real else Target(mid=32767, mult=0)),
        # e * a is 2^14 * 2^15: 256 times 2^21, and nothing is left to round.
        rate=None if real else Requantize(2**15, 21),
        rate_f32=0.5,
        bias_one=10,
    )
    one = Schedule((2**15,), 1)
    return dataclasses.replace(model, layers=(rnn, last), schedule=one)


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_two_steps_on_numbers_worked_out_by_hand(value_type):
    model, numbers = by_hand(value_type), HALF[value_type]
    wide = np.float32 if value_type == "f32" else np.int64
    layer: Any = prepare(model.layers[0], model)
    layer.set_state(model.layers[0].init.w, model.layers[0].init.b)
    for _ in range(2):
        layer.reset()
        outputs = [float(layer.forward(np.array([x], wide))[0]) for x in numbers["x"]]
        assert outputs == numbers["o"]
        assert layer.h.tolist() == [numbers["h"]]
        assert layer.trace.tolist() == [numbers["trace"]]


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_an_update_reads_the_trace_on_numbers_worked_out_by_hand(value_type):
    model, numbers = by_hand(value_type), HALF[value_type]
    reference = Reference(model)
    reference.train_step(np.array(numbers["x"], DTYPES[value_type]), 0)
    # Integers: 256 * read >> 8, where s16 activations shift by 8 more; f32: 0.5 * read.
    d = {"s8": 1, "s16": 2**-8, "f32": 0.5}[value_type]
    expected = [w + d * read for w, read in zip(numbers["w"], numbers["read"], strict=True)]
    assert reference.state()["rnn1.w"].tolist() == [expected]
    (b,) = reference.state()["rnn1.b"].tolist()
    assert b in {"s8": [10], "s16": [0, 1], "f32": [0.5]}[value_type]


@pytest.mark.parametrize(
    ("h", "shift", "c", "y"),
    [
        (127 << 8, 1, 127, 127),
        (127 << 8, 0, -128, -128),
        (-(128 << 8), 0, 127, 127),
        # A shift of 15 moves by one where half of the range is missing.
        (127, 15, 64, 0),
        (127, 15, 65, 1),
        (128, 15, -63, 1),
        (128, 15, -64, 0),
    ],
)
def test_a_state_on_numbers_worked_out_by_hand(h, shift, c, y):
    model = by_hand("s8")
    layer: Any = prepare(dataclasses.replace(model.layers[0], leak_shifts=(shift,)), model)
    # Without weights c is the bias over 64.
    layer.set_state(np.zeros((1, 2)), np.array([64 * c]))
    layer.h = np.array([h])
    assert layer.forward(np.zeros(1, np.int64)).tolist() == [y]


@pytest.mark.parametrize(("b", "moved"), [(2**14 - 1, 0), (2**14, 1), (-(2**14), 0), (-16385, -1)])
def test_a_tie_moves_towards_plus_infinity(b, moved):
    model = by_hand("s16")
    layer: Any = prepare(dataclasses.replace(model.layers[0], trace_shifts=(15,)), model)
    layer.forward(np.array([b]))
    assert layer.trace.tolist() == [[moved, 0]]


@pytest.mark.parametrize(
    ("value_type", "shift", "h", "own"),
    [
        ("s8", 8, 6400, 25),
        ("s8", 9, 6400, 13),
        ("s8", 9, -6400, -12),
        ("s8", 7, 32512, 127),
        ("s8", 0, -129, -128),
        ("s16", 0, -32768, -32768),
        ("s16", 2, 32767, 8192),
        ("s16", 15, 16384, 1),
        ("s16", 15, 16383, 0),
    ],
)
def test_own_outputs_are_read_in_the_units_of_inputs(value_type, shift, h, own):
    model = by_hand(value_type)
    layer: Any = prepare(
        dataclasses.replace(model.layers[0], own_shift=shift, trace_shifts=(0,)), model
    )
    layer.h = np.array([h])
    layer.forward(np.array([3]))
    assert layer.trace.tolist() == [[3 << 8, own << 8] if value_type == "s8" else [3, own]]


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_groups_of_units_move_and_remember_each_at_its_pace(value_type):
    # Group 1 of 3 begins at unit floor(7 / 3), group 2 at floor(14 / 3).
    model = small(value_type, [1, 7], [(0, 1, 2)], activations=["linear"] * 2, losses=["l2"] * 2)
    one = 64 if value_type == "f32" else 2**6
    layer: Any = prepare(model.layers[0], model)
    layer = dataclasses.replace(layer, dense=Still(model.layers[0], one, value_type))
    y = layer.forward(np.array([one], layer.h.dtype))
    assert y.tolist() == [one] * 2 + [one // 2] * 2 + [one // 4] * 3
    layer.learn(None, y, 0, None, 0)
    assert layer.dense.read[:, 0].tolist() == y.tolist()
    assert not layer.dense.read[:, 1:].any()


class Still:
    """In place of a dense layer: it always answers the same, and keeps what it would learn."""

    def __init__(self, layer, value, value_type) -> None:
        self.layer = layer
        self.y = np.full(layer.n_out, value, np.float32 if value_type == "f32" else np.int64)
        self.read = None

    def forward(self, v):
        return self.y

    def learn(self, x, y, label, words, step):
        self.read = x


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_first_weights_of_inputs_have_a_bound_of_their_own(value_type):
    model = small(value_type, [6, 5], [(0,)], stored_weights=False, weight_types=["s16"] * 2)
    rnn, last = model.layers
    bounds = (2.0**-17, 2.0**-19) if value_type == "f32" else (4000, 1000)
    init = dataclasses.replace(rnn.init, bound=bounds[0])
    rnn = dataclasses.replace(rnn, init=init, input_bound=bounds[1])
    w = Reference(dataclasses.replace(model, layers=(rnn, last))).state()["rnn1.w"]
    unit = 2.0**15 if value_type == "f32" else 1
    assert 0.7 < np.abs(w[:, :6]).max() / (bounds[1] * unit) <= 1
    assert 0.7 < np.abs(w[:, 6:]).max() / (bounds[0] * unit) <= 1


def test_every_format_is_in_the_table():
    assert {key[1] for key in TRAINED if key[0] == "rnn"} == set(VALUE_TYPES)
