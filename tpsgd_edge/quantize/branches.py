"""Layers in numbers that read several values (docs/ARITHMETIC.md, section 20)."""

from dataclasses import dataclass
from typing import Literal

from tpsgd_edge.arithmetic.formats import FORMATS
from tpsgd_edge.quantize.parameters import Requantize, ValueType
from tpsgd_edge.quantize.weightless import Shape, Weightless


@dataclass(frozen=True, slots=True)
class IntegerSum:
    """Numbers of a sum in integers.

    Attributes:
        mults: add_mult of each value.
        z_min, z_max: the activation.
    """

    mults: tuple[int, ...]
    shift: int
    z_min: int
    z_max: int

    def largest(self, x_type: ValueType) -> int:
        """Proved bound of the sum of values of a type, before it is rounded."""
        return sum(self.mults) << (FORMATS[x_type].bits - 1)


@dataclass(frozen=True, slots=True)
class FloatSum:
    """Numbers of a sum in binary32: it has none, as values are added as they are."""


@dataclass(frozen=True, slots=True)
class QuantizedAdd(Weightless):
    """A sum of values of one shape: it learns nothing.

    Attributes:
        y_shape: the map of each value and of the sum (height, width, channels).
        activation: linear, relu or relu6.
        x_scales, y_scale: real value of one unit.
    """

    name: str
    y_shape: Shape
    activation: str
    x_type: ValueType
    x_scales: tuple[float, ...]
    y_scale: float
    numbers: IntegerSum | FloatSum

    @property
    def kind(self) -> Literal["add"]:
        """The layer kind, as in the spec."""
        return "add"

    @property
    def x_shapes(self) -> tuple[Shape, ...]:
        """The map of each value that it reads."""
        return (self.y_shape,) * len(self.x_scales)


@dataclass(frozen=True, slots=True)
class QuantizedConcat(Weightless):
    """Maps of one height and width, their channels one after the other: it learns nothing.

    Attributes:
        x_shapes: the maps that it reads (height, width, channels).
        parts: cat_mult and cat_shift of each of them, a factor of 1 in an f32 layer.
        x_scales, y_scale: real value of one unit.
    """

    name: str
    x_shapes: tuple[Shape, ...]
    x_type: ValueType
    x_scales: tuple[float, ...]
    y_scale: float
    parts: tuple[Requantize, ...]

    @property
    def kind(self) -> Literal["concat"]:
        """The layer kind, as in the spec."""
        return "concat"

    @property
    def y_shape(self) -> Shape:
        """The map that it makes."""
        height, width, _ = self.x_shapes[0]
        return height, width, sum(channels for _, _, channels in self.x_shapes)


QuantizedJoin = QuantizedAdd | QuantizedConcat
