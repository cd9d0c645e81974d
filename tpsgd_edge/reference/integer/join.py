"""Sums and concatenations in integers (docs/ARITHMETIC.md, section 20)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.ops import Int64, clip, rshift_round, widen
from tpsgd_edge.quantize.model import IntegerSum, QuantizedAdd, QuantizedConcat, limits


@dataclass(frozen=True, slots=True, eq=False)
class IntegerAdd:
    """A sum of values, each with a factor, rounded once."""

    layer: QuantizedAdd

    def forward(self, *values: NDArray[Any]) -> Int64:
        """The sum of values of one shape, flat."""
        numbers, total = self.layer.numbers, np.zeros(self.layer.y_count, np.int64)
        assert isinstance(numbers, IntegerSum)
        for value, mult in zip(values, numbers.mults, strict=True):
            total += widen(value) * mult
        return clip(rshift_round(total, numbers.shift), numbers.z_min, numbers.z_max)


@dataclass(frozen=True, slots=True, eq=False)
class IntegerConcat:
    """Maps side by side, each in units of the output."""

    layer: QuantizedConcat

    def forward(self, *values: NDArray[Any]) -> Int64:
        """Join flat maps of shapes (x_count,) to the map (y_count,) with all channels."""
        layer, (low, high) = self.layer, limits(self.layer.y_type)
        maps = [
            clip(rshift_round(widen(value) * part.mult, part.shift), low, high).reshape(shape)
            for value, part, shape in zip(values, layer.parts, layer.x_shapes, strict=True)
        ]
        return np.concatenate(maps, axis=2).ravel()
