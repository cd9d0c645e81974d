"""Verdicts: the first value that differs, in words."""

import zlib

import numpy as np
import pytest

from tpsgd_edge.errors import DataError
from tpsgd_edge.trace import Trace
from tpsgd_edge.verdict import ValueDifference, compare

TENSORS = ("fc2.w", "fc2.b", "rng", "step", "output")


def make_trace(steps: int = 17, change: dict | None = None, *, with_finals: bool = True) -> Trace:
    """A trace of made-up tensors; `change` maps (step from 1, tensor) to {flat index: value}."""
    digests, final = np.zeros((steps, len(TENSORS)), np.uint32), {}
    for step in range(steps):
        final = {
            "fc2.w": np.arange(48, dtype=np.int16).reshape(4, 12) - 81 - step,
            "fc2.b": np.full(4, step, np.int32),
            "rng": np.array(99 + step, np.uint32),
            "step": np.array(step + 1, np.uint32),
            "output": np.full(4, 5 * step, np.int16),
        }
        for (when, name), entries in (change or {}).items():
            for index, value in entries.items():
                if when <= step + 1:
                    final[name].flat[index] = value
        digests[step] = [zlib.crc32(final[name].tobytes()) for name in TENSORS]
    return Trace(TENSORS, digests, final if with_finals else {})


def test_equal_traces_are_equal():
    verdict = compare(make_trace(1000), make_trace(1000))
    assert (verdict.verdict, verdict.steps, verdict.step) == ("equal", 1000, None)
    assert verdict.describe() == "equal: 1,000 steps, every tensor and answer bit for bit"


def test_one_step_is_singular():
    assert compare(make_trace(1), make_trace(1)).describe().startswith("equal: 1 step, ")


def test_the_first_difference_is_named_with_its_values():
    wrong = {(17, "fc2.w"): {47: -41, 46: 9}, (17, "fc2.b"): {0: 3}}
    verdict = compare(make_trace(17), make_trace(17, wrong))
    assert verdict.verdict == "mismatch"
    assert (verdict.step, verdict.tensor) == (17, "fc2.w")
    assert verdict.value == ValueDifference((3, 10), -51, 9, 2)
    assert verdict.describe() == (
        "mismatch: step 17, layer 'fc2', tensor 'w', index [3][10]: reference -51, device 9\n"
        "  first difference of 2 in this tensor; 16 earlier steps agree"
    )


def test_the_first_step_that_differs_wins_over_later_ones():
    wrong = {(5, "fc2.b"): {1: 77}, (3, "fc2.w"): {0: 1}}
    verdict = compare(make_trace(9), make_trace(9, wrong))
    assert (verdict.steps, verdict.step, verdict.tensor, verdict.value) == (9, 3, "fc2.w", None)
    assert verdict.describe() == (
        "mismatch: step 3, layer 'fc2', tensor 'w'\n  2 earlier steps agree"
    )


def test_the_output_is_named_before_what_follows_from_it():
    wrong = {(2, "fc2.w"): {0: 1}, (2, "output"): {3: 6}}
    verdict = compare(make_trace(2), make_trace(2, wrong))
    assert verdict.tensor == "output"
    assert verdict.describe() == (
        "mismatch: step 2, tensor 'output', index [3]: reference 5, device 6\n"
        "  only difference in this tensor; 1 earlier step agrees"
    )


def test_a_single_value_has_no_index():
    verdict = compare(make_trace(1), make_trace(1, {(1, "rng"): {0: 7}}))
    assert verdict.describe() == (
        "mismatch: step 1, tensor 'rng': reference 99, device 7\n"
        "  only difference in this tensor; 0 earlier steps agree"
    )


def test_without_tensors_the_place_is_named_all_the_same():
    wrong = make_trace(4, {(4, "fc2.b"): {0: 9}}, with_finals=False)
    verdict = compare(make_trace(4), wrong)
    assert (verdict.step, verdict.tensor, verdict.value) == (4, "fc2.b", None)


@pytest.mark.parametrize(("expected", "actual"), [(5, 3), (3, 5), (3, 0)])
def test_traces_of_different_lengths_never_agree(expected, actual):
    verdict = compare(make_trace(expected), make_trace(actual))
    common = min(expected, actual)
    assert (verdict.verdict, verdict.steps) == ("mismatch", common)
    assert (verdict.step, verdict.tensor) == (common + 1, None)
    assert f"reference has {expected} steps, device {actual}\n" in verdict.describe()


def test_a_difference_within_the_common_steps_comes_first():
    verdict = compare(make_trace(5), make_trace(4, {(2, "fc2.b"): {0: 9}}))
    assert (verdict.step, verdict.tensor, verdict.value) == (2, "fc2.b", None)


def test_tensors_that_differ_under_equal_digests_are_found():
    expected, actual = make_trace(3), make_trace(3)
    actual.final["fc2.b"][2] = 1000
    verdict = compare(expected, actual)
    assert (verdict.verdict, verdict.step, verdict.tensor) == ("mismatch", 3, "fc2.b")
    assert verdict.value == ValueDifference((2,), 2, 1000, 1)


def test_floats_are_compared_by_their_bits():
    digests = np.zeros((1, 1), np.uint32)
    final = np.array([[np.nan, 0.0]], np.float32)
    same = Trace(("output",), digests, {"output": final.copy()})
    assert compare(Trace(("output",), digests, {"output": final}), same).verdict == "equal"
    same.final["output"][0, 1] = -0.0
    verdict = compare(Trace(("output",), digests, {"output": final}), same)
    assert verdict.value == ValueDifference((0, 1), 0.0, -0.0, 1)
    assert "reference 0.0, device -0.0" in verdict.describe()


def test_traces_of_different_models_are_refused():
    other = Trace(("output",), np.zeros((1, 1), np.uint32), {})
    with pytest.raises(DataError, match="not of the same model"):
        compare(make_trace(1), other)
