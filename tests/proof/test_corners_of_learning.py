"""Corners of sections 5 to 8 of docs/ARITHMETIC.md: each number follows from the page by hand."""

from dataclasses import replace

import numpy as np
import pytest

from tests.proof.bench import Requantize, Schedule, moved, one_layer, start, steps_of
from tests.random.networks import project_of
from tests.random.running import SANITIZED, host_binary, written
from tests.support.models import random_model
from tpsgd_edge.arithmetic.random import mix
from tpsgd_edge.quantize.model import DTYPES, Projection, SeededInit, StoredInit, Target
from tpsgd_edge.reference import Reference
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import open_device

# y and label of each unit, with r = (t15 - y15) >> 1.
ENDS = [(32767, -32768), (-32768, 32767), (0, 0), (0, 1), (1, 0), (0, -2), (0, 2), (0, 3)]
R = [-32768, 32767, 0, 0, -1, -1, 1, 1]


def places(*r: int) -> tuple[list[int], list[int]]:
    """y and labels for some r."""
    y = [-r_ if abs(r_) > 16383 else 0 for r_ in r]
    return y, [2 * r_ + y_ for r_, y_ in zip(r, y, strict=True)]


def test_r_is_halved_towards_minus_infinity():
    y, labels = zip(*ENDS, strict=True)
    assert moved(one_layer("l2", 8), y, labels) == R


def test_l1_at_zero():
    y, labels = places(0, 1, -1, 32767, -32767)
    assert moved(one_layer("l1", 5), y, labels) == [0, 16384, -16384, 16384, -16384]


def test_huber_at_its_delta():
    y, labels = places(999, 1000, 1001, -999, -1000, -1001, 32767, -32767)
    model = one_layer("huber", 8, loss_numbers={"delta": 1000})
    assert moved(model, y, labels) == [999, 1000, 1000, -999, -1000, -1000, 1000, -1000]


def test_the_dead_zone_of_a_loss_at_its_delta():
    y, labels = places(999, 1000, 1001, -999, -1000, -1001, 32767, -32767)
    model = one_layer("dead_zone", 8, loss_numbers={"delta": 1000})
    assert moved(model, y, labels) == [0, 0, 1, 0, 0, -1, 31767, -31767]


def test_the_table_of_a_custom_loss_at_its_ends_and_between_two_entries():
    table = np.arange(256, dtype=np.int16) * 100
    model = one_layer("custom", 8, loss_numbers={"table": table})
    y, labels = places(127, 128, -128, -129, 32639, 32767, -32767, -32640)
    entries = [0, 1, 0, -1, 127, 127, -128, -127]
    assert moved(model, y, labels) == [100 * (i + 128) for i in entries]


def test_the_dead_zone_of_a_layer_is_met_exactly():
    y, labels = places(699, 700, 701, -699, -700, -701)
    model = one_layer("l2", 6, dead_zone=700)
    assert moved(model, y, labels) == [0, 700, 701, 0, -700, -701]


@pytest.mark.parametrize(
    ("activation", "b", "slopes", "numbers"),
    [
        ("relu", [-5, 0, 1, 32767], [0, 0, 32768, 32768], {"z_min": 0}),
        ("relu6", [0, 1, 99, 100, 120], [0, 32768, 32768, 0, 0], {"z_min": 0, "z_max": 100}),
        ("leaky_relu", [-8, 0, 1, 9], [8192, 8192, 32768, 32768], {"negative_slope": 8192}),
        ("hard_tanh", [-40000, -32767, 32766, 40000], [0, 32768, 32768, 0], {}),
        ("linear", [-32768, 0, 32767, 5], [32768] * 4, {}),
    ],
)
def test_derivatives_at_their_ends(activation, b, slopes, numbers):
    model = one_layer("l1", len(b), activation=activation, **numbers)
    # Above or below every output, so that e is 16384 or -16384 and never 0.
    y = np.clip(b, -32768, 32767)
    labels = np.where(y > 0, -32768, 32767)
    signs = np.where(y > 0, -1, 1)
    expected = [(sign * 16384 * g + 2**14) >> 15 for sign, g in zip(signs, slopes, strict=True)]
    assert moved(model, b, labels) == expected


def test_derivatives_of_tables_at_their_ends():
    # tanh: y = 32767 at the upper end, -32768 at the lower; sigmoid: 32767 - and almost 0.
    for activation, unit, slope in (
        ("tanh", 2.0**-13, lambda y: 32768 - ((y * y) >> 15)),
        ("sigmoid", 2.0**-12, lambda y: (y * (32768 - y)) >> 15),
    ):
        function = np.tanh if activation == "tanh" else (lambda z: 1 / (1 + np.exp(-z)))
        z = [-40000, -32768, -257, -256, -1, 0, 255, 32767]
        table = np.minimum(
            32767, np.floor(32768 * function((np.arange(257) - 128) * 256 * unit) + 0.5)
        ).astype(int)
        expected = []
        for value in np.clip(z, -32768, 32767).tolist():
            at = (value >> 8) + 128
            step = int(table[at + 1] - table[at])
            expected.append(int(table[at]) + ((step * (value & 255) + 128) >> 8))
        model = one_layer("l1", 8, activation=activation)
        state = start(model, fc1_b=z)
        ((after, output),) = steps_of(model, [(state, [0, 0], [32767] * 8)])
        assert output.tolist() == expected
        e = [16384 if y < 32767 else 0 for y in expected]
        deltas = [(e_ * slope(y) + 2**14) >> 15 for e_, y in zip(e, expected, strict=True)]
        assert (after["fc1.b"] - state["fc1.b"]).tolist() == deltas


def test_z_is_rounded_half_up_and_saturated():
    model = one_layer("l2", 8, z=Requantize(2**14, 15))
    acc = [1, -1, 3, -3, 65534, 65535, -65536, -65540]
    state = start(model, fc1_b=acc)
    ((_, output),) = steps_of(model, [(state, [0, 0], [0] * 8)])
    assert output.tolist() == [1, 0, 2, -1, 32767, 32767, -32768, -32768]


def test_steps_saturate():
    model = one_layer("l2", 4, rate=Requantize(2**15, 14))
    y, labels = places(16383, 16384, -16384, -16385)
    assert moved(model, y, labels) == [32766, 32767, -32768, -32768]


@pytest.mark.parametrize("weight_type", ["s16", "s8"])
def test_weights_stop_at_both_ends(weight_type):
    model = one_layer(
        "l2",
        2,
        weight_type=weight_type,
        bias_one=1,
        rate=Requantize(2**15, 14),
        z=Requantize(2**14, 40),
    )
    high = 2**model.last.weight_bits - 1
    state = start(model, fc1_w=[[high - 1, -high], [-high, high - 1]])
    ((after, _),) = steps_of(model, [(state, [127, -128], [32766, -32766])])
    assert after["fc1.w"].tolist() == [[high, -high - 1], [-high - 1, high]]


def test_weights_that_meet_an_end_exactly_stay_on_it():
    model = one_layer("l2", 2, bias_one=64, z=Requantize(2**14, 40))
    high = 2**model.last.weight_bits - 1
    state = start(model, fc1_w=[[high - 3, high - 4], [-high + 2, -high + 3]])
    # Steps of 4 and -4 times 64 / 64: by 3 and 4 to the end, by 1 beyond it, to it, before it.
    ((after, _),) = steps_of(model, [(state, [64, 64], [8, -8])])
    assert after["fc1.w"].tolist() == [[high, high], [-high - 1, -high - 1]]


def test_biases_stop_at_both_ends():
    # y = b / 2^13, so that there is room for an error at the ends of b.
    model = one_layer("l2", 6, z=Requantize(2**14, 27))
    end = 2**27
    b = [end - 3, end - 3, end, -end + 3, -end + 3, -end]
    y = [(v + 2**12) >> 13 for v in b]
    labels = [y[0] + 6, y[1] + 8, y[2] + 200, y[3] - 6, y[4] - 8, y[5] - 200]
    assert moved(model, b, labels) == [3, 3, 0, -3, -3, 0]


def test_the_largest_bias_step_needs_64_bits():
    model = one_layer("l2", 2, bias_one=2**30, z=Requantize(2**14, 40))
    assert moved(model, [0, 0], [32767, -32768]) == [2**27, -(2**27)]


def test_the_decay_has_its_last_segment_for_ever_and_the_counter_its_end():
    model = one_layer(
        "l2",
        1,
        rate=Requantize(2**15, 13),
        model={"schedule": Schedule((2**15, 2**14, 2**13), 10)},
    )
    turns = {0: 4, 9: 4, 10: 2, 19: 2, 20: 1, 29: 1, 30: 1, 2**32 - 2: 1, 2**32 - 1: 1}
    lessons = [(start(model, step=step), [0, 0], [20]) for step in turns]
    after = steps_of(model, lessons)
    assert [int(state["fc1.b"][0]) for state, _ in after] == [10 * f for f in turns.values()]
    counts = [int(state["step"]) for state, _ in after]
    assert counts == [min(step + 1, 2**32 - 1) for step in turns]


def test_the_decay_counts_from_its_start_and_a_rate_scales_it_rounded_down():
    model = one_layer(
        "l2",
        1,
        rate=Requantize(2**15, 13),
        model={"schedule": Schedule((2**15, 2**14, 2**13), 10)},
    )
    turns = {
        (9, 9, 2**15): 4,
        (19, 10, 2**15): 4,
        (20, 10, 2**15): 2,
        (2**32 - 1, 2**32 - 11, 2**15): 2,
        (2**32 - 1, 5, 2**15): 1,
        (0, 0, 2**14): 2,
        (10, 0, 2**13): 0.5,
        (0, 0, 0): 0,
    }
    lessons = [(start(model, step=s, start=b, rate=r), [0, 0], [80]) for s, b, r in turns]
    after = steps_of(model, lessons)
    assert [int(state["fc1.b"][0]) for state, _ in after] == [40 * f for f in turns.values()]
    # (2^14 * 1) >> 15 is nothing, whatever the error; with a rate of 2 it is one unit.
    lessons = [(start(model, step=10, rate=r), [0, 0], [32767]) for r in (1, 2)]
    none, some = [int(state["fc1.b"][0]) for state, _ in steps_of(model, lessons)]
    assert none == 0
    assert some in (1, 2)


def test_softmax_from_its_largest_to_nothing():
    # Logits below the largest by nothing, by the last entry of the table, by the last shift, by 16.
    logits = [5000, 5000 - 255, 5000 - (15 * 256 + 255), 5000 - 16 * 256, -32768]
    model = one_layer("softmax_cross_entropy", 5, kind="class")
    exp2 = [int(np.floor(32768 * 2 ** (-i / 64) + 0.5)) for i in range(64)]
    e = [exp2[0], exp2[63], exp2[63] >> 15, 0, 0]
    q = 2**31 // sum(e)
    p = [(value * q) >> 16 for value in e]
    errors = [((32768 if k == 2 else 0) - p_k) >> 1 for k, p_k in enumerate(p)]
    assert moved(model, logits, 2) == errors


@pytest.mark.parametrize(("distance", "e"), [(15 * 256 + 3, 1), (15 * 256 + 4, 0), (16 * 256, 0)])
def test_the_last_of_fifteen_halvings_still_counts(distance, e):
    # 32768 >> 15 is 1, and so little shows in the confidence alone: 2^31 / 32769 is 65534.
    model = one_layer("softmax_cross_entropy", 2, kind="class")
    logits = [9000, 9000 - distance]
    assert Reference(model).confidence_of(np.array(logits, np.int16)) == 32768 - e
    assert moved(model, logits, 1) == [-16384, 16384]


@pytest.mark.parametrize(("logit_shift", "steps"), [(1, 128), (5, 8), (15, 1)])
def test_softmax_of_logits_that_count_more(logit_shift, steps):
    # Below the largest by the first step of all, by so many that e halves, by all that s16 holds.
    logits = [32767, 32767 - 1, 32767 - steps, -32768]
    numbers = {"logit_shift": logit_shift}
    model = one_layer("softmax_cross_entropy", 4, kind="class", loss_numbers=numbers)
    exp2 = [int(np.floor(32768 * 2 ** (-i / 64) + 0.5)) for i in range(64)]
    e = []
    for logit in logits:
        distance = (32767 - logit) << logit_shift
        halvings = distance >> 8
        e.append(0 if halvings > 15 else exp2[(distance & 255) >> 2] >> halvings)
    assert e[0] == 2**15
    assert e[2] == (2**14 if logit_shift < 15 else 0)
    assert e[3] == 0
    q = 2**31 // sum(e)
    p = [(value * q) >> 16 for value in e]
    errors = [((32768 if k == 2 else 0) - p_k) >> 1 for k, p_k in enumerate(p)]
    assert moved(model, logits, 2) == errors
    assert Reference(model).confidence_of(np.array(logits, np.int16)) == p[0]


def test_equal_outputs_are_the_first_class():
    model = one_layer("softmax_cross_entropy", 4, kind="class")
    # Answers, predict and evaluate among them, are compared before the step.
    lessons = [(start(model, fc1_b=b), [0, 0], 3) for b in ([0] * 4, [1, 7, 7, 7], [-9, -9, -9, 0])]
    outputs = [output for _, output in steps_of(model, lessons)]
    assert [int(y.argmax()) for y in outputs] == [0, 1, 3]


def test_last_targets_of_a_class():
    model = one_layer("l2", 3, kind="class")
    assert moved(model, [0, 0, 8192], 1) == [-4096, 4096, -8192]


def gated(gate, value_type="s8"):
    """A hidden layer below four equal outputs: each has a probability of exactly 1 / 4."""
    model = random_model(
        np.random.default_rng(2),
        value_type=value_type,
        label_kind="class",
        label_count=4,
        n_in=3,
        hidden=[4],
        activations=["linear", "linear"],
        losses=["projected_cross_entropy", "softmax_cross_entropy"],
        stored_weights=True,
        dead_zone=False,
        lively=True,
        gate=True,
    )
    hidden, last = model.layers
    zero = StoredInit(np.zeros_like(last.init.w), np.zeros_like(last.init.b))
    if value_type == "f32":
        hidden = replace(hidden, rate_f32=0.5)
    else:
        hidden = replace(hidden, rate=Requantize(2**15, 12))
    return replace(model, gate=gate, layers=(hidden, replace(last, init=zero)))


@pytest.mark.parametrize(
    ("value_type", "gate", "learns"),
    [
        ("s8", 8192, False),
        ("s8", 8193, True),
        ("s16", 8192, False),
        ("f32", 0.25, False),
        ("f32", float(np.nextafter(np.float32(0.25), np.float32(1))), True),
    ],
)
def test_an_error_gate_that_is_met_exactly_is_closed(value_type, gate, learns):
    model = gated(gate, value_type)
    state = start(model)
    high = {"s8": 100, "s16": 20000, "f32": 1.0}[value_type]
    ((after, _),) = steps_of(model, [(state, [high, -high, high], 2)])
    assert (after["fc1.b"] != state["fc1.b"]).any() == learns
    assert (after["fc2.b"] != state["fc2.b"]).any()


def hidden(loss, *, mult=0, mid=0, n_out=4, count=8, projection=None, **numbers):
    """A hidden linear layer whose b moves by delta, below a layer of zeros."""
    model = random_model(
        np.random.default_rng(4),
        value_type="s8",
        label_kind="vector",
        label_count=count,
        n_in=2,
        hidden=[n_out],
        activations=["linear", "linear"],
        losses=[loss, "l2"],
        weight_types=["s16", "s16"],
        projection="sign",
        storage="s8",
        stored_weights=True,
        dead_zone=False,
        lively=True,
    )
    first, last = model.layers
    values = np.ones((n_out, count), np.int8) if projection is None else projection
    p = values if isinstance(values, Projection) else Projection("sign", "s8", 0, values)
    target = first.loss.target and Target(mid=mid, mult=mult, shift=0)
    own = replace(first.loss, target=target, **numbers)
    zeros = [StoredInit(np.zeros_like(la.init.w), np.zeros_like(la.init.b)) for la in (first, last)]
    bench = {"z": Requantize(2**14, 14), "rate": Requantize(2**15, 15), "bias_one": 64}
    first = replace(first, init=zeros[0], loss=own, projection=p, **bench)
    last = replace(last, init=zeros[1])
    return replace(model, layers=(first, last), schedule=Schedule((2**15,), 1))


def test_targets_saturate_at_both_ends():
    signs = np.array([[1] * 8, [-1] * 8, [1, -1] * 4, [1, 1, 1, 1, -1, -1, -1, -1]], np.int8)
    model = hidden("l2", mid=0, mult=32767, projection=signs)
    # sum_k p_jk label_k is 8 * 32767, its opposite, 0 and 0; y is 0.
    assert moved(model, [0] * 4, [32767] * 8) == [32767 >> 1, -32768 >> 1, 0, 0]


def test_targets_of_vectors_are_rounded_half_up():
    signs = np.array([[1] + [0] * 7, [-1] + [0] * 7], np.int8)
    p = Projection("ternary", "s8", 0, signs)
    model = hidden("l2", mult=16384, n_out=2, projection=p)
    # rshift_round(+-5 * 16384, 15) is 2.5 rounded to 3, and -2.5 to -2; r halves downwards.
    assert moved(model, [0, 0], [5] + [0] * 7) == [3 >> 1, -2 >> 1]


def test_read_outs_and_errors_in_label_space_saturate():
    model = hidden("projected_l2", readout=Requantize(2**15, 1), error_shift=0)
    # v = 4 * 127 * 2^14, saturated: q_k = (-32768 - 32767) >> 1 = -32768 each, 8 of them: clipped.
    assert moved(model, [127] * 4, [-32768] * 8) == [-32767] * 4
    assert moved(model, [-128] * 4, [32767] * 8) == [32767] * 4


def test_learned_read_outs_stop_at_both_ends():
    values = np.array([[127] * 8, [-127] * 8, [126] * 8, [-126] * 8], np.int8)
    rate = Requantize(2**15, 2)
    p = Projection("learned", "ram", 0, values, rate, 0.0)
    model = hidden("projected_l2", projection=p, readout=Requantize(2**14, 30), error_shift=5)
    state = start(model, fc1_b=[127, -128, 127, -128])
    up, down = [32767] * 8, [-32768] * 8
    after = [s["fc1.p"] for s, _ in steps_of(model, [(state, [0, 0], up), (state, [0, 0], down)])]
    assert after[0].tolist() == [[127] * 8, [-127] * 8, [127] * 8, [-127] * 8]
    assert (after[1][0] < 127).all()
    assert (after[1][1] > -127).all()
    again = start(model, fc1_b=[127, -128, 127, -128], fc1_p=[[-127] * 8, [127] * 8] * 2)
    ((end, _),) = steps_of(model, [(again, [0, 0], down)])
    assert end["fc1.p"].tolist() == [[-127] * 8, [127] * 8] * 2


def classes(loss, target, p, n_out):
    """As `hidden`, of classes: the target is that of one column of P."""
    vectors = hidden(loss, n_out=n_out, projection=Projection("gaussian", "s8", 0, p))
    first, last = vectors.layers
    first = replace(first, loss=replace(first.loss, target=target))
    labels = replace(vectors.labels, kind="class")
    last = replace(last, loss=replace(last.loss, target=Target(on=0, off=0)))
    return replace(vectors, labels=labels, layers=(first, last))


def test_targets_of_classes_are_rounded_half_up_and_saturate():
    p = np.zeros((6, 8), np.int8)
    p[:, 2] = [127, -127, 3, -3, 1, -1]
    model = classes("l2", Target(mid=0, mult=32767, shift=1), p, 6)
    # 127 * 32767 / 2 is beyond the s16; 3 * 32767 / 2 = 49150.5 too; 16383.5 goes to 16384.
    t15 = [32767, -32768, 32767, -32768, 16384, -16383]
    assert moved(model, [0] * 6, 2) == [t >> 1 for t in t15]


def test_a_leaky_slope_is_rounded_half_up():
    model = one_layer("l2", 4, activation="leaky_relu", negative_slope=2**14, z_min=-32768)
    state = start(model, fc1_b=[-1, -3, -32768, 5])
    ((_, output),) = steps_of(model, [(state, [0, 0], [0] * 4)])
    assert output.tolist() == [0, -1, -16384, 5]


def test_steps_of_learned_read_outs_saturate():
    values = np.array([[0] * 8, [1] * 8], np.int8)
    p = Projection("learned", "ram", 0, values, Requantize(2**15, 1), 0.0)
    model = hidden(
        "projected_l2", n_out=2, projection=p, readout=Requantize(2**14, 40), error_shift=5
    )
    state = start(model, fc1_b=[1, 0])
    ((after, _),) = steps_of(model, [(state, [0, 0], [32767, -32768, 4] + [0] * 5)])
    # q = 16383 a / 2 = 16383 * 2^14, saturated: 32767 / 2^13 with what rounding adds is 3 or 4.
    assert after["fc1.p"][0, 0] in (3, 4)
    assert after["fc1.p"][0, 1] in (-4, -3)
    assert after["fc1.p"][1].tolist() == [1] * 8


@pytest.mark.parametrize("bound", [2**15 - 1, 2**14, 1])
def test_first_weights_from_the_seed_are_rounded_half_up(bound):
    model = one_layer("l2", 6, init=SeededInit(12345, bound))
    first = Reference(model).state()["fc1.w"].ravel()
    base, phi = 12345, 0x9E3779B9
    u = [(mix(base + phi * (i + 1)) >> 16) - 32768 for i in range(12)]
    assert first.tolist() == [(v * bound + 2**14) >> 15 for v in u]
    steps_of(model, [(start(model), [1, -1], [100] * 6)])


@pytest.mark.parametrize(
    ("value_type", "within", "beyond"),
    [
        ("s8", (2**15, 0, 1), (2**15 + 1, 2**32 - 1)),
        (
            "f32",
            (1.0, 0.0, 2.0**-149),
            (np.nextafter(np.float32(1), np.float32(2)), -1e-30, np.nan),
        ),
    ],
)
def test_rates_at_their_ends_are_taken_and_beyond_them_refused(value_type, within, beyond):
    model = one_layer("l2", 2, value_type=value_type)
    kind = DTYPES["f32" if value_type == "f32" else "s16"]
    project = project_of(model, np.zeros((1, 2), DTYPES[value_type]), np.zeros((1, 2), kind))
    with written(project) as folder:
        binary = host_binary(project, folder, SANITIZED)
        with open_device(binary, interface_of(model), timeout=60) as device:
            device.init()
            for rate in within:
                assert device.set_rate(rate)
                after = device.state()
                assert not any(device.set_rate(float(wrong)) for wrong in beyond)
                assert device.state() == after
