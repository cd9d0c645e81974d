"""The rounding and saturating operations on concrete numbers, and their properties."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpsgd_edge.arithmetic.ops import clip, random_round, rshift_round, sat_s8, sat_s16, widen

S40 = st.integers(-(2**40), 2**40)
U32 = st.integers(0, 2**32 - 1)


def array(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def test_rshift_round_rounds_ties_towards_plus_infinity():
    v = array(-24, -23, -9, -8, -7, 7, 8, 9, 23, 24)
    assert rshift_round(v, 4).tolist() == [-1, -1, -1, 0, 0, 0, 1, 1, 1, 2]


def test_rshift_round_by_zero_changes_nothing():
    assert rshift_round(array(-5, 0, 7), 0).tolist() == [-5, 0, 7]


def test_rshift_round_holds_at_the_ends_of_its_range():
    big = 2**62 - 1
    assert rshift_round(array(-big, big), 62).tolist() == [-1, 1]
    assert rshift_round(array(-big, big), 1).tolist() == [-(2**61) + 1, 2**61]


@given(S40, st.integers(0, 40))
def test_rshift_round_is_floor_of_the_quotient_plus_a_half(v, s):
    exact = math.floor(Fraction(v, 2**s) + Fraction(1, 2))
    assert rshift_round(array(v), s).item() == exact


@pytest.mark.parametrize(
    ("saturate", "low", "high"), [(sat_s8, -128, 127), (sat_s16, -32768, 32767)]
)
def test_saturation_stops_at_the_ends_of_the_type(saturate, low, high):
    v = array(low - 1, low, low + 1, 0, high - 1, high, high + 1)
    assert saturate(v).tolist() == [low, low, low + 1, 0, high - 1, high, high]


@given(S40, st.integers(-1000, 0), st.integers(0, 1000))
def test_clip_stays_within_its_bounds_and_leaves_the_rest_alone(v, lo, hi):
    clipped = clip(array(v), lo, hi).item()
    assert lo <= clipped <= hi
    assert clipped == v or (clipped == lo and v < lo) or (clipped == hi and v > hi)


@pytest.mark.parametrize(
    ("v", "s", "r", "expected"),
    [
        (5, 2, 0x00000000, 1),
        (5, 2, 0xBFFFFFFF, 1),
        (5, 2, 0xC0000000, 2),
        (-5, 2, 0x00000000, -2),
        (-5, 2, 0x40000000, -1),
        (0, 8, 0xFFFFFFFF, 0),
        (-1, 30, 0x00000000, -1),
        (-1, 30, 0x00000004, 0),
    ],
)
def test_random_round_on_numbers_worked_out_by_hand(v, s, r, expected):
    assert random_round(array(v), s, np.array([r], np.uint32)).item() == expected


@given(st.integers(-(2**31), 2**31), st.integers(1, 12))
def test_random_round_is_unbiased(v, s):
    # One word for each value of the s bits that count: the mean is exact.
    words = (np.arange(2**s, dtype=np.uint32)) << np.uint32(32 - s)
    rounded = random_round(np.full(2**s, v, np.int64), s, words)
    assert int(rounded.sum()) == v


@given(S40, st.integers(1, 30), U32)
def test_random_round_ends_beside_the_quotient(v, s, r):
    rounded = random_round(array(v), s, np.array([r], np.uint32)).item()
    assert abs(Fraction(v, 2**s) - rounded) < 1


@given(st.integers(1, 30), U32)
def test_random_round_keeps_whole_multiples(s, r):
    assert random_round(array(-3 << s, 7 << s), s, np.array([r, r], np.uint32)).tolist() == [-3, 7]


def test_widen_copies_and_leaves_no_narrow_product():
    narrow = np.array([-128, 127], np.int8)
    wide = widen(narrow)
    assert wide.dtype == np.int64
    assert (wide * wide).tolist() == [16384, 16129]
