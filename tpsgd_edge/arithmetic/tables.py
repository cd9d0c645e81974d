"""Look-up tables of the activation functions and of the softmax (docs/ARITHMETIC.md, 4 and 6.3)."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.activations import FACTS, CurveFacts, Numbers


@dataclass(frozen=True, slots=True)
class Curve:
    """An activation of a layer as a table; layers with equal curves share it.

    Attributes:
        numbers: what the layer sets of its activation.
        reach: S: z lies in [-S, S).
        full_scale: R: real value of 2^7 or 2^15 of an output.
    """

    activation: str
    numbers: Numbers
    reach: float
    full_scale: float

    @property
    def facts(self) -> CurveFacts:
        """The function, and what else is known of it."""
        facts = FACTS[self.activation].curve
        assert facts is not None
        return facts

    @property
    def steepest(self) -> float:
        """Real value of a slope of 2^15."""
        return self.facts.steepest(*self.numbers)

    @property
    def has_slopes(self) -> bool:
        """Tell whether slopes come from a table."""
        return self.facts.slope is not None


# These tables are the same in every layer.
FIXED = {"tanh": Curve("tanh", (), 4.0, 1.0), "sigmoid": Curve("sigmoid", (), 8.0, 1.0)}


def z_reach(activation: str, y_type: str, numbers: Numbers, full_scale: float) -> float:
    """S of a layer with a table: as far as outputs reach, and no less than the tail of the curve.

    >>> z_reach("silu", "s8", (), 2.0), z_reach("silu", "s8", (), 16.0)
    (8.0, 16.0)
    """
    facts = FACTS[activation].curve
    assert facts is not None
    least = facts.reach(*numbers)[y_type == "s16"]
    return least if FACTS[activation].is_bounded else max(least, full_scale)


@cache
def table_s8(curve: Curve) -> NDArray[np.int8]:
    """T8: outputs for z = -128..127, shape (256,)."""
    return _tabulate(curve, count=256, full_scale=2**7).astype(np.int8)


@cache
def table_s16(curve: Curve) -> NDArray[np.int16]:
    """T16: outputs at every 256th z and one beyond the end, for interpolation, shape (257,)."""
    return _tabulate(curve, count=257, full_scale=2**15).astype(np.int16)


@cache
def slope_table(curve: Curve) -> NDArray[np.uint16]:
    """D: slopes in Q15 of the steepest one, for outputs of -128..127 in 8 bits, shape (256,)."""
    slope = curve.facts.slope
    assert slope is not None
    # At 0 the slope is that of the values above: no output of exactly 0 belongs to a tail.
    reals = [(i - 128) * curve.full_scale / 128 or math.ulp(0.0) for i in range(256)]
    scaled = [slope(y, *curve.numbers) / curve.steepest * 2**15 for y in reals]
    return np.clip(np.floor(np.array(scaled) + 0.5), 0, 2**15).astype(np.uint16)


@cache
def exp2_table() -> NDArray[np.uint16]:
    """EXP2: 2^(-i / 64) in Q15, shape (64,)."""
    values = [math.floor(2**15 * 2 ** (-i / 64) + 0.5) for i in range(64)]
    return np.array(values, np.uint16)


def _tabulate(curve: Curve, *, count: int, full_scale: int) -> NDArray[np.int64]:
    function, unit = curve.facts.function, curve.reach / 128
    reals = [function((i - 128) * unit, *curve.numbers) / curve.full_scale for i in range(count)]
    values = [math.floor(full_scale * real + 0.5) for real in reals]
    return np.clip(np.array(values, np.int64), -full_scale, full_scale - 1)
