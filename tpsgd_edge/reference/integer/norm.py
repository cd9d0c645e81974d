"""Layers that normalize, in integers (docs/ARITHMETIC.md, section 30)."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.ops import Int64, clip, rshift_round
from tpsgd_edge.quantize.model import QuantizedNorm
from tpsgd_edge.reference.integer.activation import TYPE_RANGE


@dataclass(frozen=True, slots=True)
class IntegerNorm:
    """Values of each group less their mean over their standard deviation."""

    layer: QuantizedNorm

    def forward(self, x: NDArray[Any]) -> Int64:
        """Compute the output map (y_count,) of the input map (x_count,)."""
        groups = x.astype(np.int64).reshape(-1, self.layer.group_size)
        return np.concatenate([self._of_group(group) for group in groups])

    def _of_group(self, x: Int64) -> Int64:
        layer, count = self.layer, len(x)
        total = int(x.sum()) if layer.centered else 0
        power = count * int((x * x).sum()) - total**2 + int(layer.epsilon)
        quarters = (32 - power.bit_length()) // 2
        high = power << 2 * quarters if quarters > 0 else power >> -2 * quarters
        inverse = 2**31 // math.isqrt(high)
        shift = 31 - quarters - layer.unit_bits
        y = rshift_round((count * x - total) * inverse, shift)
        return clip(y, *TYPE_RANGE[layer.x_type])
