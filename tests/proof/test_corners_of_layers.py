"""Corners of sections 14 to 19 of docs/ARITHMETIC.md: maps, sequences, gates, sums."""

from dataclasses import replace

import numpy as np
import pytest

from tests.proof.bench import Requantize, Schedule, start, steps_of
from tests.proof.models import as_it_is, layer_outputs, maps, recurrent
from tests.support.backprop import with_backprop
from tests.support.gated import with_gru_layers
from tests.support.maps import conv_plan, pool_plan
from tests.support.models import random_model
from tests.support.parts import altered
from tests.support.sequences import RnnPlan
from tpsgd_edge.quantize.model import DTYPES, StoredInit, Target
from tpsgd_edge.reference import Reference

F = np.float32


@pytest.mark.parametrize("before", [(1, 0), (0, 1), (1, 1)])
def test_a_row_or_a_column_of_zeros_around_a_map(before):
    plan = conv_plan((2, 2, 1), 1, (2, 2), before=before, after=(0, 0))
    model = maps([plan], activations=["linear", "linear"])
    conv, last = model.layers
    model = replace(model, layers=(as_it_is(conv, [1, 2, 3, 4]), last))
    y, _ = layer_outputs(model, [10, 1, 2, 3])
    padded = np.pad([[10, 1], [2, 3]], ((before[0], 0), (before[1], 0)))
    rows, columns = padded.shape
    expected = [
        int((padded[r : r + 2, c : c + 2] * [[1, 2], [3, 4]]).sum())
        for r in range(rows - 1)
        for c in range(columns - 1)
    ]
    assert y.tolist() == expected


@pytest.mark.parametrize(("value_type", "low", "high"), [("s8", -128, 127), ("s16", -32768, 32767)])
def test_averages_of_three(value_type, low, high):
    """A = 10923 for an area of 3, a little too much: the mean of ends stays within the type."""
    model = maps([pool_plan((3, 4, 1), "average", (3, 1))], value_type)
    x = [[high, low, 1, -1], [high, low, 1, -1], [high, low, 0, 0]]
    y, _ = layer_outputs(model, np.ravel(x))
    assert y.tolist() == [high, low, 1, -1]


def test_averages_of_two_are_rounded_half_up():
    model = maps([pool_plan((2, 4, 1), "average", (2, 1))])
    y, _ = layer_outputs(model, [1, -1, 3, -3, 0, 0, 0, 0])
    assert y.tolist() == [1, 0, 2, -1]


@pytest.mark.parametrize("value_type", ["s8", "s16", "f32"])
def test_a_pool_takes_the_largest(value_type):
    model = maps([pool_plan((2, 4, 1), "max", (2, 2))], value_type, activations=["linear"])
    y, _ = layer_outputs(model, [3, 9, -4, -7, 8, -9, -5, -3])
    assert y.tolist() == [9, -3]


def test_a_local_target_of_three_places_and_one_in_a_pool():
    """Windows of three places, and of equal values in a pool the first one learns."""
    plans = [
        conv_plan((1, 6, 1), 2, (1, 1), windows=(1, 1), pool_kernel=(1, 2)),
        pool_plan((1, 6, 2), "max", (1, 2)),
    ]
    model = maps(
        plans,
        activations=["linear", "linear"],
        losses=["projected_cross_entropy", "softmax_cross_entropy"],
    )
    conv, pool, last = model.layers
    conv = altered(as_it_is(conv, [1]), rate=Requantize(2**15, 9), bias_one=64)
    model = replace(model, layers=(conv, pool, last))
    state = start(model)
    ((after, _),) = steps_of(model, [(state, [127, 127, -128, -128, 5, 5], 1)])
    assert (after["conv1.w"] != state["conv1.w"]).any()


@pytest.mark.parametrize(
    ("leak", "x", "expected"),
    [
        (0, [1, 127], 127),
        (0, [1, -128], -128),
        # h = 256 c / 2 = 128: narrow rounds half up to 1; -128 / 256 = -0.5 goes up to 0.
        (1, [0, 1], 1),
        (1, [0, -1], 0),
        # toward: 127 * 256 = 32512 by steps of 2^-15: (32512 + 2^14) >> 15 is 1.
        (15, [0, 127], 0),
    ],
)
def test_states_are_rounded_half_up_and_saturate(leak, x, expected):
    model = recurrent(leak)
    y, _ = layer_outputs(model, x)
    assert y.tolist() == [expected]


def test_an_output_of_a_state_saturates():
    # In a16 h is 32767 after hard_tanh, as far as it goes; in a8 32767 / 256 rounds to 128.
    model = recurrent(0, activation="tanh")
    rnn, last = model.layers
    model = replace(model, layers=(altered(rnn, z=Requantize(2**15, 1)), last))
    y, _ = layer_outputs(model, [0, 127])
    assert y.tolist() == [127]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("value_type", ["s8", "s16"])
def test_gates_of_a_gru_saturate(sign, value_type):
    rng = np.random.default_rng(3)
    plans = [RnnPlan(3, 4, (0,), has_traces=False, own_shift=8 if value_type == "s8" else 0)]
    drawn = random_model(
        rng, value_type=value_type, label_kind="class", rnn_plans=plans, steps=3, hidden=[]
    )
    model = with_gru_layers(rng, replace(drawn, labels=replace(drawn.labels, each_step=False)))
    gru = model.layers[0]

    def pushed(dense):
        shape = (dense.n_out, dense.n_in)
        limit = 2**dense.numbers.weight_bits
        w = np.full(shape, limit - 1 if sign > 0 else -limit, DTYPES[dense.weight_type])
        b = np.full(dense.n_out, sign * 2**27, np.int32)
        return altered(dense, init=StoredInit(w, b), z=Requantize(2**15, 1))

    gru = replace(gru, reads=pushed(gru.reads), own=pushed(gru.own))
    model = replace(model, layers=(gru, *model.layers[1:]))
    x = np.full(model.n_inputs, 127 if value_type == "s8" else 32767)
    steps_of(model, [(start(model), x, 0), (start(model), -x, 1)])
    reached = Reference(model).layer_outputs(x.astype(DTYPES[value_type]))[0]
    # Where all sums are positive the update gate is at its end, and the state stays where it was;
    # where they are negative the state is the candidate, at its lower end.
    end = {"s8": 127, "s16": 32000}[value_type]
    assert int(reached[0]) <= -end if sign < 0 else abs(int(reached[0])) < end / 100


def test_errors_that_are_handed_down_stop_at_both_ends():
    model = random_model(
        np.random.default_rng(9),
        value_type="s8",
        label_kind="vector",
        label_count=8,
        n_in=2,
        hidden=[2],
        activations=["linear", "linear"],
        losses=["l2", "l2"],
        weight_types=["s16", "s16"],
        dead_zone=False,
        stored_weights=True,
        lively=True,
    )
    model = with_backprop(np.random.default_rng(9), model, some_frozen=False)
    first, last = model.layers
    one = {"rate": Requantize(2**15, 15), "bias_one": 64, "z": Requantize(2**14, 14)}
    zeros = StoredInit(np.zeros_like(first.init.w), np.zeros_like(first.init.b))
    w = np.array([[16000, -16000]] * 8, np.int16)
    last = altered(
        last,
        init=StoredInit(w, np.zeros(8, np.int32)),
        input_gradient=altered(last.learning.input_gradient, shift=1),
        **one,
    )
    model = replace(model, layers=(altered(first, init=zeros, **one), last))
    model = replace(model, schedule=Schedule((2**15,), 1))
    state = start(model)
    ((after, _),) = steps_of(model, [(state, [0, 0], [32767] * 8)])
    # 8 * 16383 * 16000 / 2 is far beyond the s16.
    assert after["fc1.b"].tolist() == [32767, -32767]


def test_an_adaptor_saturates():
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
    model = replace(model, layers=(first, last))
    y, _ = layer_outputs(model, [100, -100])
    assert y.tolist() == [127, -128]


@pytest.mark.parametrize("zeros", [[0.0, -0.0], [-0.0, 0.0]])
def test_of_two_zeros_in_f32_a_pool_takes_the_first(zeros):
    model = random_model(
        np.random.default_rng(12),
        value_type="f32",
        label_kind="class",
        label_count=2,
        map_plans=[pool_plan((1, 2, 1), "max", (1, 2))],
        hidden=[],
        lively=True,
    )
    steps_of(model, [(start(model), zeros, 0)])
    y, _ = Reference(model).layer_outputs(np.array(zeros, F))
    assert np.signbit(y).tolist() == [np.signbit(zeros[0])]


@pytest.mark.parametrize("mode", ["max", "average"])
def test_errors_that_meet_in_a_pool_stop_at_both_ends(mode):
    """Three windows over one place hand down e of their own: the sum is beyond the s16."""
    plans = [
        conv_plan((1, 5, 1), 1, (1, 1), windows=(1, 5)),
        pool_plan((1, 5, 1), mode, (1, 3), (1, 1)),
    ]
    drawn = maps(plans, activations=["linear", "linear"])
    model = with_backprop(np.random.default_rng(13), drawn, some_frozen=False)
    conv, pool, last = model.layers
    one = {"rate": Requantize(2**15, 15), "bias_one": 64, "z": Requantize(2**14, 14)}
    conv = altered(as_it_is(conv, [1]), **one | {"dead_zone": 0})
    wide = np.array([[16000] * 3, [-16000] * 3], np.int16)
    last = altered(
        last,
        init=StoredInit(wide, np.zeros(2, np.int32)),
        input_gradient=altered(last.learning.input_gradient, shift=8),
        **one,
    )
    model = replace(model, layers=(conv, pool, last))
    state = start(model)
    ((after, _),) = steps_of(model, [(state, [0, 0, 9, 0, 0], 1)])
    change = int(after["conv1.b"][0] - state["conv1.b"][0])
    # In the middle 3 e of the s16's end are met by all windows, and the sum stays at the end.
    assert change <= -32767


@pytest.mark.parametrize("value_type", ["s8", "f32"])
def test_errors_reach_every_place_below_a_convolution(value_type):
    """Rows and columns at the edges, with zeros around them and strides over them."""
    plans = [
        conv_plan((4, 5, 1), 3, (1, 1), windows=(4, 5)),
        conv_plan((4, 5, 3), 2, (3, 2), stride=(2, 1), before=(1, 1), after=(1, 0), windows=(2, 5)),
    ]
    drawn = maps(plans, value_type, activations=["linear"] * 3)
    rng = np.random.default_rng(17)
    model = with_backprop(rng, drawn, some_frozen=False)
    high = 1.0 if value_type == "f32" else 127.0
    samples = rng.uniform(-high, high, (4, 20))
    state, moved_ = start(model), set()
    for after, _ in steps_of(model, [(state, x, i % 2) for i, x in enumerate(samples)]):
        moved_ |= {name for name in state if (after[name] != state[name]).any()}
    assert {"conv1.w", "conv2.w"} <= moved_


def test_a_local_target_of_three_places_in_s16():
    """The mean of three ends of the type is the end: A = 10923, with 10922 it would be 2 less."""
    plans = [conv_plan((1, 3, 1), 1, (1, 1), windows=(1, 1))]
    losses = ["l2", "softmax_cross_entropy"]
    model = maps(plans, "s16", activations=["linear"] * 2, losses=losses)
    conv, last = model.layers
    conv = as_it_is(conv, [1])
    conv = altered(
        conv,
        z_min=-32768,
        z_max=32767,
        rate=Requantize(2**15, 15),
        bias_one=2**conv.learning.steps.update_shift,
        loss=replace(conv.loss, target=Target(mid=0, mult=0)),
    )
    model = replace(model, layers=(conv, last))
    state = start(model)
    ((after, _),) = steps_of(model, [(state, [32767] * 3, 0)])
    # r = (0 - 32767) >> 1 = -16384 at each of the three places, and m is 32767 for all of them.
    assert int(after["conv1.b"][0]) == 3 * -16384
