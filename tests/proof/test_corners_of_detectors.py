"""Corners of section 25 of docs/ARITHMETIC.md: detectors, run by reference and C."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.proof.bench import AS_IT_IS, start, steps_of
from tests.support.detectors import DOWN, UP, detecting
from tests.support.parts import altered
from tpsgd_edge.quantize.model import QuantizedModel, Requantize, StoredInit

NORMAL, ANOMALY = 0, 1
LEARNED = [0, 1 << 20, 1]


def reconstruction(value_type: str, w: list[list[int]], **numbers: Any) -> QuantizedModel:
    """Units with z = acc and the weights w, whose sums are units of the input."""
    model = detecting(np.random.default_rng(1), value_type, len(w[0]), len(w), back=AS_IT_IS)
    (layer,) = model.layers
    init = StoredInit(np.array(w, "<i2"), np.zeros(len(w), "<i4"))
    code = altered(layer.code, init=init, z=AS_IT_IS, bias_shift=8 if value_type == "s16" else 0)
    return replace(model, layers=(replace(layer, code=code, **numbers),))


def statistics(value_type: str, n_in: int = 1, **numbers: Any) -> QuantizedModel:
    return detecting(np.random.default_rng(1), value_type, n_in, 0, **numbers)


def answered(model: QuantizedModel, x: list[int], **tensors: Any) -> list[int]:
    """Threshold and score, which reference and C agree on."""
    ((_, answer),) = steps_of(model, [(start(model, **tensors), x, NORMAL)])
    return [int(value) for value in answer]


def after(
    model: QuantizedModel, x: list[int], label: int = NORMAL, **tensors: Any
) -> dict[str, list[int]]:
    """The state after one training step, by the end of its names."""
    ((state, _),) = steps_of(model, [(start(model, **tensors), x, label)])
    return {name.rpartition(".")[2]: np.ravel(t).tolist() for name, t in state.items()}


def test_what_comes_back_is_limited_and_rest_saturates_at_both_ends():
    model = reconstruction("s8", [[100]])
    # h = -10,000, so 100 * h is limited to -32,768: -100 + 32,768 leaves 127.
    assert answered(model, [-100])[1] == 127 * 256
    # h = 10,000, and 100 - 32,767 leaves -128, whose square in Q15 is 2^30, one too many.
    assert answered(model, [100])[1] == 32767
    wide = reconstruction("s16", [[100]])
    assert answered(wide, [-32768])[1] == 0
    assert answered(reconstruction("s16", [[0]]), [-32768])[1] == 32767


def test_what_comes_back_is_rounded_half_up():
    model = reconstruction("s8", [[1]], back=Requantize(2**14, 15))
    assert answered(model, [1])[1] == 0  # 1/2 comes back as 1
    assert answered(model, [-1])[1] == 256  # -1/2 comes back as 0


@pytest.mark.parametrize("value_type", ["s8", "s16"])
def test_a_score_is_the_root_of_the_rounded_mean(value_type):
    unit = 256 if value_type == "s8" else 1
    model = reconstruction(value_type, [[0, 0]])
    # The mean of 3^2 and 4^2 is 12.5, in Q15 of s8 12.5 * 2^16, of s16 13.
    found = answered(model, [3, 4])[1]
    assert found == (905 if unit == 256 else 3)
    assert answered(model, [4, 4])[1] == 4 * unit
    assert answered(model, [0, 0])[1] == 0


def test_far_values_saturate_and_count_no_more_than_64_variances():
    model = statistics("s8")
    state = {"fc1_v": [0], "fc1_t": LEARNED}
    # 127 * 256 and a mean of -32,768 are 65,280 apart: 32,767, of which 65,535 / 2^10 count.
    assert answered(model, [127], fc1_m=[-(1 << 29)], **state)[1] == 32767
    moved = after(model, [127], fc1_m=[-(1 << 29)], fc1_v=[0], fc1_t=[0, 1 << 20, 0])
    assert moved["v"] == [32767**2]
    moved = after(model, [-128], fc1_m=[1 << 29], fc1_v=[0], fc1_t=[0, 1 << 20, 0])
    assert moved["v"] == [32767**2]


def test_a_quotient_is_rounded_down_and_a_small_variance_counts_as_256():
    model = statistics("s16")
    # 16^2 / 256 is 1: the root of 2^14. 15^2 / 256 is 0.
    state = {"fc1_m": [0], "fc1_t": LEARNED}
    assert answered(model, [16], fc1_v=[0], **state)[1] == 128
    assert answered(model, [15], fc1_v=[1023], **state)[1] == 0
    # With a variance of 2^20, 2^10 in the divisor: 1,280 in all.
    assert answered(model, [36], fc1_v=[1 << 20], **state)[1] == 128
    assert answered(model, [35], fc1_v=[1 << 20], **state)[1] == 0


def test_means_and_variances_go_half_up_by_the_bits_of_the_count():
    model = statistics("s16")
    first = after(model, [100], fc1_m=[5], fc1_v=[7], fc1_t=[0, 1 << 20, 0])
    assert (first["m"], first["v"]) == ([100 << 14], [10_000])
    # Three samples have two bits. From 0 to 1 * 2^14, a quarter; from 2 to 1, -1/4: not gone.
    third = after(model, [1], fc1_m=[0], fc1_v=[3], fc1_t=[0, 1 << 20, 3])
    assert (third["m"], third["v"]) == ([1 << 12], [3])
    # A half goes up: 1 - 3 is -2, a quarter of it -1/2.
    half = after(model, [1], fc1_m=[0], fc1_v=[3], fc1_t=[0, 1 << 20, 2])
    assert half["v"] == [3]
    late = after(model, [1024], fc1_m=[0], fc1_v=[0], fc1_t=[0, 1 << 20, 1 << 29])
    assert (late["m"], late["v"]) == ([1 << 14], [1 << 10])


def test_a_threshold_is_rounded_half_up_and_saturates():
    model = reconstruction("s8", [[0]])
    assert answered(model, [0], fc1_t=[0, 1 << 20, 0])[0] == 32767
    assert answered(model, [0], fc1_t=[1 << 7, 1 << 20, 1])[0] == 1
    assert answered(model, [0], fc1_t=[(1 << 7) - 1, 1 << 20, 1])[0] == 0
    assert answered(model, [0], fc1_t=[1 << 23, 1 << 25, 1])[0] == 32767


def test_a_score_that_is_the_threshold_is_not_above_it():
    model = reconstruction("s8", [[0]])
    # The threshold is 256, as is the score of 1; that of 2 is 512.
    level = {"fc1_t": [1 << 16, 1 << 20, 4]}
    assert after(model, [1], **level)["t"][1] == (1 << 20) - DOWN
    assert after(model, [2], **level)["t"][1] == (1 << 20) + UP


def test_a_ratio_stops_at_both_ends():
    model = reconstruction("s8", [[0]])
    assert after(model, [0], fc1_t=[1, 1 << 19, 4])["t"][1] == 1 << 19
    assert after(model, [127], fc1_t=[1, 1 << 25, 4])["t"][1] == 1 << 25


def test_a_level_goes_half_up_by_at_most_seven_bits_and_a_count_ends():
    model = reconstruction("s8", [[0]])
    assert after(model, [1], fc1_t=[5, 1 << 20, 0])["t"][0] == 256 * 256
    assert after(model, [0], fc1_t=[2, 1 << 20, 2])["t"][0] == 2  # -1/2 is not gone
    late = after(model, [1], fc1_t=[0, 1 << 20, 1 << 30])["t"]
    assert late[0] == 256 * 256 >> 7
    assert late[2] == 1 << 30


@pytest.mark.parametrize("units", [0, 1])
def test_an_anomaly_teaches_nothing_nor_does_a_rate_of_0(units):
    model = reconstruction("s8", [[90, -90]]) if units else statistics("s8", 2)
    before = start(model)
    for label, rate in ((ANOMALY, 1 << 15), (NORMAL, 0)):
        ((state, _),) = steps_of(model, [(start(model, rate=rate), [90, 70], label)])
        own = [name for name in state if "." in name]
        assert own
        assert all(state[name].tolist() == before[name].tolist() for name in own)
        assert int(state["step"]) == 1
    ((state, _),) = steps_of(model, [(before, [90, 70], NORMAL)])
    assert any(state[name].tolist() != before[name].tolist() for name in own)


def test_errors_are_halves_of_the_outputs_and_biases_stay():
    # d = delta = h >> 1 = -1, and us = 6: 64 * -2 moves a weight by 2.
    model = reconstruction("s8", [[1, 0]])
    (layer,) = model.layers
    steps = {"rate": Requantize(2**15, 15), "update_shift": 6}
    code = altered(layer.code, **steps)
    model = replace(model, layers=(replace(layer, code=code, back=Requantize(2**14, 30)),))
    moved = after(model, [-1, -128])
    assert moved["w"] == [2, 2]
    assert moved["b"] == [0]
