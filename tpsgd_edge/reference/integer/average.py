"""Averages of windows in integers (docs/ARITHMETIC.md, section 14)."""

from typing import Any

import numpy as np

from tpsgd_edge.arithmetic.ops import Int64, clip, rshift_round
from tpsgd_edge.quantize.model import ValueType
from tpsgd_edge.reference.integer.activation import TYPE_RANGE


def inverse(area: Any) -> Int64:
    """Compute A = 1 / area in Q15, rounded, in the shape of the areas."""
    return np.asarray((2**15 + area // 2) // area)


def average(total: Int64, inverse_area: Int64, value_type: ValueType) -> Int64:
    """Compute means of windows from their sums, in their shape and the range of the type."""
    return clip(rshift_round(total * inverse_area, 15), *TYPE_RANGE[value_type])
