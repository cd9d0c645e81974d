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


# A sample, and tensors of the state that it meets.
Lesson = tuple[list[int], dict[str, Any]]


def answered(model: QuantizedModel, *lessons: Lesson) -> list[list[int]]:
    """Threshold and score of each sample, which reference and C agree on."""
    taught = [(start(model, **tensors), x, NORMAL) for x, tensors in lessons]
    return [[int(value) for value in answer] for _, answer in steps_of(model, taught)]


def scores(model: QuantizedModel, *samples: list[int]) -> list[int]:
    """Scores in the initial state."""
    return [score for _, score in answered(model, *((x, {}) for x in samples))]


def after(model: QuantizedModel, *lessons: Lesson) -> list[dict[str, list[int]]]:
    """The state after one training step from each state, by the end of the names."""
    taught = [(start(model, **tensors), x, NORMAL) for x, tensors in lessons]
    return [
        {name.rpartition(".")[2]: np.ravel(t).tolist() for name, t in state.items()}
        for state, _ in steps_of(model, taught)
    ]


def test_what_comes_back_is_limited_and_rest_saturates_at_both_ends():
    # h = -10,000, so 100 * h is limited to -32,768: -100 + 32,768 leaves 127.
    # h = 10,000, and 100 - 32,767 leaves -128, whose square in Q15 is 2^30, one too many.
    assert scores(reconstruction("s8", [[100]]), [-100], [100]) == [127 * 256, 32767]
    assert scores(reconstruction("s16", [[100]]), [-32768]) == [0]
    assert scores(reconstruction("s16", [[0]]), [-32768]) == [32767]


def test_what_comes_back_is_rounded_half_up():
    model = reconstruction("s8", [[1]], back=Requantize(2**14, 15))
    # 1/2 comes back as 1, and -1/2 as 0.
    assert scores(model, [1], [-1]) == [0, 256]


@pytest.mark.parametrize(("value_type", "unit", "odd"), [("s8", 256, 905), ("s16", 1, 3)])
def test_a_score_is_the_root_of_the_rounded_mean(value_type, unit, odd):
    model = reconstruction(value_type, [[0, 0]])
    # The mean of 3^2 and 4^2 is 12.5: in Q15 of s8 12.5 * 2^16, in s16 rounded to 13.
    # That of 0 and 1 is 1/2, which goes up.
    assert scores(model, [3, 4], [4, 4], [0, 0]) == [odd, 4 * unit, 0]
    assert scores(model, [0, 1]) == [181 if unit == 256 else 1]


def test_far_values_saturate_and_count_no_more_than_64_variances():
    model = statistics("s8")
    new = {"fc1_v": [0], "fc1_t": [0, 1 << 20, 0]}
    lessons = ([127], {"fc1_m": [-(1 << 29)], **new}), ([-128], {"fc1_m": [1 << 29], **new})
    # 127 * 256 and a mean of -32,768 are 65,280 apart: 32,767, of which 65,535 / 2^10 count.
    assert [score for _, score in answered(model, *lessons)] == [32767, 32767]
    assert [state["v"] for state in after(model, *lessons)] == [[32767**2]] * 2
    # Beside an input that is its mean: half of 65,535.
    two = {"fc1_m": [-(1 << 29), 0], "fc1_v": [0, 0], "fc1_t": [0, 1 << 20, 0]}
    assert answered(statistics("s8", 2), ([127, 0], two))[0][1] == 23170


def test_a_quotient_is_rounded_down_and_a_small_variance_counts_as_256():
    model = statistics("s16")
    # 16^2 / 256 is 1: the root of 2^14. 15^2 / 256 is 0, and 1,023 >> 10 too.
    # With a variance of 2^20 the divisor is 1,280 in all: 36^2 is above it, 35^2 is not.
    # 101^2 / 256 is 39, where 255 would make 40 of it.
    met = ((16, 0), (15, 1023), (36, 1 << 20), (35, 1 << 20), (101, 0))
    lessons = [([x], {"fc1_v": [v], "fc1_t": LEARNED}) for x, v in met]
    assert [score for _, score in answered(model, *lessons)] == [128, 0, 128, 0, 799]


def test_means_and_variances_go_half_up_by_the_bits_of_the_count():
    model = statistics("s16")

    def met(x: int, m: int, v: int, count: int) -> Lesson:
        return [x], {"fc1_m": [m], "fc1_v": [v], "fc1_t": [0, 1 << 20, count]}

    lessons = (
        met(100, 5, 7, 0),  # the first sample is the mean
        met(1, 0, 3, 3),  # two bits: a quarter of the way
        met(1, 0, 3, 2),  # 1 - 3 is -2, a quarter of it -1/2: not gone
        met(1024, 0, 0, 1 << 29),  # ten bits, not more
    )
    moved = [(state["m"][0], state["v"][0]) for state in after(model, *lessons)]
    assert moved == [(100 << 14, 10_000), (1 << 12, 3), (1 << 12, 3), (1 << 14, 1 << 10)]


def test_a_threshold_is_rounded_half_up_and_saturates():
    model = reconstruction("s8", [[0]])
    states = ([0, 1 << 20, 0], [1 << 7, 1 << 20, 1], [(1 << 7) - 1, 1 << 20, 1])
    lessons = [([0], {"fc1_t": t}) for t in (*states, [1 << 23, 1 << 25, 1])]
    assert [threshold for threshold, _ in answered(model, *lessons)] == [32767, 1, 0, 32767]


def test_a_score_that_is_the_threshold_is_not_above_it():
    model = reconstruction("s8", [[0]])
    # The threshold is 256, as is the score of 1; that of 2 is 512.
    level = {"fc1_t": [1 << 16, 1 << 20, 4]}
    ratios = [state["t"][1] - (1 << 20) for state in after(model, ([1], level), ([2], level))]
    assert ratios == [-DOWN, UP]


def test_a_ratio_stops_at_both_ends():
    model = reconstruction("s8", [[0]])
    lessons = ([0], {"fc1_t": [1, 1 << 19, 4]}), ([127], {"fc1_t": [1, 1 << 25, 4]})
    assert [state["t"][1] for state in after(model, *lessons)] == [1 << 19, 1 << 25]


def test_a_level_goes_half_up_by_at_most_seven_bits_and_a_count_ends():
    model = reconstruction("s8", [[0]])
    states = ([5, 1 << 20, 0], [2, 1 << 20, 2], [0, 1 << 20, 1 << 30])
    lessons = [([x], {"fc1_t": t}) for x, t in zip((1, 0, 1), states, strict=True)]
    found = [(state["t"][0], state["t"][2]) for state in after(model, *lessons)]
    # The first score is the level; -2 / 4 is -1/2, which is not gone; seven bits, not more.
    assert found == [(256 * 256, 1), (2, 3), (256 * 256 >> 7, 1 << 30)]


@pytest.mark.parametrize("units", [0, 1])
def test_an_anomaly_teaches_nothing_nor_does_a_rate_of_0(units):
    model = reconstruction("s8", [[90, -90]]) if units else statistics("s8", 2)
    before, x = start(model), [90, 70]
    still = (before, x, ANOMALY), (start(model, rate=0), x, NORMAL)
    *unmoved, (moved, _) = steps_of(model, [*still, (before, x, NORMAL)])
    own = [name for name in before if "." in name]
    for state, _ in unmoved:
        assert all(state[name].tolist() == before[name].tolist() for name in own)
        assert int(state["step"]) == 1
    assert any(moved[name].tolist() != before[name].tolist() for name in own)


def test_errors_are_halves_of_the_outputs_and_biases_stay():
    model = reconstruction("s8", [[1, 0]])
    (layer,) = model.layers
    code = altered(layer.code, rate=Requantize(2**15, 15), update_shift=6)
    model = replace(model, layers=(replace(layer, code=code, back=Requantize(2**14, 30)),))
    # d = delta = -2 >> 1 = -1: a rest of -128 moves its weight by 2^7 / 2^6, one of -2 by 0 or 1.
    (moved,) = after(model, ([-2, -128], {}))
    assert moved["w"][1] == 2
    assert moved["w"][0] in (1, 2)
    assert moved["b"] == [0]
