"""Corners of section 20 of docs/ARITHMETIC.md: sums and concatenations, run by reference and C."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.proof.bench import AS_IT_IS, start, steps_of
from tests.support.graphs import GraphPlan, JoinPlan, graph_plan
from tests.support.maps import pool_plan
from tests.support.models import random_model
from tests.support.parts import altered
from tpsgd_edge.errors import SpecError
from tpsgd_edge.graph import Add, Concat
from tpsgd_edge.quantize.joins import _mults, _part, quantize_add, quantize_concat
from tpsgd_edge.quantize.model import DTYPES, QuantizedModel, Requantize, StoredInit
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
            ((wide, wide), (f"{kind}2",)),
        ]
    )
    pool, join, last = (model := copied(plan, wide, value_type)).layers
    return replace(model, layers=(pool, altered(join, **numbers), last))


def copied(plan: GraphPlan, n_out: int, value_type: str) -> QuantizedModel:
    """The model of a plan; its last layer copies what it reads, so that the answer shows it."""
    dense = sum(isinstance(layer, tuple) for layer in plan.layers)
    model = random_model(
        np.random.default_rng(6),
        value_type=value_type,
        label_kind="vector",
        label_count=n_out,
        graph_plan=plan,
        activations=["linear"] * dense,
        losses=["l2"] * dense,
        weight_types=["f32" if value_type == "f32" else "s16"] * dense,
        projection="sign",
        storage="seed",
        stored_weights=True,
        gate=False,
    )
    *before, last = model.layers
    init = StoredInit(
        np.eye(n_out, dtype=DTYPES[last.weight_type]), np.zeros(n_out, DTYPES[last.bias_type])
    )
    factor = {} if value_type == "f32" else {"z": AS_IT_IS}
    last = altered(last, init=init, **factor)
    return replace(model, layers=(*before, last))


def made(model: QuantizedModel, x: list[Any], place: int = 1) -> list[Any]:
    """What the layer that joins makes of a sample, which reference and C agree on.

    Args:
        place: of the layer.
    """
    ((_, answer),) = steps_of(model, [(start(model), x, [0] * model.labels.count)])
    outputs = Reference(model).layer_outputs(np.array(x, DTYPES[model.value_type]))
    assert answer.tolist() == outputs[place].tolist()
    return list(answer.tolist())


@pytest.mark.parametrize(("value_type", "low", "high"), [("s8", -128, 127), ("s16", -32768, 32767)])
def test_a_sum_is_rounded_once_half_up_and_saturates(value_type, low, high):
    # One half and one quarter: each of them rounded by itself would give 3 for x = 3.
    numbers = {"mults": (2**14, 2**13), "shift": 15, "z_min": low, "z_max": high}
    model = joining("add", 6, value_type, **numbers)
    assert made(model, [1, -1, 2, -2, 3, high]) == [1, -1, 2, -1, 2, round(high * 0.75 + 0.01)]
    whole = joining("add", 3, value_type, **numbers | {"mults": (2**14, 2**14), "shift": 14})
    assert made(whole, [high, low, 1]) == [high, low, 2]


@pytest.mark.parametrize(("value_type", "low", "high"), [("s8", -128, 127), ("s16", -32768, 32767)])
def test_a_sum_holds_64_values_at_their_ends(value_type, low, high):
    """64 * 2^15 * 2^15 is 2^36: the page's bound, beyond 32 bits."""
    shape, pools = (1, 1, 4), [f"pool{i + 1}" for i in range(63)]
    plan = graph_plan(
        [
            *[(pool_plan(shape, "max", (1, 1)), ("x",)) for _ in pools],
            (JoinPlan("add", (shape,) * 64), ("x", *pools)),
            ((4, 4), ("add64",)),
        ]
    )
    model = copied(plan, 4, value_type)
    *before, join, last = model.layers
    # 2^21 or 2^20 of a unit each: 64 of them are the value, or half of it.
    for shift, ends in ((21, (low, high)), (22, (low // 2, (high + 1) // 2))):
        numbers = {"mults": (2**15,) * 64, "shift": shift, "z_min": low, "z_max": high}
        whole = replace(model, layers=(*before, altered(join, **numbers), last))
        x = [low, high, -1, 3]
        assert made(whole, x, 63) == [*ends, -1 if shift == 21 else 0, 3 if shift == 21 else 2]


@pytest.mark.parametrize("value_type", ["s8", "s16"])
def test_a_sum_with_relu_ends_at_zero_and_with_relu6_at_six(value_type):
    numbers = {"mults": (2**14, 2**14), "shift": 14, "z_min": 0, "z_max": 48}
    assert made(joining("add", 4, value_type, **numbers), [-5, 5, 24, 25]) == [0, 10, 48, 48]


def test_sums_of_f32_stop_at_both_ends():
    big = 2.0**20
    linear = joining("add", 4, "f32", activation="linear")
    assert made(linear, [big, -big, 0.75, 524288.5]) == [big, -big, 1.5, big]
    assert made(joining("add", 3, "f32", activation="relu"), [-1, -0.0, 3]) == [0, 0, 6]
    relu6 = joining("add", 4, "f32", activation="relu6")
    assert made(relu6, [-3, 1, 3, 3.5]) == [0, 2, 6, 6]


def test_sums_of_f32_are_made_in_the_order_of_their_values():
    """Three values of unlike sizes: another order rounds to another number."""
    shape = (1, 1, 8)
    plan = graph_plan(
        [
            ((8, 8), ("x",)),
            ((8, 8), ("x",)),
            (JoinPlan("add", (shape,) * 3), ("x", "fc1", "fc2")),
            ((8, 8), ("add3",)),
        ]
    )
    first, second, join, last = (model := copied(plan, 8, "f32")).layers
    join = replace(join, activation="linear")
    model = replace(model, layers=(first, second, join, last))
    rng = np.random.default_rng(7)
    samples = (rng.normal(size=(20, 8)) * 2.0 ** rng.integers(-3, 4, (20, 8))).astype(F)
    answers = steps_of(model, [(start(model), x, [0] * 8) for x in samples])
    differ = 0
    for x, (_, y) in zip(samples, answers, strict=True):
        a, b, *_ = Reference(model).layer_outputs(x)
        assert y.tobytes() == ((x + a) + b).tobytes()
        differ += int((y != (x + b) + a).sum())
    assert differ > 20


@pytest.mark.parametrize(("value_type", "low", "high"), [("s8", -128, 127), ("s16", -32768, 32767)])
def test_a_concatenation_is_rounded_half_up_and_saturates(value_type, low, high):
    halves = (Requantize(2**14, 14), Requantize(2**14, 15))
    model = joining("concat", 5, value_type, parts=halves)
    x = [1, -1, 3, low, high]
    assert made(model, x) == [*x, 1, 0, 2, low // 2, (high + 1) // 2]
    # Twice as much is no factor of a builder's, but ends all the same.
    doubled = joining("concat", 2, value_type, parts=(halves[0], Requantize(2**15, 14)))
    assert made(doubled, [high, low]) == [high, low, high, low]


@pytest.mark.parametrize("value_type", ["s8", "s16", "f32"])
def test_channels_stand_side_by_side_at_each_place_of_a_map(value_type):
    """Maps of 3 x 2 places, with four, two and two channels."""
    small, wide = (3, 2, 2), (3, 2, 4)
    plan = graph_plan(
        [
            (pool_plan(small, "max", (1, 1)), ("x",)),
            (JoinPlan("concat", (small, small)), ("x", "pool1")),
            (pool_plan(small, "max", (1, 1)), ("x",)),
            (JoinPlan("concat", (wide, small, small)), ("concat2", "pool3", "x")),
            ((48, 48), ("concat4",)),
        ]
    )
    model = copied(plan, 48, value_type)
    one, half = Requantize(2**14, 14), Requantize(2**14, 15)
    numbers = {"concat2": (one, one), "concat4": (one, half, one)}
    layers = [
        replace(layer, parts=numbers[layer.name]) if layer.name in numbers else layer
        for layer in model.layers
    ]
    x = 2 * np.arange(1, 13)
    places = x.reshape(6, 2)
    middle = places if value_type == "f32" else places // 2
    expected = np.concatenate([places, places, middle, places], axis=1).ravel()
    whole = replace(model, layers=tuple(layers))
    assert made(whole, x.tolist(), 3) == expected.tolist()


def test_a_concatenation_of_f32_keeps_each_bit():
    x = [0.1, -7.0, 3e-38]
    both = made(joining("concat", 3, "f32"), x)
    assert np.array(both, F).tobytes() == np.array([*x, *x], F).tobytes()


@pytest.mark.parametrize(
    ("kind", "activation", "is_negative"),
    [("concat", None, True), ("add", "linear", True), ("add", "relu", False)],
)
def test_of_two_zeros_in_f32_the_right_one_is_handed_on(kind, activation, is_negative):
    """A weight of -0.0 shows it: times the step it stays what it is, and 0.0 makes it 0.0."""
    model = joining(kind, 2, "f32", **({"activation": activation} if activation else {}))
    state = start(model, fc3_w=-0.0)
    ((after, _),) = steps_of(model, [(state, [-0.0, -0.0], [1] * model.labels.count)])
    assert not after["fc3.w"].any()
    assert np.signbit(after["fc3.w"]).all() == np.signbit(after["fc3.w"]).any() == is_negative


def test_factors_of_sums_and_concatenations_have_as_many_bits_as_fit():
    assert _mults("add1", [0.25, 0.75, 2.0**-30]) == ((8192, 24576, 0), 15)
    assert _mults("add1", [2.0**-40]) == ((0,), 30)
    assert _mults("add1", [2.0**13, 1.0]) == ((2**14, 2), 1)
    assert _part(1.0) == Requantize(2**14, 14)
    assert _part(2.0**-16) == Requantize(2**14, 30)
    assert _part(2.0**-20) == Requantize(2**10, 30)
    # 0.7 * 2^15 is 22937.6.
    assert _mults("add1", [0.7]) == ((22938,), 15)
    assert _part(0.7) == Requantize(22938, 15)


def test_values_that_are_no_part_of_their_sum_are_refused():
    with pytest.raises(SpecError, match="cannot be expressed in units of their sum") as caught:
        _mults("add1", [1.0, 2.0**14])
    assert "a unit of the largest is 1.64e+04 units of the sum" in str(caught.value)


def test_factors_stand_for_the_units_of_the_values():
    shape = (1, 1, 3)
    # R of 64 is half a unit of s8: values in units of 1/4 and 1/8 count half and a quarter.
    added = quantize_add(Add("a", shape, 2), "s8", (0.25, 0.125), 64.0)
    assert (added.y_scale, added.numbers.mults, added.numbers.shift) == (0.5, (2**14, 2**13), 15)
    assert added.numbers.largest("s8") == 128 * (2**14 + 2**13)
    wide = quantize_add(Add("a", shape, 2), "s16", (2.0**-10, 2.0**-9), 64.0)
    assert (wide.y_scale, wide.numbers.largest("s16")) == (2.0**-9, 32768 * (2**14 + 2**13))
    joined = quantize_concat(Concat("c", (shape, shape)), "s8", (0.25, 0.5))
    assert joined.y_scale == 0.5
    assert joined.parts == (Requantize(2**14, 15), Requantize(2**14, 14))
