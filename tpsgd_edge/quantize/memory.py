"""Numbers of memories (docs/ARITHMETIC.md, section 23)."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.graph import Memory
from tpsgd_edge.graph.memory import cosine_table
from tpsgd_edge.quantize.binary32 import to_binary32
from tpsgd_edge.quantize.memories import COSINE_BITS, MEAN_BITS, QuantizedMemory
from tpsgd_edge.quantize.parameters import Requantize, ValueType
from tpsgd_edge.quantize.scales import INPUT_MAX, as_requantize

# Bits of a sum of products with cosines.
_SUM_BITS = 30
_LARGEST_SHIFT = 62


def quantize_memory(
    layer: Memory, value_type: ValueType, x_scales: Sequence[float], _full_scale: float
) -> QuantizedMemory:
    """A memory in numbers; the only one of `x_scales` is that of what it reads."""
    (x_scale,) = x_scales
    is_float = value_type == "f32"
    mean_bits = MEAN_BITS[value_type] if layer.leaks else 0
    sum_shift = sum_shift_of(layer.length, value_type) if layer.cosines and not is_float else 0
    # Real value of one unit of a state.
    unit = 1.0 if is_float else x_scale * 2.0 ** (-mean_bits or sum_shift - COSINE_BITS)
    is_open = layer.reach > 0 and not is_float
    y_scale = layer.reach / (INPUT_MAX[value_type] - 1) if is_open else x_scale
    mids = layer.mids if is_float else tuple(_mid(mid / unit) for mid in layer.mids)
    return QuantizedMemory(
        name=layer.name,
        x_shape=layer.x_shape,
        reads_map=layer.reads_map,
        length=layer.length,
        leak_shifts=tuple(1 - math.frexp(leak)[1] for leak in layer.leaks),
        cosines=cosines_of(layer.cosines, layer.length, value_type),
        sum_shift=sum_shift,
        mean_bits=mean_bits,
        differences=layer.differences,
        every=layer.every,
        mids=tuple(to_binary32(mids).tolist()) if is_float else mids,
        factors=() if is_float else tuple(_factor(g * unit / y_scale) for g in layer.gains),
        gains=tuple(to_binary32(layer.gains).tolist()) if is_float else (),
        x_type=value_type,
        x_scale=x_scale,
        y_scale=y_scale,
    )


def sum_shift_of(length: int, value_type: ValueType) -> int:
    """The smallest shift for which sums of products with cosines stay inside of 30 bits.

    >>> sum_shift_of(28, "s8"), sum_shift_of(128, "s16")
    (0, 6)
    """
    largest = length * INPUT_MAX[value_type]
    return max(0, (largest - 1).bit_length() + COSINE_BITS - _SUM_BITS)


def cosines_of(
    cosines: int, length: int, value_type: ValueType
) -> NDArray[np.int16] | NDArray[np.float32]:
    """The table of cosines, shape (length, cosines), as the device has it."""
    table = cosine_table(cosines, length)
    if value_type == "f32":
        return to_binary32(table)
    return np.floor(table * 2.0**COSINE_BITS + 0.5).astype(np.int16)


def _mid(value: float) -> int:
    return max(-(1 << _SUM_BITS), min(1 << _SUM_BITS, math.floor(value + 0.5)))


def _factor(factor: float) -> Requantize:
    """A factor; 0 of a value that never changes, or that is too small to be seen."""
    found = as_requantize(factor, max_shift=_LARGEST_SHIFT) if factor else None
    return found or Requantize(0, 1)
