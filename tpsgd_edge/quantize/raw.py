"""Raw samples and labels as a device converts them (docs/ARITHMETIC.md, section 21)."""

from dataclasses import dataclass
from math import floor

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.quantize.parameters import DTYPES, ValueType, limits
from tpsgd_edge.spec import RawType

# Beyond it f32 would not be proved to stay finite (docs/ARITHMETIC.md, section 12).
F32_INPUT_MAX = 2.0**20
# So that a product with any difference of 16 bits, and an offset beside it, stay below 2^31.
_LARGEST_GAIN = 2.0**14
_LARGEST_OFFSET = 2**30
_LARGEST_SHIFT = 30
# Of binary32, without the numbers that some cores take for 0.
_SMALLEST_REAL, _LARGEST_REAL = 2.0**-126, 2.0**100

RAW_DTYPES: dict[RawType, np.dtype[np.generic]] = {
    "float": np.dtype("<f4"),
    "uint8": np.dtype("u1"),
    "int8": np.dtype("i1"),
    "uint16": np.dtype("<u2"),
    "int16": np.dtype("<i2"),
}


@dataclass(frozen=True, slots=True)
class IntegerConversion:
    """Conversion of raw integers in 32 bits: clip(((raw - centre) * factor + offset) >> shift).

    Attributes:
        centre, factor, offset: s32, shape (1,) or (n,).
        shift: u8, the same shape.
        to: type of the result, s8 or s16.
    """

    centre: NDArray[np.int32]
    factor: NDArray[np.int32]
    offset: NDArray[np.int32]
    shift: NDArray[np.uint8]
    to: ValueType

    def __call__(self, raw: NDArray[np.generic]) -> NDArray[np.generic]:
        """Convert raw values (..., n), which are whole numbers of the raw type."""
        centred = raw.astype(np.int32) - self.centre
        moved = (centred * self.factor + self.offset) >> self.shift
        return np.asarray(np.clip(moved, *limits(self.to)), DTYPES[self.to])

    @property
    def size(self) -> int:
        """Entries that have constants of their own."""
        return self.factor.size


@dataclass(frozen=True, slots=True)
class RealConversion:
    """Conversion of raw values in binary32: (raw - mean) * gain, clipped and rounded.

    Attributes:
        mean, gain: binary32, shape (1,) or (n,).
        to: type of the result: s8, s16 or f32.
    """

    mean: NDArray[np.float32]
    gain: NDArray[np.float32]
    to: ValueType

    def __call__(self, raw: NDArray[np.generic]) -> NDArray[np.generic]:
        """Convert finite values (..., n)."""
        with np.errstate(over="ignore"):
            scaled = (raw.astype(np.float32) - self.mean) * self.gain
        if self.to == "f32":
            edge = np.float32(F32_INPUT_MAX)
            return np.asarray(np.clip(scaled, -edge, edge), "<f4")
        low, high = limits(self.to)
        clipped = np.clip(scaled, np.float32(low), np.float32(high))
        whole = (clipped + np.float32(0.5 - low)).astype(np.int32)
        return np.asarray((whole + low).astype(DTYPES[self.to]))

    @property
    def size(self) -> int:
        """Entries that have constants of their own."""
        return self.gain.size


Conversion = IntegerConversion | RealConversion


def conversion(
    mean: NDArray[np.float64],
    step: NDArray[np.float64],
    to: ValueType,
    raw: RawType = "float",
) -> Conversion:
    """The conversion of raw values to (raw - mean) / step in a type.

    Args:
        mean, step: of raw values; step is what one unit of the result is worth. Shape (1,) or (n,).
        to: type of the result.
    """
    if raw == "float" or to == "f32":
        return real_conversion(mean, step, to)
    lowest, highest = _ends(raw)
    centre = np.clip(np.floor(mean + 0.5), lowest, highest)
    gain = np.clip(1 / step, -_LARGEST_GAIN, _LARGEST_GAIN)
    reach = np.maximum(centre - lowest, highest - centre)
    base = np.clip((centre - mean) * gain + 0.5, -_LARGEST_OFFSET, _LARGEST_OFFSET)
    triples = [_scaled(*entry) for entry in zip(gain, base, reach, strict=True)]
    factor, offset, shift = (np.array(column) for column in zip(*triples, strict=True))
    return IntegerConversion(
        centre.astype(np.int32),
        factor.astype(np.int32),
        offset.astype(np.int32),
        shift.astype(np.uint8),
        to,
    )


def real_conversion(
    mean: NDArray[np.float64], step: NDArray[np.float64], to: ValueType
) -> RealConversion:
    """The conversion of real values to (value - mean) / step in a type, shapes as above."""
    gain = np.sign(step) * np.clip(1 / np.abs(step), _SMALLEST_REAL, _LARGEST_REAL)
    return RealConversion(mean.astype(np.float32), gain.astype(np.float32), to)


def _ends(raw: RawType) -> tuple[int, int]:
    information = np.iinfo(raw)
    return int(information.min), int(information.max)


def _scaled(gain: float, base: float, reach: float) -> tuple[int, int, int]:
    """Factor, offset and shift: the largest shift for which no sum leaves 32 bits."""
    for shift in range(_LARGEST_SHIFT, 0, -1):
        factor, offset = floor(gain * 2.0**shift + 0.5), floor(base * 2.0**shift + 0.5)
        if int(reach) * abs(factor) + abs(offset) < 2**31:
            return factor, offset, shift
    return floor(gain + 0.5), floor(base + 0.5), 0
