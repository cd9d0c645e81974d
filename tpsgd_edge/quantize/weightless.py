"""Facts of all layers without weights, and the questions that others ask of any of them."""

import math
from typing import ClassVar, Protocol, Self

from tpsgd_edge.quantize.parameters import ValueType

Shape = tuple[int, int, int]


class Mapped(Protocol):
    """Shapes and types of what a layer reads and makes; vectors are maps of (1, 1, entries)."""

    @property
    def kind(self) -> str:
        """The layer kind."""

    @property
    def x_shapes(self) -> tuple[Shape, ...]:
        """The shape of each value that it reads."""

    @property
    def y_shape(self) -> Shape:
        """The shape of the value that it makes."""

    @property
    def x_type(self) -> ValueType:
        """Type of the values that it reads."""


class QuantizedWeightless(Mapped, Protocol):
    """Any layer without weights in numbers: what `Weightless` has, and what its kind says of it."""

    units: ClassVar[tuple[()]]
    loss_layer: ClassVar[None]
    trains: ClassVar[bool]
    is_recurrent: ClassVar[bool]

    def with_units(self, _units: tuple[object, ...]) -> Self:
        """The layer itself."""

    @property
    def name(self) -> str:
        """The name, as in the spec."""

    @property
    def y_type(self) -> ValueType:
        """Type of the output."""

    @property
    def y_scale(self) -> float:
        """Real value of one unit of the output."""

    @property
    def x_count(self) -> int:
        """Numbers in all the values that it reads."""

    @property
    def y_count(self) -> int:
        """Numbers in its output."""

    @property
    def constant_bytes(self) -> int:
        """Bytes of its tables in flash."""

    @property
    def about(self) -> str:
        """Say what it does."""


class Weightless:
    """A layer without weights: no part of it has any, and it learns nothing.

    Attributes:
        units: parts that have weights.
        loss_layer: the layer that has the loss.
    """

    __slots__ = ()
    units: ClassVar[tuple[()]] = ()
    loss_layer: ClassVar[None] = None
    trains: ClassVar[bool] = False
    is_recurrent: ClassVar[bool] = False

    def with_units(self, _units: tuple[object, ...]) -> Self:
        """The layer with these parts in place of its `units`: itself."""
        return self

    @property
    def y_type(self: Mapped) -> ValueType:
        """Type of the output: that of the values it reads."""
        return self.x_type

    @property
    def x_count(self: Mapped) -> int:
        """Numbers in all the values that it reads."""
        return sum(math.prod(shape) for shape in self.x_shapes)

    @property
    def y_count(self: Mapped) -> int:
        """Numbers in its output."""
        return math.prod(self.y_shape)

    @property
    def constant_bytes(self) -> int:
        """Bytes of its tables in flash, beside its struct: none."""
        return 0

    @property
    def about(self: Mapped) -> str:
        """Say what it does: its kind."""
        return self.kind.replace("_", " ")
