"""Memories in the reference, by hand (docs/ARITHMETIC.md, section 23)."""

import numpy as np
import pytest

from tpsgd_edge.quantize.memories import MEAN_BITS, QuantizedMemory
from tpsgd_edge.quantize.memory import cosines_of, sum_shift_of
from tpsgd_edge.quantize.model import Requantize
from tpsgd_edge.reference.binary32.memory import Binary32Memory
from tpsgd_edge.reference.integer.memory import IntegerMemory


def memory(
    value_type: str,
    *,
    leaks: tuple[int, ...] = (),
    cosines: int = 0,
    length: int = 4,
    channels: int = 1,
    differences: bool = False,
    every: int = 1,
    mids: tuple[float, ...] = (),
    factor: Requantize | None = None,
    reads_map: bool = False,
) -> QuantizedMemory:
    is_float = value_type == "f32"
    count = channels * (len(leaks) or cosines)
    factor = factor or Requantize(2**14, 14 + MEAN_BITS[value_type])
    return QuantizedMemory(
        name="m",
        x_shape=(1, length if reads_map else 1, channels),
        reads_map=reads_map,
        length=length,
        leak_shifts=leaks,
        cosines=cosines_of(cosines, length, value_type),
        sum_shift=sum_shift_of(length, value_type) if cosines and not is_float else 0,
        mean_bits=MEAN_BITS[value_type] if leaks else 0,
        differences=differences,
        every=every,
        mids=mids or (0,) * count,
        factors=() if is_float else (factor,) * count,
        gains=(1.0,) * count if is_float else (),
        x_type=value_type,
        x_scale=1.0,
        y_scale=1.0,
    )


def fed(layer: QuantizedMemory, *inputs: tuple[float, ...]) -> list[list[float]]:
    """What it hands on after each input."""
    real = layer.x_type == "f32"
    made = (Binary32Memory if real else IntegerMemory).from_quantized(layer)
    dtype = np.float32 if real else np.int64
    return [made.forward(np.array(x, dtype)).tolist() for x in inputs]


def test_leaky_means_go_their_part_of_the_way_and_are_handed_on_as_differences():
    layer = memory("s8", leaks=(0, 1), differences=True)
    # In units of 2^-16: 655,360 and half of it; then -1,310,720, and half of the way there, which
    # leaves -491,520. Of the difference, -12.5, and of the mean, -7.5, halves go up.
    assert fed(layer, (10,), (-20,)) == [[5, 5], [-12, -7]]
    assert fed(memory("s8", leaks=(0, 1)), (10,), (-20,)) == [[10, 5], [-20, -7]]
    real = memory("f32", leaks=(0, 1), differences=True)
    assert fed(real, (10,), (-20,)) == [[5, 5], [-12.5, -7.5]]


def test_a_mean_of_s16_has_14_bits_below_its_input():
    layer = memory("s16", leaks=(15,), length=9)
    # A 32,768th of the way to 32,767 * 2^14 is 16,383.5, which goes up: a unit.
    assert fed(layer, (32767,)) == [[1]]
    made = IntegerMemory.from_quantized(layer)
    made.forward(np.array([32767]))
    assert made.state.tolist() == [[16384]]


def test_cosine_sums_end_with_their_sequence():
    layer = memory("s8", cosines=2, length=2, factor=Requantize(2**14, 14 + 14))
    # 100 * (1, cos 45) and 50 * (1, -cos 45): 150 saturates, 35.35 does not.
    assert fed(layer, (100,), (50,), (-99,)) == [[100, 71], [127, 35], [127, 35]]
    assert layer.cosines.tolist() == [[16384, 11585], [16384, -11585]]
    real = memory("f32", cosines=2, length=2)
    (_, second, third) = fed(real, (100,), (50,), (-99,))
    assert second == third
    assert second == pytest.approx([150, 50 * 2**-0.5], rel=1e-6)


def test_products_with_cosines_lose_what_a_sum_has_no_room_for():
    layer = memory("s16", cosines=1, length=3)
    assert layer.sum_shift == 1
    made = IntegerMemory.from_quantized(layer)
    for _ in range(3):
        made.forward(np.array([-32768]))
    assert made.state.tolist() == [[-3 * 2**28]]
    assert layer.largest_state >= 3 * 2**28


@pytest.mark.parametrize(("length", "every"), [(5, 2), (6, 4), (3, 9), (8, 8), (7, 1)])
def test_it_hands_on_at_steps_counted_back_from_the_last_and_goes_on_beyond_it(length, every):
    made = IntegerMemory.from_quantized(memory("s8", leaks=(0,), length=length, every=every))
    due = []
    for step in range(3 * length):
        made.forward(np.array([1]))
        due += [step] if made.is_due else []
    assert due == [step for step in range(3 * length) if (length - 1 - step) % every == 0]
    assert length - 1 in due


def test_values_are_measured_from_their_middle():
    factor = Requantize(2**15, 15 + 16)
    layer = memory("s8", leaks=(0, 0), mids=(3 * 2**16, -(2**30)), factor=factor)
    assert fed(layer, (10,), (-128,)) == [[7, 127], [-128, 127]]
    assert fed(memory("f32", leaks=(0,), mids=(3.0,)), (10,)) == [[7]]


def test_a_value_that_never_changes_is_0():
    layer = memory("s8", leaks=(0,), mids=(2**30,), factor=Requantize(0, 1))
    assert fed(layer, (127,), (-128,)) == [[0], [0]]


def test_real_values_stay_where_f32_is_proved():
    layer = memory("f32", cosines=1, length=3)
    assert fed(layer, (2.0**20,), (2.0**20,)) == [[2.0**20], [2.0**20]]


def test_values_of_a_channel_stand_together_and_a_map_is_read_at_once():
    inputs = [(1, 10), (2, 20), (3, 30)]
    walking = memory("s8", leaks=(0, 1), length=3, channels=2)
    at_once = memory("s8", leaks=(0, 1), length=3, channels=2, reads_map=True)
    last = fed(walking, *inputs)[-1]
    assert (last[0], last[2]) == (3, 30)
    made = IntegerMemory.from_quantized(at_once)
    for _ in range(2):  # It begins anew with each map.
        assert made.forward(np.array(inputs).ravel()).tolist() == last
