"""Facts of all layers without weights, and the questions that others ask of any of them."""

import math
from typing import ClassVar, Protocol

from tpsgd_edge.arithmetic.activations import Numbers

Shape = tuple[int, int, int]


class Shaped(Protocol):
    """Shapes of maps: rows, columns, channels. Those of vectors are (1, 1, entries)."""

    @property
    def x_shapes(self) -> tuple[Shape, ...]:
        """The shape of each value that it reads."""

    @property
    def y_shape(self) -> Shape:
        """The shape of the value that it makes."""


class WeightlessLayer(Shaped, Protocol):
    """Any layer without weights: what `Weightless` has, and what its kind says of it."""

    weighted: ClassVar[None]
    is_recurrent: ClassVar[bool]
    is_on_maps: ClassVar[bool]
    residual: ClassVar[bool]

    @property
    def name(self) -> str:
        """The name, as in the spec."""

    @property
    def kind(self) -> str:
        """The layer kind."""

    @property
    def activation(self) -> str:
        """The activation."""

    @property
    def numbers(self) -> Numbers:
        """Numbers of the activation."""

    @property
    def x_count(self) -> int:
        """Numbers in all the values that it reads."""

    @property
    def y_count(self) -> int:
        """Numbers in its output."""


class Weightless:
    """A layer without weights, on maps.

    Attributes:
        weighted: the layer itself if it has weights, else None.
        is_recurrent: whether it reads a sequence, one timestep after the other.
        is_on_maps: whether it reads and makes maps; other layers take any map as a vector.
        residual: whether it adds what it reads to what it makes.
    """

    __slots__ = ()
    weighted: ClassVar[None] = None
    is_recurrent: ClassVar[bool] = False
    is_on_maps: ClassVar[bool] = True
    residual: ClassVar[bool] = False

    @property
    def x_count(self: Shaped) -> int:
        """Numbers in all the values that it reads."""
        return sum(math.prod(shape) for shape in self.x_shapes)

    @property
    def y_count(self: Shaped) -> int:
        """Numbers in its output."""
        return math.prod(self.y_shape)
