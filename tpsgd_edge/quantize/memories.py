"""Memories in numbers, as the device sees them (docs/ARITHMETIC.md, section 23)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.quantize.parameters import Requantize, ValueType, limits
from tpsgd_edge.quantize.weightless import Weightless

# Bits of a leaky mean below those of its input.
MEAN_BITS: Mapping[str, int] = {"s8": 16, "s16": 14, "f32": 0}
# Bits of a cosine below 1.
COSINE_BITS = 14


@dataclass(frozen=True, slots=True)
class QuantizedMemory(Weightless):
    """Fixed linear states of each channel: nothing in it learns.

    Attributes:
        x_shape: what it reads at one step, (1, 1, channels); of a map, all of it at once.
        reads_map: whether it reads a map at once, instead of walking along a sequence.
        length: inputs of one sequence.
        leak_shifts: of leaky means; empty of cosine sums.
        cosines: Q14 (f32: real), shape (length, sums); no entries of leaky means.
        sum_shift: of the products with cosines.
        mean_bits: of leaky means; 0 in f32.
        every: it hands on at one of so many inputs, counted back from the last.
        mids: s32 (f32: real), one for each value.
        factors: mem_mult and mem_shift of each value; not used by an f32 layer.
        gains: of an f32 layer.
        x_scale, y_scale: real value of one unit.
    """

    name: str
    x_shape: tuple[int, int, int]
    reads_map: bool
    length: int
    leak_shifts: tuple[int, ...]
    cosines: NDArray[np.int16] | NDArray[np.float32]
    sum_shift: int
    mean_bits: int
    differences: bool
    every: int
    mids: tuple[int, ...] | tuple[float, ...]
    factors: tuple[Requantize, ...]
    gains: tuple[float, ...]
    x_type: ValueType
    x_scale: float
    y_scale: float

    @property
    def kind(self) -> Literal["memory"]:
        """The layer kind, as in the spec."""
        return "memory"

    @property
    def channels(self) -> int:
        """Values that it reads at one step."""
        return self.x_shape[2]

    @property
    def states(self) -> int:
        """States of each channel."""
        return len(self.leak_shifts) or self.cosines.shape[1]

    @property
    def x_shapes(self) -> tuple[tuple[int, int, int], ...]:
        """The shape of the value that it reads."""
        return (self.x_shape,)

    @property
    def y_shape(self) -> tuple[int, int, int]:
        """The values that it makes, as a map of one place."""
        return 1, 1, self.channels * self.states

    @property
    def state_type(self) -> Literal["s32", "f32"]:
        """Type of the states."""
        return "f32" if self.x_type == "f32" else "s32"

    @property
    def constant_bytes(self) -> int:
        """Bytes of its tables in flash: cosines, and mid and factor (f32: gain) of each value."""
        return self.cosines.nbytes + self.y_count * (8 if self.x_type == "f32" else 4 + 2 + 1)

    @property
    def about(self) -> str:
        """Its states and when it hands on, in words."""
        if self.leak_shifts:
            what = f"{self.states} leaky means"
            what += " and their differences" if self.differences else ""
        else:
            what = f"{self.states} cosine sums" if self.states > 1 else "mean"
        return what + (f", every {self.every}" if self.every > 1 else "")

    @property
    def counts_inputs(self) -> bool:
        """Tell whether it must know how many inputs there were."""
        return self.every > 1 or not self.leak_shifts

    @property
    def first_wait(self) -> int:
        """Inputs by which its first period is shorter than the others."""
        return self.every - 1 - (self.length - 1) % self.every

    @property
    def largest_state(self) -> int:
        """Proved bound of a state; 0 in f32."""
        if self.x_type == "f32":
            return 0
        largest = -limits(self.x_type)[0]
        if self.leak_shifts:
            return largest << self.mean_bits
        one = (largest << COSINE_BITS) + (1 << self.sum_shift >> 1) >> self.sum_shift
        return self.length * one
