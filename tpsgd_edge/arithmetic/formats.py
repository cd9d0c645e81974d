"""Formats of numbers: all that stages ask of one, in one record (docs/ARITHMETIC.md, section 2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """A format of numbers.

    Attributes:
        bits: of one number; arrays hold it in whole bytes.
        kind: i for integers with a sign, u for those without, f for binary32.
        c_type: its type in C, of `c_prefix` for the names of its limits.
        accumulator: format of sums of products of such inputs and weights.
        update_shift: of weights in it, from products of steps and inputs to changes (section 7).
    """

    name: str
    bits: int
    kind: str
    c_type: str
    c_prefix: str = ""
    accumulator: str = ""
    update_shift: int = 0

    @property
    def is_float(self) -> bool:
        """Tell whether it holds reals."""
        return self.kind == "f"

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The type of arrays of it, the lowest byte first."""
        return np.dtype(f"<{self.kind}{-(-self.bits // 8)}")

    @property
    def reach(self) -> int:
        """The largest magnitude of an integer with a sign."""
        return 1 << (self.bits - 1)

    @property
    def limits(self) -> tuple[int, int]:
        """The smallest and the largest integer with a sign."""
        return -self.reach, self.reach - 1

    @property
    def below_q15(self) -> int:
        """Shift from values in Q15 of a full scale to values in which that fills the format."""
        return 16 - self.bits

    @property
    def above_q7(self) -> int:
        """Shift to the 8 bits that read-outs and tables of slopes take of a value."""
        return self.bits - 8

    def holds(self, values: NDArray[np.float64], step: float) -> bool:
        """Tell whether the whole numbers nearest to values / step, of any shape, are within it."""
        low, high = self.limits
        return bool(values.min() > (low - 0.5) * step and values.max() < (high + 0.5) * step)


# Weights of layers that do not train; kernels find two of them in a byte (section 31).
S4 = NumberFormat("s4", 4, "i", "uint8_t", "", "s32")
# What samples, outputs and weights may be, then what states, labels and traces are beside.
S8 = NumberFormat("s8", 8, "i", "int8_t", "INT8", "s32", 13)
S16 = NumberFormat("s16", 16, "i", "int16_t", "INT16", "s64", 6)
F32 = NumberFormat("f32", 32, "f", "float", "", "f32")
VALUES = (S8, S16, F32)
INTEGERS = (S8, S16)
FORMATS: Mapping[str, NumberFormat] = {
    number.name: number
    for number in (
        S4,
        *VALUES,
        NumberFormat("s32", 32, "i", "int32_t", "INT32"),
        NumberFormat("s64", 64, "i", "int64_t", "INT64"),
        NumberFormat("u8", 8, "u", "uint8_t", "UINT8"),
        NumberFormat("u16", 16, "u", "uint16_t", "UINT16"),
        NumberFormat("u32", 32, "u", "uint32_t", "UINT32"),
    )
}
"""By name."""


def by_format(integers: T, binary32: T) -> dict[str, T]:
    """A table by format of values: what all integers have, and what binary32 has."""
    return {number.name: binary32 if number.is_float else integers for number in VALUES}
