"""Corners of sections 5 to 8 of docs/ARITHMETIC.md: each number follows from the page by hand."""

import numpy as np
import pytest

from tests.proof.bench import Requantize, Schedule, moved, one_layer, start, steps_of
from tests.proof.models import gated, places
from tests.random.networks import project_of
from tests.random.running import SANITIZED, host_binary, written
from tpsgd_edge.arithmetic.random import mix
from tpsgd_edge.quantize.model import DTYPES, SeededInit
from tpsgd_edge.reference import Reference
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import open_device


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
    high = 2**model.last.numbers.weight_bits - 1
    state = start(model, fc1_w=[[high - 1, -high], [-high, high - 1]])
    ((after, _),) = steps_of(model, [(state, [127, -128], [32766, -32766])])
    assert after["fc1.w"].tolist() == [[high, -high - 1], [-high - 1, high]]


def test_weights_that_meet_an_end_exactly_stay_on_it():
    model = one_layer("l2", 2, bias_one=64, z=Requantize(2**14, 40))
    high = 2**model.last.numbers.weight_bits - 1
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


def test_a_leaky_slope_is_rounded_half_up():
    model = one_layer("l2", 4, activation="leaky_relu", negative_slope=2**14, z_min=-32768)
    state = start(model, fc1_b=[-1, -3, -32768, 5])
    ((_, output),) = steps_of(model, [(state, [0, 0], [0] * 4)])
    assert output.tolist() == [0, -1, -16384, 5]


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
