"""Corners of section 20 of docs/ARITHMETIC.md: sums and concatenations, run by reference and C."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.proof.bench import start, steps_of
from tests.support.graphs import GraphPlan, JoinPlan, graph_plan
from tests.support.maps import pool_plan
from tests.support.models import random_model
from tests.support.parts import altered
from tpsgd_edge.quantize.joins import _mults, _part
from tpsgd_edge.quantize.model import DTYPES, QuantizedModel, Requantize
from tpsgd_edge.reference import Reference

F = np.float32


def joining(kind: str, count: int, value_type: str, **numbers: Any) -> QuantizedModel:
    """A net that joins the sample and what a pool with windows of one place makes of it.

    Args:
        count: entries of the sample.
        numbers: of the layer that joins.
    """
    shape = (1, 1, count)
    wide = count if kind == "add" else 2 * count
    plan: GraphPlan = graph_plan(
        [
            (pool_plan(shape, "max", (1, 1)), ("x",)),
            (JoinPlan(kind, (shape, shape)), ("x", "pool1")),  # type: ignore[arg-type]
            ((wide, 2), (f"{kind}2",)),
        ]
    )
    model = random_model(
        np.random.default_rng(6),
        value_type=value_type,
        label_kind="class",
        label_count=2,
        graph_plan=plan,
        stored_weights=True,
        gate=False,
    )
    pool, join, last = model.layers
    return replace(model, layers=(pool, altered(join, **numbers), last))


def made(model: QuantizedModel, x: list[Any]) -> list[Any]:
    """What the layer that joins makes of a sample, which reference and C agree on."""
    steps_of(model, [(start(model), x, 0)])
    outputs = Reference(model).layer_outputs(np.array(x, DTYPES[model.value_type]))
    return list(outputs[1].tolist())


@pytest.mark.parametrize(("value_type", "low", "high"), [("s8", -128, 127), ("s16", -32768, 32767)])
def test_a_sum_is_rounded_once_half_up_and_saturates(value_type, low, high):
    # One half and one quarter: each of them rounded by itself would give 3 for x = 3.
    numbers = {"mults": (2**14, 2**13), "shift": 15, "z_min": low, "z_max": high}
    model = joining("add", 6, value_type, **numbers)
    assert made(model, [1, -1, 2, -2, 3, high]) == [1, -1, 2, -1, 2, round(high * 0.75 + 0.01)]
    whole = joining("add", 3, value_type, **numbers | {"mults": (2**14, 2**14), "shift": 14})
    assert made(whole, [high, low, 1]) == [high, low, 2]


@pytest.mark.parametrize("value_type", ["s8", "s16"])
def test_a_sum_with_relu_ends_at_zero_and_with_relu6_at_six(value_type):
    numbers = {"mults": (2**14, 2**14), "shift": 14, "z_min": 0, "z_max": 48}
    assert made(joining("add", 4, value_type, **numbers), [-5, 5, 24, 25]) == [0, 10, 48, 48]


def test_sums_of_f32_stop_at_both_ends():
    big = 2.0**20
    linear = joining("add", 4, "f32", activation="linear")
    assert made(linear, [big, -big, 0.75, 524288.5]) == [big, -big, 1.5, big]
    relu = made(joining("add", 3, "f32", activation="relu"), [-1, -0.0, 3])
    assert relu == [0, 0, 6]
    assert not np.signbit(relu).any()
    relu6 = joining("add", 4, "f32", activation="relu6")
    assert made(relu6, [-3, 1, 3, 3.5]) == [0, 2, 6, 6]


@pytest.mark.parametrize(("value_type", "low", "high"), [("s8", -128, 127), ("s16", -32768, 32767)])
def test_a_concatenation_is_rounded_half_up_and_saturates(value_type, low, high):
    halves = (Requantize(2**14, 14), Requantize(2**14, 15))
    model = joining("concat", 5, value_type, parts=halves)
    x = [1, -1, 3, low, high]
    assert made(model, x) == [*x, 1, 0, 2, low // 2, (high + 1) // 2]
    # Twice as much is no factor of a builder's, but ends all the same.
    doubled = joining("concat", 2, value_type, parts=(halves[0], Requantize(2**15, 14)))
    assert made(doubled, [high, low]) == [high, low, high, low]


def test_a_concatenation_of_f32_keeps_each_bit():
    x = [0.1, -0.0, 3e-38]
    both = made(joining("concat", 3, "f32"), x)
    assert np.array(both, F).tobytes() == np.array([*x, *x], F).tobytes()


def test_factors_of_sums_and_concatenations_have_as_many_bits_as_fit():
    assert _mults("add1", [0.75, 0.25, 2.0**-30]) == ((24576, 8192, 0), 15)
    assert _mults("add1", [2.0**-40]) == ((0,), 30)
    assert _part(1.0) == Requantize(2**14, 14)
    assert _part(2.0**-16) == Requantize(2**14, 30)
    assert _part(2.0**-20) == Requantize(2**10, 30)
