"""Corners of sections 12 and 14 to 19 of docs/ARITHMETIC.md: f32, maps, sequences, gates, sums."""

from dataclasses import replace

import numpy as np
import pytest

from tests.proof.bench import Requantize, Schedule, moved, one_layer, start, steps_of
from tests.support.backprop import with_backprop
from tests.support.gru import with_gru_layers
from tests.support.maps import conv_plan, pool_plan
from tests.support.models import random_model
from tests.support.sequences import RnnPlan
from tpsgd_edge.quantize.model import DTYPES, Projection, StoredInit, Target
from tpsgd_edge.reference import Reference

F = np.float32


def test_z_of_f32_is_clipped():
    model = one_layer("l2", 4, value_type="f32", rate_f32=1.0)
    state = start(model, fc1_b=[2.0**20, 2.0**21, -(2.0**20) - 1, 3])
    ((_, output),) = steps_of(model, [(state, [0, 0], [0] * 4)])
    assert output.tolist() == [2.0**20, 2.0**20, -(2.0**20), 3]


def test_steps_of_f32_are_clipped():
    model = one_layer("l2", 4, value_type="f32", rate_f32=1.0)
    assert moved(model, [0] * 4, [1024, 1024.5, -1024, -5000]) == [1024, 1024, -1024, -1024]


def test_dead_zones_of_f32_are_met_exactly():
    below = float(np.nextafter(F(0.5), F(0)))
    model = one_layer("l2", 4, value_type="f32", dead_zone=0.5)
    assert moved(model, [0] * 4, [0.5, below, -0.5, -below]) == [0.5, 0, -0.5, 0]
    zone = one_layer("dead_zone", 4, value_type="f32", loss_numbers={"delta": 0.5})
    assert moved(zone, [0] * 4, [0.5, 0.75, -0.5, -0.75]) == [0, 0.25, 0, -0.25]
    huber = one_layer("huber", 4, value_type="f32", loss_numbers={"delta": 0.5})
    assert moved(huber, [0] * 4, [0.5, 0.75, -0.5, -0.75]) == [0.5, 0.5, -0.5, -0.5]


def test_l1_and_custom_losses_of_f32():
    assert moved(one_layer("l1", 3, value_type="f32"), [0] * 3, [0, 9, -9]) == [0, 1, -1]
    table = np.arange(256, dtype=F)
    model = one_layer(
        "custom", 5, value_type="f32", loss_numbers={"table": table, "custom_scale_f32": 64.0}
    )
    # floor(64 r + 128.5): half of a place goes up, and the ends stay.
    labels = [0.5 / 64, 0.49 / 64, -0.5 / 64, 100, -100]
    assert moved(model, [0] * 5, labels) == [129, 128, 128, 255, 0]


@pytest.mark.parametrize(
    ("activation", "b", "slopes", "numbers"),
    [
        ("relu", [0, 1, -1], [0, 1, 0], {}),
        ("relu6", [0, 6, 7, 5.5], [0, 0, 0, 1], {}),
        ("hard_tanh", [1, -1, 0.5, 3], [0, 0, 1, 0], {}),
        (
            "leaky_relu",
            [0, 2, -2],
            [0.25, 1, 0.25],
            {"negative_slope": 0.25, "numbers": (0.25,)},
        ),
        ("hard_sigmoid", [-1, -2, 1, 2, 0, 0.5], [0, 0, 0, 0, 0.5, 0.5], {"numbers": (0.5, 0.5)}),
        ("elu", [0, 2, -99], [2, 1, 0], {"numbers": (2.0,)}),
        ("softplus", [-200, 90], [0, 1], {}),
    ],
)
def test_derivatives_of_f32_at_their_ends(activation, b, slopes, numbers):
    model = one_layer("l1", len(b), value_type="f32", activation=activation, **numbers)
    assert moved(model, b, [100.0] * len(b)) == slopes


def test_exp2_of_f32_at_its_ends():
    # Far below the largest logit e is 2^-126, and no less. A weight of 0 shows what a bias hides.
    model = one_layer("softmax_cross_entropy", 4, value_type="f32", kind="class")
    state = start(model, fc1_b=[0, -88.0, -(2.0**20), -(2.0**20)])
    ((after, _),) = steps_of(model, [(state, [1, 0], 0)])
    assert after["fc1.w"][:, 0].tolist() == [0, -(2.0**-126), -(2.0**-126), -(2.0**-126)]
    assert Reference(model).confidence_of(np.array([0, -88, -99, -99], F)) == 1


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_functions_of_f32_to_their_last_bit(activation):
    """12,800 values, so many that one bit of the smallest coefficient of exp2 shows."""
    model = one_layer("l2", 64, value_type="f32", activation=activation)
    b = np.random.default_rng(1).uniform(-1, 1, 64) * 2.0 ** np.arange(-8, 8, 0.25)
    state = start(model, fc1_b=b, fc1_w=np.full((64, 2), 0.37))
    x = np.random.default_rng(2).uniform(-9, 9, (200, 2))
    steps_of(model, [(state, one, [0] * 64) for one in x])


def test_dot_products_of_f32_in_their_order():
    """Sums of 29 products of unlike sizes: another order rounds to another number."""
    model = random_model(
        np.random.default_rng(14),
        value_type="f32",
        label_kind="class",
        label_count=5,
        n_in=29,
        hidden=[],
        activations=["linear"],
        losses=["softmax_cross_entropy"],
        stored_weights=True,
        lively=True,
    )
    rng = np.random.default_rng(15)
    x = rng.normal(size=(20, 29)) * 2.0 ** rng.integers(-6, 6, (20, 29))
    steps_of(model, [(start(model), one, 1) for one in x])


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_tanh_and_sigmoid_of_f32_far_out(activation):
    model = one_layer("l2", 4, value_type="f32", activation=activation)
    state = start(model, fc1_b=[200.0, -200.0, 0.0, 2.0**21])
    ((_, y),) = steps_of(model, [(state, [0, 0], [0] * 4)])
    low, middle = (-1, 0) if activation == "tanh" else (0, 0.5)
    assert y[[0, 2, 3]].tolist() == [1, middle, 1]
    assert abs(y[1] - low) < 1e-30


def maps(plans, value_type="s8", **wanted):
    """A net of maps with the smallest last layer."""
    model = random_model(
        np.random.default_rng(6),
        value_type=value_type,
        label_kind="class",
        label_count=2,
        map_plans=plans,
        hidden=[],
        weight_types=["f32" if value_type == "f32" else "s16"] * 3,
        projection="sign",
        storage="seed",
        gate=False,
        dead_zone=False,
        stored_weights=True,
        lively=True,
        **wanted,
    )
    return replace(model, schedule=Schedule((2**15,), 1))


def as_it_is(layer, w):
    """The layer with these weights for every unit, no biases, and z = acc."""
    weights = np.broadcast_to(np.array(w, DTYPES[layer.weight_type]), (layer.n_out, layer.n_in))
    init = StoredInit(weights.copy(), np.zeros(layer.n_out, np.int32))
    return replace(layer, init=init, z=Requantize(2**14, 14), z_min=-128, z_max=127)


def layer_outputs(model, x):
    """What each layer makes of a sample, which reference and C agree on."""
    steps_of(model, [(start(model), x, 0)])
    return Reference(model).layer_outputs(np.array(x, DTYPES[model.value_type]))


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
    conv = replace(as_it_is(conv, [1]), rate=Requantize(2**15, 9), bias_one=64)
    model = replace(model, layers=(conv, pool, last))
    state = start(model)
    ((after, _),) = steps_of(model, [(state, [127, 127, -128, -128, 5, 5], 1)])
    assert (after["conv1.w"] != state["conv1.w"]).any()


def recurrent(leak, own_shift=8, activation="linear", **wanted):
    """One recurrent unit that reads one value with a weight of 64 and forgets by 2^-leak."""
    model = random_model(
        np.random.default_rng(8),
        value_type="s8",
        label_kind="class",
        label_count=2,
        rnn_plans=[RnnPlan(1, 1, (leak,), has_traces=True, own_shift=own_shift)],
        steps=2,
        each_step=False,
        learn_every=0,
        hidden=[],
        activations=[activation, "linear"],
        losses=["projected_cross_entropy", "softmax_cross_entropy"],
        weight_types=["s16", "s16"],
        gate=False,
        dead_zone=False,
        stored_weights=True,
        lively=True,
        **wanted,
    )
    rnn, last = model.layers
    return replace(model, layers=(as_it_is(rnn, [1, 0]), last))


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
    model = replace(model, layers=(replace(rnn, z=Requantize(2**15, 1)), last))
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
        limit = 2**dense.weight_bits
        w = np.full(shape, limit - 1 if sign > 0 else -limit, DTYPES[dense.weight_type])
        b = np.full(dense.n_out, sign * 2**27, np.int32)
        return replace(dense, init=StoredInit(w, b), z=Requantize(2**15, 1))

    gru = replace(gru, reads=pushed(gru.reads), own=pushed(gru.own))
    model = replace(model, layers=(gru, *model.layers[1:]))
    x = np.full(model.n_in, 127 if value_type == "s8" else 32767)
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
    last = replace(
        last,
        init=StoredInit(w, np.zeros(8, np.int32)),
        passing=replace(last.passing, shift=1),
        **one,
    )
    model = replace(model, layers=(replace(first, init=zeros, **one), last))
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


def test_learned_read_outs_of_f32_stop_at_both_ends():
    model = random_model(
        np.random.default_rng(11),
        value_type="f32",
        label_kind="vector",
        label_count=3,
        n_in=2,
        hidden=[2],
        activations=["linear", "linear"],
        losses=["projected_l2", "l2"],
        dead_zone=False,
        stored_weights=True,
        lively=True,
    )
    first, last = model.layers
    values = np.array([[127] * 3, [-127] * 3], np.int8)
    p = Projection("learned", "ram", 0, values, Requantize(2**14, 20), 1.0)
    first = replace(first, projection=p, loss=replace(first.loss, readout_f32=0.0))
    model = replace(model, layers=(first, last), schedule=Schedule((2**15,), 1))
    state = start(model, fc1_b=[1000.0, -1000.0], fc1_w=[[0, 0]] * 2)
    ((after, _),) = steps_of(model, [(state, [0, 0], [5.0, 1.0, -1.0])])
    # c_k = 5, 1 and -1 times y = 1000 and -1000.
    assert after["fc1.p"].tolist() == [[127, 127, -127], [-127, -127, 127]]


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
    conv = replace(as_it_is(conv, [1]), **one | {"dead_zone": 0})
    wide = np.array([[16000] * 3, [-16000] * 3], np.int16)
    last = replace(
        last,
        init=StoredInit(wide, np.zeros(2, np.int32)),
        passing=replace(last.passing, shift=8),
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
    conv = replace(
        conv,
        z_min=-32768,
        z_max=32767,
        rate=Requantize(2**15, 15),
        bias_one=2**conv.update_shift,
        loss=replace(conv.loss, target=Target(mid=0, mult=0)),
    )
    model = replace(model, layers=(conv, last))
    state = start(model)
    ((after, _),) = steps_of(model, [(state, [32767] * 3, 0)])
    # r = (0 - 32767) >> 1 = -16384 at each of the three places, and m is 32767 for all of them.
    assert int(after["conv1.b"][0]) == 3 * -16384
