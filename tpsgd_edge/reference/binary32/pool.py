"""Pooling in binary32 (docs/ARITHMETIC.md, section 14)."""

from dataclasses import dataclass

import numpy as np

from tpsgd_edge.quantize.model import QuantizedPool
from tpsgd_edge.reference.binary32.functions import F32, ONE, sum_in_order
from tpsgd_edge.reference.maps import Index, inside_counts, padded, pool_index


@dataclass(frozen=True, slots=True, eq=False)
class Binary32MaxPool:
    """The largest value of each window."""

    windows: Index

    @classmethod
    def from_quantized(cls, pool: QuantizedPool) -> "Binary32MaxPool":
        """The layer with its windows at hand."""
        return cls(pool_index(pool))

    def forward(self, x: F32) -> F32:
        """Compute the output map (y_count,) of the input map (x_count,)."""
        values = padded(x, np.float32, -np.inf).take(self.windows)
        largest: F32 = values[0]
        for value in values[1:]:
            # Of 0.0 and -0.0 the first stays; np.maximum does not say which.
            largest = np.where(value > largest, value, largest)
        return largest


@dataclass(frozen=True, slots=True, eq=False)
class Binary32AveragePool:
    """The mean of each window."""

    windows: Index
    area: F32

    @classmethod
    def from_quantized(cls, pool: QuantizedPool) -> "Binary32AveragePool":
        """The layer with its windows at hand."""
        windows = pool_index(pool)
        return cls(windows, inside_counts(pool, windows).astype(np.float32))

    def forward(self, x: F32) -> F32:
        """Compute the output map (y_count,) of the input map (x_count,)."""
        # A zero for what lies outside changes no sum that starts at 0.0.
        total = sum_in_order(padded(x, np.float32).take(self.windows))
        return total * (ONE / self.area)
