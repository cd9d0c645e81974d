"""Random models whose layers walk along a sequence with memories among them."""

from dataclasses import replace
from typing import Any

from tests.support.draws import Rng, choose, extreme, f32
from tests.support.sequences import MOST_STEPS
from tpsgd_edge.quantize.memories import MEAN_BITS, QuantizedMemory
from tpsgd_edge.quantize.memory import cosines_of, sum_shift_of
from tpsgd_edge.quantize.model import (
    QuantizedLayer,
    QuantizedModel,
    Requantize,
    ValueType,
)

_INPUT_BITS = {"s8": 7, "s16": 15}


def with_memories(rng: Rng, model: QuantizedModel) -> QuantizedModel:
    """The model with a memory before its first dense layer, and in some a second one behind it.

    The second one stands behind the first, or behind a dense layer that walks then, too.
    """
    first = len(model.recurrent)
    steps = model.steps if first else int(rng.integers(1, MOST_STEPS + 1))
    dense: Any = model.layers[first]
    states = 1 if first else choose(rng, [n for n in range(1, 17) if dense.n_in % n == 0])
    place = int(rng.integers(first, len(model.layers))) if rng.random() < 0.7 else None
    may_wait = place is not None and not model.labels.each_step
    memory = random_memory(
        rng, "mem1", model.value_type, (dense.n_in // states, states, steps), may_wait=may_wait
    )
    layers: list[QuantizedLayer] = [*model.layers[:first], memory, *model.layers[first:]]
    if place is not None:
        behind = layers[place + 1]
        steps_then = 1 + (steps - 1) // memory.every
        sizes = (behind.x_count if place > first else memory.y_count, 1, steps_then)
        second = random_memory(rng, "mem2", model.value_type, sizes, may_wait=False)
        layers.insert(place + 1, second)
    made = replace(model, layers=tuple(layers), steps=steps, learn_every=0)
    trains = any(la.trains for la in made.walk)
    every = int(rng.choice([0, 1, 2, memory.every])) if trains else 0
    return replace(made, learn_every=0 if model.labels.each_step else every)


def behind_a_map(rng: Rng, model: QuantizedModel) -> QuantizedModel:
    """The model, a convolution and dense layers, with a memory that reads all of the map between.

    A channel has as many states as the map has places, so the dense layer reads as many values.
    """
    first: Any = model.layers[0]
    rows, columns, channels = first.shape.y_shape
    places = rows * columns
    sizes = (channels, places, places)
    memory = random_memory(rng, "mem", model.value_type, sizes, may_wait=False, reads_map=True)
    return replace(model, layers=(first, memory, *model.layers[1:]))


def random_memory(
    rng: Rng,
    name: str,
    value_type: ValueType,
    sizes: tuple[int, int, int],
    *,
    may_wait: bool,
    reads_map: bool = False,
) -> QuantizedMemory:
    """A memory of any leaks or of cosines; mids, factors and leaks at their ends in some.

    Args:
        sizes: channels, states of each, and inputs of a sequence.
    """
    channels, states, length = sizes
    is_float, has_means = value_type == "f32", rng.random() < 0.6
    shifts = tuple(sorted(rng.integers(0, 16, states).tolist())) if has_means else ()
    shift = 0 if is_float or has_means else sum_shift_of(length, value_type)
    memory = QuantizedMemory(
        name=name,
        x_shape=(1, length if reads_map else 1, channels),
        reads_map=reads_map,
        length=length,
        leak_shifts=shifts,
        cosines=cosines_of(0 if has_means else states, length, value_type),
        sum_shift=shift,
        mean_bits=MEAN_BITS[value_type] if has_means else 0,
        differences=has_means and bool(rng.random() < 0.7),
        every=int(rng.integers(1, length + 3)) if may_wait else 1,
        mids=(),
        factors=(),
        gains=(),
        x_type=value_type,
        x_scale=1.0,
        y_scale=1.0,
    )
    return replace(memory, **_outputs(rng, memory))


def _outputs(rng: Rng, memory: QuantizedMemory) -> dict[str, Any]:
    count = memory.y_count
    if memory.x_type == "f32":
        mids = tuple(f32(value) for value in rng.normal(size=count))
        gains = tuple(f32(v) for v in rng.normal(size=count) * 2.0 ** rng.integers(-3, 4))
        return {"mids": mids, "gains": gains}
    bits = memory.largest_state.bit_length()
    far = rng.random() < 0.2
    mids = tuple(
        extreme(rng, -(2**30), 2**30) if far else int(rng.normal() * 2.0 ** (bits - 3))
        for _ in range(count)
    )
    middle = bits + 14 - _INPUT_BITS[memory.x_type]
    return {"mids": mids, "factors": tuple(_factor(rng, middle) for _ in range(count))}


def _factor(rng: Rng, middle: int) -> Requantize:
    """A factor near one that fills the range of the type, or at an end of what there is."""
    if rng.random() < 0.1:
        return choose(rng, (Requantize(0, 1), Requantize(2**15, 1), Requantize(2**14, 62)))
    return Requantize(int(rng.integers(2**14, 2**15 + 1)), middle + int(rng.integers(-3, 3)))
