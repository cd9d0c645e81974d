"""Kernels that only some nets have: gates on labels of all classes, wide codes, groups, gates."""

from dataclasses import replace

import numpy as np
import pytest

from tests.proof.bench import Requantize, Schedule, one_layer, start, steps_of
from tests.proof.models import as_it_is, gated, hidden, layer_outputs, maps, recurrent
from tests.support.gated import with_gru_layers
from tests.support.maps import conv_plan
from tests.support.models import random_model, random_samples
from tests.support.parts import altered
from tests.support.sequences import RnnPlan
from tpsgd_edge.quantize.model import (
    DTYPES,
    Projection,
    Readout,
    RecurrentBounds,
    SeededInit,
    StoredInit,
)
from tpsgd_edge.reference import Reference


def agree(model, count=6, seed=1):
    """Training on random samples, one after the other, is the reference's."""
    x, labels = random_samples(np.random.default_rng(seed), model, count)
    state, lessons = start(model), []
    for sample, label in zip(x, labels, strict=True):
        lessons.append((state, sample, label))
    return steps_of(model, lessons)


@pytest.mark.parametrize("shift", [17, 18, 47, 48])
def test_z_at_the_shifts_where_half_a_product_is_enough(shift):
    model = one_layer("l2", 4, z=Requantize(2**15, shift))
    acc = [2**27, -(2**27), 3 << (shift - 16) if shift < 40 else 1, -1]
    state = start(model, fc1_b=acc)
    ((_, output),) = steps_of(model, [(state, [0, 0], [0] * 4)])
    half = 1 << (shift - 1)
    expected = np.clip([(v * 2**15 + half) >> shift for v in acc], -32768, 32767)
    assert output.tolist() == expected.tolist()


def test_weights_of_fewer_bits_stop_at_both_ends():
    """Steps that fit a byte have a kernel of their own where sums fit 16 bits."""
    model = one_layer("l2", 1, weight_bits=13, update_shift=6, bias_one=64, z=Requantize(1, 40))
    high, lessons, expected = 2**13 - 1, [], []
    for step, x in [(127, 127), (128, 127), (300, 127), (-300, -128), (300, -128), (5, 3)]:
        exact = step * x / 64
        w = [high - 2, 0] if exact > 0 else [-high, 0]
        lessons.append((start(model, fc1_w=[w]), [x, x], [2 * step]))
        expected.append((w[0], exact))
    for (after, _), (w, exact) in zip(steps_of(model, lessons), expected, strict=True):
        end, free = after["fc1.w"][0].tolist()
        assert abs(free - exact) <= 1
        assert end == np.clip(w + free, -high - 1, high) or abs(exact) < 1


@pytest.mark.parametrize(("value_type", "last_trains"), [("s8", 1), ("f32", 1), ("s8", 0)])
def test_an_error_gate_asks_for_the_probability_of_the_label(value_type, last_trains):
    """Of four classes the third has nearly all of it: its label is known, others are not."""
    model = gated(0.5 if value_type == "f32" else 2**14, value_type)
    first, last = model.layers
    far = 20.0 if value_type == "f32" else 2**14
    b = np.array([0, 0, far, 0], last.init.b.dtype)
    numbers = {} if value_type == "f32" else {"z": Requantize(2**14, 14)}
    last = altered(last, init=replace(last.init, b=b), trains=bool(last_trains), **numbers)
    model = replace(model, layers=(first, last))
    state = start(model)
    high = 1.0 if value_type == "f32" else 100
    lessons = [(state, [high, -high, high], label) for label in range(4)]
    learns = [(after["fc1.b"] != state["fc1.b"]).any() for after, _ in steps_of(model, lessons)]
    assert learns == [True, True, False, True]


def test_read_outs_saturate_before_they_are_compared():
    model = hidden("projected_l2", readout=Readout(Requantize(2**15, 1), 3))
    # v saturates at the label: no error is left.
    states = [start(model, fc1_b=[b] * 4) for b in (-128, 127)]
    lessons = [(states[0], [0, 0], [-32768] * 8), (states[1], [0, 0], [32767] * 8)]
    for state, (after, _) in zip(states, steps_of(model, lessons), strict=True):
        assert after["fc1.b"].tolist() == state["fc1.b"].tolist()


def test_errors_in_label_space_are_rounded_half_up():
    model = hidden("projected_l2", readout=Readout(Requantize(2**14, 40), 1))
    # The sum of q over 8 labels is 1, 3 and -1: halves go up.
    lessons = [(start(model), [0, 0], [2 * q] + [0] * 7) for q in (1, 3, -1)]
    after = [state["fc1.b"].tolist() for state, _ in steps_of(model, lessons)]
    assert after == [[1] * 4, [2] * 4, [0] * 4]


def test_read_outs_learn_with_the_rounding_of_the_page():
    values = np.random.default_rng(3).integers(-9, 9, (4, 8)).astype(np.int8)
    p = Projection("learned", "ram", 0, values, Requantize(2**15, 21))
    model = hidden("projected_l2", projection=p, readout=Readout(Requantize(2**14, 30), 5))
    rng = np.random.default_rng(4)
    lessons = [
        (start(model, fc1_b=rng.integers(-128, 128, 4)), [0, 0], rng.integers(-9000, 9000, 8))
        for _ in range(12)
    ]
    steps_of(model, lessons)


@pytest.mark.parametrize("count", [2, 5, 40])
def test_rows_of_a_hadamard_matrix_come_from_their_numbers(count):
    """Up to 32 columns are a word; beyond that an entry is the parity of two numbers."""
    model = random_model(
        np.random.default_rng(21),
        value_type="s8",
        label_kind="class",
        label_count=count,
        n_in=3,
        hidden=[19],
        activations=["linear", "linear"],
        losses=["l2", "softmax_cross_entropy"],
        projection="hadamard",
        storage="seed",
        gate=False,
        dead_zone=False,
        stored_weights=True,
        lively=True,
    )
    x, _ = random_samples(np.random.default_rng(1), model, 8)
    steps_of(model, [(start(model), sample, 7 * i % count) for i, sample in enumerate(x)])


@pytest.mark.parametrize("kind", ["class", "vector"])
def test_answers_at_each_step_stand_one_behind_the_other(kind):
    model = random_model(
        np.random.default_rng(22),
        value_type="s8",
        label_kind=kind,
        label_count=3,
        rnn_plans=[RnnPlan(2, 5, (1,), has_traces=False, own_shift=8)],
        steps=4,
        each_step=True,
        hidden=[],
        dead_zone=False,
        stored_weights=True,
        lively=True,
    )
    agree(model, 3)


@pytest.mark.parametrize(("x", "expected"), [([0, 1], 1), ([0, -1], 0)])
def test_a_state_of_s16_moves_rounded_half_up(x, expected):
    model = random_model(
        np.random.default_rng(23),
        value_type="s16",
        label_kind="class",
        label_count=2,
        rnn_plans=[RnnPlan(1, 1, (1,), has_traces=False, own_shift=0)],
        steps=2,
        each_step=False,
        learn_every=0,
        hidden=[],
        activations=["linear", "linear"],
        dead_zone=False,
        stored_weights=True,
        lively=True,
    )
    rnn, last = model.layers
    rnn = altered(as_it_is(rnn, [1, 0]), z_min=-32768, z_max=32767)
    y, _ = layer_outputs(replace(model, layers=(rnn, as_it_is(last, [1]))), x)
    assert y.tolist() == [expected]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_state_that_is_read_finely_saturates(sign):
    """Of 127 * 256 a shift of 4 leaves 2032, far more than what an s8 holds."""
    model = recurrent(0, own_shift=4)
    rnn, last = model.layers
    model = replace(model, layers=(as_it_is(rnn, [1, 1]), last))
    # The state of the first step is read in the second: 127 - 127 or 127 - 1.
    y, _ = layer_outputs(model, [127 * sign, -127 * sign])
    assert y.tolist() == [0 if sign > 0 else -1]


def test_first_biases_of_a_recurrent_layer_come_behind_its_weights():
    model = recurrent(1)
    rnn, last = model.layers
    rnn = replace(rnn, init=SeededInit(99, 3000, RecurrentBounds(2000, 2**20)))
    model = replace(model, layers=(rnn, last))
    assert start(model)["rnn1.b"].any()
    steps_of(model, [(start(model), [5, -7], 1)])


@pytest.mark.parametrize("value_type", ["s8", "s16"])
def test_gates_between_their_ends_are_rounded_half_up(value_type):
    rng = np.random.default_rng(24)
    own_shift = 8 if value_type == "s8" else 0
    plans = [RnnPlan(3, 6, (0,), has_traces=False, own_shift=own_shift)]
    drawn = random_model(
        rng,
        value_type=value_type,
        label_kind="class",
        label_count=3,
        rnn_plans=plans,
        steps=5,
        each_step=False,
        hidden=[],
        stored_weights=True,
        dead_zone=False,
        lively=True,
    )
    model = with_gru_layers(rng, drawn)
    gru, last = model.layers
    gru = replace(gru, reads=_gently(rng, gru.reads), own=_gently(rng, gru.own))
    model = replace(model, layers=(gru, last))
    agree(model, 8)
    (x,), _ = random_samples(rng, model, 1)
    h = Reference(model).layer_outputs(x)[0]
    assert np.abs(h.astype(int)).max() < np.iinfo(h.dtype).max


def _gently(rng, sums):
    """Sums of some thousand for inputs of any size: sigmoid and tanh between their ends."""
    w = rng.integers(-90, 90, (sums.n_out, sums.n_in)).astype(DTYPES[sums.weight_type])
    shift = 26 if sums.x_type == "s16" else 18
    init = StoredInit(w, np.zeros(sums.n_out, np.int32))
    return altered(sums, init=init, z=Requantize(2**15, shift))


def test_an_adaptor_adds():
    model = random_model(
        np.random.default_rng(10),
        value_type="s8",
        label_kind="class",
        label_count=2,
        n_in=2,
        hidden=[2],
        activations=["linear", "linear"],
        losses=["projected_cross_entropy", "softmax_cross_entropy"],
        stored_weights=True,
        lively=True,
    )
    first, last = model.layers
    first = replace(as_it_is(first, [[1, 0], [0, 1]]), residual=True)
    last = replace(last, init=StoredInit(np.array([[7, 0], [0, 7]], np.int16), np.zeros(2, "i4")))
    last = altered(last, z=Requantize(2**14, 14), weight_type="s16")
    model = replace(model, layers=(first, last), schedule=Schedule((2**15,), 1))
    _, outputs = layer_outputs(model, [10, -20])
    assert outputs.tolist() == [140, -280]


@pytest.mark.parametrize(("rows", "windows"), [(5, 3), (7, 4), (4, 3)])
def test_places_of_a_map_learn_from_the_window_they_lie_in(rows, windows):
    plans = [conv_plan((rows, rows, 1), 2, (1, 1), windows=(windows, windows))]
    losses = ["projected_cross_entropy", "softmax_cross_entropy"]
    model = maps(plans, activations=["linear"] * 2, losses=losses)
    conv, last = model.layers
    conv = altered(as_it_is(conv, [1]), rate=Requantize(2**15, 9), bias_one=64)
    agree(replace(model, layers=(conv, last)), 3)
