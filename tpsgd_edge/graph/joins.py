"""Layers that read several values: sums and concatenations (docs/ARITHMETIC.md, section 20)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from tpsgd_edge.arithmetic.activations import Numbers
from tpsgd_edge.errors import SpecError
from tpsgd_edge.graph.weightless import Shape, Weightless


@dataclass(frozen=True, slots=True)
class Add(Weightless):
    """y = f(x_0 + x_1 + ...) of `count` values of one shape."""

    name: str
    y_shape: Shape
    count: int
    activation: str = "linear"
    numbers: Numbers = field(default=(), kw_only=True)

    @property
    def kind(self) -> Literal["add"]:
        """The layer kind, as in the spec."""
        return "add"

    @property
    def x_shapes(self) -> tuple[Shape, ...]:
        """The shape of each value that it reads."""
        return (self.y_shape,) * self.count


@dataclass(frozen=True, slots=True)
class Concat(Weightless):
    """A map with the channels of several maps of one height and width, one after the other."""

    name: str
    x_shapes: tuple[Shape, ...]
    activation: ClassVar[str] = "linear"
    numbers: ClassVar[Numbers] = ()

    @property
    def kind(self) -> Literal["concat"]:
        """The layer kind, as in the spec."""
        return "concat"

    @property
    def y_shape(self) -> Shape:
        """The map that it makes."""
        height, width, _ = self.x_shapes[0]
        return height, width, sum(channels for _, _, channels in self.x_shapes)


Join = Add | Concat


def add(name: str, shapes: Sequence[Shape], activation: str) -> Add:
    """A sum of values of these shapes.

    Raises:
        SpecError: the shapes differ.
    """
    if len(set(shapes)) > 1:
        raise SpecError(
            f"layer '{name}' adds values of unlike shapes",
            where=f"[model], layer '{name}'",
            found=_all(shapes),
            help="bring them to one shape: a conv2d with kernel = 1 on the shorter way, with the "
            "stride and as many filters as the longer way has, or a dense layer",
        )
    return Add(name, shapes[0], len(shapes), activation)


def concat(name: str, shapes: Sequence[Shape]) -> Concat:
    """A concatenation of values of these shapes.

    Raises:
        SpecError: maps of unlike height or width.
    """
    if len({shape[:2] for shape in shapes}) > 1:
        raise SpecError(
            f"layer '{name}' joins maps of unlike height or width",
            where=f"[model], layer '{name}'",
            found=_all(shapes),
            help='channels are joined, place by place; { kind = "flatten" } makes vectors of maps',
        )
    return Concat(name, tuple(shapes))


def _all(shapes: Sequence[Shape]) -> str:
    return " and ".join(" x ".join(map(str, shape)) for shape in shapes[:4])
