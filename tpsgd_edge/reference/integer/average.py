"""Averages of windows in integers (docs/ARITHMETIC.md, section 14)."""

from typing import Any

import numpy as np

from tpsgd_edge.arithmetic.ops import Int64, clip, rshift_round
from tpsgd_edge.quantize.model import ValueType
from tpsgd_edge.reference.integer.activation import TYPE_RANGE


def inverse(area: Any) -> Int64:
    """A: 1 / area in Q15, rounded."""
    return np.asarray((2**15 + area // 2) // area)


def average(total: Int64, inverse_area: Int64, value_type: ValueType) -> Int64:
    """Means of windows from their sums, in the range of the type."""
    return clip(rshift_round(total * inverse_area, 15), *TYPE_RANGE[value_type])
