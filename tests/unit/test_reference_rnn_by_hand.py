"""Recurrent layers in the reference: numbers worked out by hand."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from tests.support.models import VALUE_TYPES, random_model
from tests.support.parts import altered
from tests.support.scalar import draw
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
from tpsgd_edge.reference.layer import from_quantized


def small(value_type, widths, leak_shifts, has_traces=None, **wanted: Any) -> QuantizedModel:
    """Recurrent layers, `widths` from the values of one step on, then what is asked for."""
    plans = rnn_plans(value_type, widths, leak_shifts, has_traces or [False] * len(leak_shifts))
    wish = {"hidden": [], "rnn_plans": plans, **wanted}
    return random_model(np.random.default_rng(3), value_type=value_type, **wish)


# For each format: weights of x and of o, biases of 0, a leak of a half; two steps of one value;
# then o after each step; h, v, c and trace after both; and what traces give the update to read.
HALF: dict[str, dict[str, Any]] = {
    "s8": {
        "w": [64, 32],
        "z": Requantize(2**15, 15 + 6),
        "x": [100, -100],
        # c is 100, then (-6400 + 32 * 50) / 64 = -75.
        "o": [50, -12],
        "h": -3200,
        "v": [-100, 50],
        "c": -75,
        "trace": [-6400, 6400],
        "read": [-25, 25],
    },
    "s16": {
        "w": [2**14, 2**13],
        "z": Requantize(2**15, 15 + 14),
        "x": [2**14, -(2**14)],
        "o": [2**13, -(2**11)],
        "h": -(2**11),
        "v": [-(2**14), 2**13],
        "c": -(2**14) + 2**12,
        "trace": [-(2**12), 2**12],
        "read": [-(2**12), 2**12],
    },
    "f32": {
        "w": [1.0, 0.5],
        "z": None,
        "x": [0.5, -0.5],
        "o": [0.25, -0.0625],
        "h": -0.0625,
        "v": [-0.5, 0.25],
        "c": -0.375,
        "trace": [-0.125, 0.125],
        "read": [-0.125, 0.125],
    },
}


def by_hand(value_type: str, *, has_traces: bool = False) -> QuantizedModel:
    """One recurrent unit, two steps; it wants to answer more, and its d is 64 (f32: 0.5)."""
    numbers, real = HALF[value_type], value_type == "f32"
    model = small(
        value_type,
        [1, 1],
        [(1,)],
        [has_traces],
        label_kind="class",
        steps=2,
        each_step=False,
        learn_every=0,
        activations=["hard_tanh", "linear"],
        losses=["l1", "softmax_cross_entropy"],
        weight_types=["s16", "s16"],
        gate=False,
        dead_zone=False,
    )
    rnn, last = model.layers
    w = np.array([numbers["w"]], DTYPES[rnn.weight_type])
    rnn = altered(
        rnn,
        init=StoredInit(w, np.zeros(1, DTYPES[rnn.bias_type])),
        loss=Loss("l1", target=TargetF32(mid=1.0) if real else Target(mid=32767, mult=0)),
        # e * a is 2^14 * 2^15: 64 times 2^23, and nothing is left to round.
        rate=0.5 if real else Requantize(2**15, 23),
    )
    if not real:
        rnn = altered(rnn, z=numbers["z"], bias_one=10)
    one = Schedule((2**15,), 1)
    return dataclasses.replace(model, layers=(rnn, last), schedule=one)


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_two_steps_on_numbers_worked_out_by_hand(value_type):
    model, numbers = by_hand(value_type, has_traces=True), HALF[value_type]
    wide = np.float32 if value_type == "f32" else np.int64
    layer: Any = from_quantized(model.layers[0], model)
    layer.set_state(model.layers[0].init.w, model.layers[0].init.b)
    for _ in range(2):
        layer.reset()
        outputs = [float(layer.forward(np.array([x], wide))[0]) for x in numbers["x"]]
        assert outputs == numbers["o"]
        assert layer.h.tolist() == [numbers["h"]]
        assert layer.v.tolist() == numbers["v"]
        assert layer.c.tolist() == [numbers["c"]]
        assert layer.trace.tolist() == [numbers["trace"]]


@pytest.mark.parametrize("has_traces", [False, True])
@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_an_update_on_numbers_worked_out_by_hand(value_type, has_traces):
    model, numbers = by_hand(value_type, has_traces=has_traces), HALF[value_type]
    reads = numbers["read" if has_traces else "v"]
    reference = Reference(model)
    reference.train_step(np.array(numbers["x"], DTYPES[value_type]), 0)
    # Integers: 64 * read >> 6, where s16 activations shift by 8 more; f32: 0.5 * read.
    d = {"s8": 1, "s16": 2**-8, "f32": 0.5}[value_type]
    expected = [w + d * read for w, read in zip(numbers["w"], reads, strict=True)]
    assert reference.state()["rnn1.w"].tolist() == [expected]
    (b,) = reference.state()["rnn1.b"].tolist()
    assert b in {"s8": [10], "s16": [0, 1], "f32": [0.5]}[value_type]


@pytest.mark.parametrize("has_traces", [False, True])
@pytest.mark.parametrize(("value_type", "x"), [("s8", 127), ("s16", 32767), ("f32", 1.0)])
def test_the_present_takes_the_derivative_of_the_activation(value_type, x, has_traces):
    # Hard tanh: the activation is at its end, where the derivative is 0; the state half way.
    model = dataclasses.replace(by_hand(value_type, has_traces=has_traces), steps=1)
    reference = Reference(model)
    reference.train_step(np.array([x], DTYPES[value_type]), 0)
    learned = reference.state()["rnn1.w"].tolist() != [HALF[value_type]["w"]]
    assert learned == has_traces


def test_two_updates_in_one_sequence_on_numbers_worked_out_by_hand():
    model = dataclasses.replace(by_hand("s8"), learn_every=1)
    reference = Reference(model)
    reference.train_step(np.array([100, -10], np.int8), 0)
    # After the first step v = (100, 0) and d = 64, so w = (164, 32) and b = 10. Then v = (-10, 50)
    # and c = (-1640 + 1600 + 10) / 64, which learns again: w + v, b + 10.
    assert reference.state()["rnn1.w"].tolist() == [[154, 82]]
    assert reference.state()["rnn1.b"].tolist() == [20]
    assert int(reference.state()["step"]) == 2
    # The activation of -100 would be below the range: (-16400 + 1600 + 10) / 64. Nothing learns.
    reference = Reference(model)
    reference.train_step(np.array([100, -100], np.int8), 0)
    assert reference.state()["rnn1.w"].tolist() == [[164, 32]]
    assert reference.state()["rnn1.b"].tolist() == [10]


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
    layer: Any = from_quantized(altered(model.layers[0], leak_shifts=(shift,)), model)
    # Without weights c is the bias over 64.
    layer.set_state(np.zeros((1, 2)), np.array([64 * c]))
    layer.h = np.array([h])
    assert layer.forward(np.zeros(1, np.int64)).tolist() == [y]


@pytest.mark.parametrize(("b", "moved"), [(2**14 - 1, 0), (2**14, 1), (-(2**14), 0), (-16385, -1)])
def test_a_tie_moves_towards_plus_infinity(b, moved):
    model = by_hand("s16", has_traces=True)
    layer: Any = from_quantized(altered(model.layers[0], leak_shifts=(15,)), model)
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
    layer: Any = from_quantized(altered(model.layers[0], own_shift=shift), model)
    layer.h = np.array([h])
    layer.forward(np.array([3]))
    assert layer.v.tolist() == [3, own]


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_groups_of_units_move_and_remember_each_at_its_pace(value_type):
    # Group 1 of 3 begins at unit floor(7 / 3), group 2 at floor(14 / 3).
    wanted = {"activations": ["linear"] * 2, "losses": ["l2"] * 2}
    model = small(value_type, [1, 7], [(0, 1, 2)], [True], **wanted)
    one = 64 if value_type == "f32" else 2**6
    layer: Any = from_quantized(model.layers[0], model)
    layer = dataclasses.replace(layer, dense=Still(model.layers[0], one, value_type))
    y = layer.forward(np.array([one], layer.h.dtype))
    assert y.tolist() == [one] * 2 + [one // 2] * 2 + [one // 4] * 3
    layer.learn(None, y, 0, None, 0)
    assert layer.dense.read[:, 0].tolist() == y.tolist()
    assert not layer.dense.read[:, 1:].any()


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_what_the_present_is_all_groups_have_in_common(value_type):
    model = small(value_type, [1, 7], [(0, 1, 2)], activations=["linear"] * 2, losses=["l2"] * 2)
    layer: Any = from_quantized(model.layers[0], model)
    layer = dataclasses.replace(layer, dense=Still(model.layers[0], 64, value_type))
    for x in (5, 3):
        own = layer.h / 256 if value_type == "s8" else layer.h
        y = layer.forward(np.array([x], layer.h.dtype))
    layer.learn(None, y, 0, None, 0)
    assert layer.dense.read.tolist() == [3, *own]
    assert layer.dense.slope.tolist() == [64] * 7
    assert not layer.trace.any()


class Still:
    """In place of a dense layer: it always answers the same, and keeps what it would learn."""

    def __init__(self, layer, value, value_type) -> None:
        self.layer = layer
        self.y = np.full(layer.n_out, value, np.float32 if value_type == "f32" else np.int64)
        self.read = self.slope = None

    def forward(self, v):
        return self.y

    def learn(self, x, y, label, words, step, c=None):
        self.read, self.slope = x, c


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_first_weights_of_inputs_have_a_bound_of_their_own(value_type):
    model = small(value_type, [6, 5], [(0,)], stored_weights=False, weight_types=["s16"] * 2)
    rnn, last = model.layers
    bounds = (2.0**-17, 2.0**-19) if value_type == "f32" else (4000, 1000)
    others = dataclasses.replace(rnn.init.recurrent, inputs=bounds[1])
    rnn = dataclasses.replace(
        rnn, init=dataclasses.replace(rnn.init, bound=bounds[0], recurrent=others)
    )
    w = Reference(dataclasses.replace(model, layers=(rnn, last))).state()["rnn1.w"]
    unit = 2.0**15 if value_type == "f32" else 1
    assert 0.7 < np.abs(w[:, :6]).max() / (bounds[1] * unit) <= 1
    assert 0.7 < np.abs(w[:, 6:]).max() / (bounds[0] * unit) <= 1


def _with_bias_bound(rnn, bound):
    bounds = dataclasses.replace(rnn.init.recurrent, biases=bound)
    return dataclasses.replace(rnn, init=dataclasses.replace(rnn.init, recurrent=bounds))


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_first_biases_are_drawn_behind_the_weights(value_type):
    model = small(value_type, [2, 3], [(0,)], stored_weights=False)
    rnn, last = model.layers
    words = [draw(rnn.init.seed, 3 * 5 + j) >> 16 for j in range(3)]
    for bound in (0, 1, 3, 1000, 2**27):
        real = bound / 2**15 if value_type == "f32" else bound
        layers = (_with_bias_bound(rnn, real), last)
        state = Reference(dataclasses.replace(model, layers=layers)).state()
        exact = [(word - 2**15) * bound / 2**15 for word in words]
        nearest = exact if value_type == "f32" else [math.floor(b + 0.5) for b in exact]
        assert state["rnn1.b"].tolist() == nearest
        assert not state["fc2.b"].any()


def test_the_largest_bias_fits():
    # The word 0 gives the lowest bias.
    model = small("s8", [1, 1], [(0,)], stored_weights=False)
    rnn, last = model.layers
    seed = next(s for s in range(2**20) if draw(s, 2) >> 16 == 0)
    init = dataclasses.replace(rnn.init, seed=seed)
    layers = (_with_bias_bound(dataclasses.replace(rnn, init=init), 2**27), last)
    state = Reference(dataclasses.replace(model, layers=layers)).state()
    assert state["rnn1.b"].tolist() == [-(2**27)]
