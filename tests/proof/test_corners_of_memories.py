"""Corners of section 23 of docs/ARITHMETIC.md: memories, run by reference and C."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.proof.bench import AS_IT_IS, start, steps_of
from tests.support.models import random_model
from tests.support.parts import altered
from tpsgd_edge.quantize.memories import MEAN_BITS, QuantizedMemory
from tpsgd_edge.quantize.memory import cosines_of, sum_shift_of
from tpsgd_edge.quantize.model import DTYPES, QuantizedModel, Requantize, StoredInit
from tpsgd_edge.reference import Reference

ENDS = [("s8", -128, 127), ("s16", -32768, 32767)]


def memory(value_type: str, name: str, channels: int, length: int, **numbers: Any) -> Any:
    """A memory that hands on what it keeps, in the units of its input, but for `numbers`."""
    leaks, sums = numbers.pop("leak_shifts", ()), numbers.pop("cosines", 0)
    is_float, count = value_type == "f32", channels * (len(leaks) or sums)
    bits = MEAN_BITS[value_type] if leaks else 14
    shift = sum_shift_of(length, value_type) if sums and not is_float else 0
    return replace(
        QuantizedMemory(
            name=name,
            x_shape=(1, 1, channels),
            reads_map=False,
            length=length,
            leak_shifts=leaks,
            cosines=cosines_of(sums, length, value_type),
            sum_shift=shift,
            mean_bits=MEAN_BITS[value_type] if leaks else 0,
            differences=False,
            every=1,
            mids=(0.0 if is_float else 0,) * count,
            factors=() if is_float else (Requantize(2**14, 14 + bits - shift),) * count,
            gains=(1.0,) * count if is_float else (),
            x_type=value_type,
            x_scale=1.0,
            y_scale=1.0,
        ),
        **numbers,
    )


def remembering(value_type: str, length: int, *memories: dict[str, Any]) -> QuantizedModel:
    """Memories one behind the other, of one channel, and a dense layer that copies the last one.

    So each number that the last memory hands on shows in the answer.
    """
    layers, channels = [], 1
    for index, numbers in enumerate(memories):
        layers.append(memory(value_type, f"m{index}", channels, length, **numbers))
        length, channels = 1 + (length - 1) // layers[-1].every, layers[-1].y_count
    model = random_model(
        np.random.default_rng(6),
        value_type=value_type,
        label_kind="vector",
        label_count=channels,
        n_in=channels,
        hidden=[],
        activations=["linear"],
        losses=["l2"],
        weight_types=["f32" if value_type == "f32" else "s16"],
        stored_weights=True,
        gate=False,
    )
    (last,) = model.layers
    eye = np.eye(channels, dtype=DTYPES[last.weight_type])
    init = StoredInit(eye, np.zeros(channels, DTYPES[last.bias_type]))
    factor = {} if value_type == "f32" else {"z": AS_IT_IS}
    layers.append(altered(last, init=init, **factor))
    return replace(model, layers=tuple(layers), steps=layers[0].length)


def made(model: QuantizedModel, x: list[Any]) -> list[Any]:
    """What the last memory makes of a sequence, which reference and C agree on."""
    ((_, answer),) = steps_of(model, [(start(model), x, [0] * model.labels.count)])
    outputs = Reference(model).layer_outputs(np.array(x, DTYPES[model.value_type]))
    assert answer.tolist() == outputs[len(model.walk) - 1].tolist()
    return list(answer.tolist())


@pytest.mark.parametrize(("value_type", "low", "high"), ENDS)
def test_a_mean_goes_half_up_and_reaches_both_ends(value_type, low, high):
    at_once = {"leak_shifts": (0,)}
    assert made(remembering(value_type, 2, at_once), [low, high]) == [high]
    assert made(remembering(value_type, 2, at_once), [high, low]) == [low]
    # Half of 1 and of -1 are 0.5 and -0.5: both go up.
    half = {"leak_shifts": (1,)}
    assert made(remembering(value_type, 1, half), [1]) == [1]
    assert made(remembering(value_type, 1, half), [-1]) == [0]


@pytest.mark.parametrize("value_type", ["s8", "s16"])
def test_a_way_of_less_than_half_a_unit_of_the_state_is_not_gone(value_type):
    # 2^-15 of the way: 1 in units of the state is 2^mean_bits, of which that is 2 or 1/2.
    units = Requantize(2**15, 15)
    model = remembering(value_type, 2, {"leak_shifts": (15,), "factors": (units,)})
    assert made(model, [0, 1]) == [2 if value_type == "s8" else 1]
    assert made(model, [0, -1]) == [-2 if value_type == "s8" else 0]


@pytest.mark.parametrize(("value_type", "low", "high"), ENDS)
def test_differences_of_neighbouring_means_saturate(value_type, low, high):
    model = remembering(value_type, 2, {"leak_shifts": (0, 15), "differences": True})
    assert made(model, [low, high])[0] == high
    assert made(model, [high, low])[0] == low
    steady = remembering(value_type, 2, {"leak_shifts": (0, 0), "differences": True})
    assert made(steady, [low, high]) == [0, high]


@pytest.mark.parametrize(("value_type", "low", "high"), ENDS)
def test_cosine_sums_fill_their_room_and_are_rounded(value_type, low, high):
    mean = Requantize(2**14, 14 + 14)
    model = remembering(value_type, 4, {"cosines": 1, "factors": (mean,)})
    shift = model.layers[0].sum_shift
    one = replace(model.layers[0], factors=(Requantize(2**14, 14 + 14 - shift + 2),))
    assert made(replace(model, layers=(one, *model.layers[1:])), [low] * 4) == [low]
    assert made(replace(model, layers=(one, *model.layers[1:])), [high] * 4) == [high]
    # The cosine of 45 degrees, 0.70711: 1 * that, plus and minus.
    table = remembering(value_type, 2, {"cosines": 2})
    assert made(table, [1, 0]) == [1, 1]
    assert made(table, [0, 1]) == [1, -1]


def test_a_product_with_a_cosine_is_rounded_half_up():
    """Four steps shift by one; the first cosine of k = 1 is 15137: 7568.5, and -7568.5."""
    model = remembering("s16", 4, {"cosines": 2, "factors": (AS_IT_IS,) * 2})
    assert made(model, [1, 0, 0, 0]) == [8192, 7569]
    assert made(model, [-1, 0, 0, 0]) == [-8192, -7568]


@pytest.mark.parametrize(("value_type", "low", "high"), ENDS)
def test_values_are_measured_from_their_middle_and_saturate(value_type, low, high):
    bits = MEAN_BITS[value_type]
    whole = (Requantize(2**14, 14 + bits),)
    for mid, x, y in ((3 << bits, 5, 2), (2**30, high, low), (-(2**30), low, high)):
        numbers = {"leak_shifts": (0,), "mids": (mid,), "factors": whole}
        assert made(remembering(value_type, 1, numbers), [x]) == [y]
    never = {"leak_shifts": (0,), "mids": (2**30,), "factors": (Requantize(0, 1),)}
    assert made(remembering(value_type, 1, never), [high]) == [0]


def test_values_of_f32_stop_at_both_ends():
    big = 2.0**20
    model = remembering("f32", 3, {"cosines": 1})
    assert made(model, [big, big, big]) == [big]
    assert made(model, [-big, -big, -big]) == [-big]
    assert made(model, [0.5, 0.25, 2.0]) == [2.75]


@pytest.mark.parametrize(("length", "every"), [(5, 2), (6, 4), (3, 9), (8, 8)])
def test_a_second_memory_sees_the_steps_at_which_the_first_hands_on(length, every):
    first = {"leak_shifts": (0,), "every": every}
    second = {"cosines": 1}
    model = remembering("s16", length, first, second)
    x = [2**step for step in range(length)]
    seen = [2**step for step in range(length) if (length - 1 - step) % every == 0]
    assert model.layers[1].length == len(seen)
    assert made(model, x) == [sum(seen)]
