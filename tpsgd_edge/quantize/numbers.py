"""Numbers of a layer with weights: in integers, or in binary32 (docs/ARITHMETIC.md, 2, 4 and 12).

The two classes have what every stage asks of a layer, types and scales, under the same names; the
rest is of one format only.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from tpsgd_edge.arithmetic.tables import Curve
from tpsgd_edge.quantize.parameters import Interval, Requantize, ValueType, WeightType


@dataclass(frozen=True, slots=True)
class IntegerNumbers:
    """Numbers of a layer in integers.

    Attributes:
        x_type, y_type: types of input and output; y_type is s16 in the last layer.
        weight_bits: weights stay in [-2^weight_bits, 2^weight_bits - 1].
        weight_scale, x_scale, y_scale: real value of one unit; for people and for tools, not for
            the device.
        accumulator: proved bounds of acc.
        negative_slope: of leaky_relu in Q15; 2^15 elsewhere.
        curve: of an activation that is a table; None of others.
        own_shift: from the state of a recurrent layer to an input of its own; None of others.
    """

    weight_type: WeightType
    x_type: ValueType
    y_type: ValueType
    weight_bits: int
    weight_scale: float
    x_scale: float
    y_scale: float
    bias_shift: int
    z: Requantize
    z_min: int
    z_max: int
    accumulator: Interval
    negative_slope: int = 2**15
    curve: Curve | None = None
    own_shift: int | None = None
    bias_type: ClassVar[Literal["s32", "f32"]] = "s32"
    error_type: ClassVar[Literal["s16", "f32"]] = "s16"

    @property
    def bias_scale(self) -> float:
        """Real value of one unit of a bias."""
        return self.weight_scale * self.x_scale * 2.0**self.bias_shift

    @property
    def steepest(self) -> float:
        """Real value of a derivative of 2^15."""
        return 1.0 if self.curve is None else self.curve.steepest


@dataclass(frozen=True, slots=True)
class FloatNumbers:
    """Numbers of a layer in binary32: scales are 1, activations no tables, and sums need no bound.

    Attributes:
        negative_slope: of leaky_relu; 1 elsewhere.
    """

    negative_slope: float = 1.0
    weight_type: ClassVar[WeightType] = "f32"
    x_type: ClassVar[ValueType] = "f32"
    y_type: ClassVar[ValueType] = "f32"
    bias_type: ClassVar[Literal["s32", "f32"]] = "f32"
    error_type: ClassVar[Literal["s16", "f32"]] = "f32"
    weight_scale: ClassVar[float] = 1.0
    x_scale: ClassVar[float] = 1.0
    y_scale: ClassVar[float] = 1.0
    bias_scale: ClassVar[float] = 1.0
    steepest: ClassVar[float] = 1.0
    curve: ClassVar[None] = None
    accumulator: ClassVar[None] = None


LayerNumbers = IntegerNumbers | FloatNumbers
