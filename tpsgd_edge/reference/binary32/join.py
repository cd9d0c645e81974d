"""Sums and concatenations in binary32 (docs/ARITHMETIC.md, section 20)."""

from dataclasses import dataclass

import numpy as np

from tpsgd_edge.quantize.model import QuantizedAdd, QuantizedConcat
from tpsgd_edge.reference.binary32.activation import ACTIVATIONS
from tpsgd_edge.reference.binary32.functions import F32, clip
from tpsgd_edge.reference.binary32.update import Z_LIMIT


@dataclass(frozen=True, slots=True, eq=False)
class Binary32Add:
    """A sum of values, one addition after the other."""

    layer: QuantizedAdd

    def forward(self, *values: F32) -> F32:
        """The sum of values of one shape, flat."""
        total = values[0]
        for value in values[1:]:
            total = total + value
        y: F32 = ACTIVATIONS[self.layer.activation](clip(total, -Z_LIMIT, Z_LIMIT))
        return y


@dataclass(frozen=True, slots=True, eq=False)
class Binary32Concat:
    """Maps side by side."""

    layer: QuantizedConcat

    def forward(self, *values: F32) -> F32:
        """Join flat maps of shapes (x_count,) to the map (y_count,) with all channels."""
        shapes = self.layer.x_shapes
        maps = [value.reshape(shape) for value, shape in zip(values, shapes, strict=True)]
        return np.concatenate(maps, axis=2).ravel()
