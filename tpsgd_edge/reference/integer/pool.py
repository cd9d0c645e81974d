"""Pooling in integers (docs/ARITHMETIC.md, section 14)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.ops import S16_MIN, Int64
from tpsgd_edge.quantize.model import QuantizedPool
from tpsgd_edge.reference.integer.average import average, inverse
from tpsgd_edge.reference.maps import Index, inside_counts, padded, pool_index


@dataclass(frozen=True, slots=True, eq=False)
class IntegerMaxPool:
    """The largest value of each window."""

    windows: Index

    @classmethod
    def from_quantized(cls, pool: QuantizedPool) -> "IntegerMaxPool":
        """The layer with its windows at hand."""
        return cls(pool_index(pool))

    def forward(self, x: NDArray[Any]) -> Int64:
        """Compute the output map (y_count,) of the input map (x_count,)."""
        largest: Int64 = padded(x, np.int64, S16_MIN).take(self.windows).max(axis=0)
        return largest


@dataclass(frozen=True, slots=True, eq=False)
class IntegerAveragePool:
    """The mean of each window, rounded."""

    pool: QuantizedPool
    windows: Index
    inverse_area: Int64

    @classmethod
    def from_quantized(cls, pool: QuantizedPool) -> "IntegerAveragePool":
        """The layer with its windows at hand."""
        windows = pool_index(pool)
        return cls(pool, windows, inverse(inside_counts(pool, windows)))

    def forward(self, x: NDArray[Any]) -> Int64:
        """Compute the output map (y_count,) of the input map (x_count,)."""
        total = padded(x, np.int64).take(self.windows).sum(axis=0)
        return average(total, self.inverse_area, self.pool.y_type)
