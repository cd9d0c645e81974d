"""Corners of section 30 of docs/ARITHMETIC.md: groups that are flat, loud or of one value."""

import numpy as np
import pytest

from tests.proof.bench import start, steps_of
from tests.support.norms import normalizing
from tpsgd_edge.reference import Reference

ENDS = {"s8": (-128, 127), "s16": (-32768, 32767)}


def outputs(model, *samples):
    """Outputs of the norm for samples of which device and reference learn, one after the other."""
    steps_of(model, [(start(model), x, 0) for x in samples])
    type_ = np.float32 if model.value_type == "f32" else np.int64
    return [Reference(model)._layers[0].forward(np.asarray(x, type_)).tolist() for x in samples]


@pytest.mark.parametrize("value_type", ["s8", "s16"])
def test_a_flat_group_becomes_zero(value_type):
    low, high = ENDS[value_type]
    found = outputs(normalizing(value_type, (1, 2, 6)), [low] * 12, [high] * 12, [0] * 12)
    assert found == [[0] * 12] * 3


@pytest.mark.parametrize("value_type", ["s8", "s16"])
def test_a_group_at_both_ends_has_one_deviation(value_type):
    low, high = ENDS[value_type]
    unit = {"s8": 32, "s16": 8192}[value_type]
    ((first, *_),) = outputs(normalizing(value_type, (1, 1, 6)), [high, low] * 3)
    assert abs(first - unit) <= 1


@pytest.mark.parametrize("value_type", ["s8", "s16"])
def test_what_stands_out_of_many_is_limited(value_type):
    low, high = ENDS[value_type]
    shape = (1, 1, 200)
    up, down = outputs(normalizing(value_type, shape), [high] + [0] * 199, [low] + [0] * 199)
    assert (up[0], down[0]) == (high, low)


def test_the_smallest_power_and_the_largest_epsilon():
    found = outputs(normalizing("s16", (1, 1, 2), centered=False), [1, 0], [0, 0])
    # 1 over the root of (1 + 1 of epsilon / 4) / 2, in units of 2^-13.
    assert abs(found[0][0] - 8192 * 2 / np.sqrt(3)) <= 1
    assert found[1] == [0, 0]
    loud = outputs(normalizing("s16", (1, 1, 2), epsilon=2**62), [32767, -32768])
    assert loud == [[0, 0]]


@pytest.mark.parametrize("centered", [True, False])
def test_halves_are_rounded_up(centered):
    rng = np.random.default_rng(2)
    for value_type, (low, high) in ENDS.items():
        model = normalizing(value_type, (2, 2, 3), centered=centered)
        outputs(model, *rng.integers(low, high, (20, 12), endpoint=True))


def test_f32_at_the_ends_of_its_range():
    model = normalizing("f32", (1, 2, 3))
    loud = [2.0**20, -(2.0**20), 0, 1, 1, 1]
    (found, quiet) = outputs(model, loud, [0, 0, 0, 2.0**-20, 0, 0])
    np.testing.assert_allclose(found, [np.sqrt(1.5), -np.sqrt(1.5), 0, 0, 0, 0], atol=1e-6)
    assert abs(quiet[3]) < 1e-3
