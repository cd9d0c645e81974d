"""Shapes of layers with weights: what a layer computes, whatever its numbers are.

A layer applies one dense unit, from `n_in` values to `n_out`: a dense layer once, a convolution at
each position of its map, a recurrent layer at each timestep.
"""

import math
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class DenseShape:
    """A fully connected layer (section 4)."""

    n_in: int
    n_out: int
    kind: ClassVar[str] = "dense"
    is_recurrent: ClassVar[bool] = False
    is_depthwise: ClassVar[bool] = False
    is_pooled: ClassVar[bool] = False
    weight_places: ClassVar[tuple[object, ...]] = ()

    @property
    def x_count(self) -> int:
        """Values in the layer's input."""
        return self.n_in

    @property
    def y_count(self) -> int:
        """Values in the layer's output; units that draw random numbers."""
        return self.n_out

    @property
    def n_target(self) -> int:
        """Values that the local loss compares: rows of the projection."""
        return self.n_out

    @property
    def n_products(self) -> int:
        """Products in a sum of the input gradient."""
        return self.n_out


@dataclass(frozen=True, slots=True)
class Conv2dShape:
    """A convolution (section 14): a dense unit from a patch to all filters, everywhere on a map.

    Attributes:
        x_shape, y_shape: input and output map (height, width, channels).
        kernel, stride: rows and columns.
        padding: rows of zeros above the map, columns to its left.
        dilation: how far rows and columns lie apart that neighbouring weights see.
        windows: kr, kc: windows over which a map is averaged for the local loss.
        pool_kernel, pool_stride: the map that is averaged is made of the output by max pooling
            (section 16); windows of the pool do not overlap, those of one value change nothing.
    """

    x_shape: tuple[int, int, int]
    y_shape: tuple[int, int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    groups: int
    windows: tuple[int, int]
    pool_kernel: tuple[int, int] = (1, 1)
    pool_stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    kind: ClassVar[str] = "conv2d"
    is_recurrent: ClassVar[bool] = False

    @property
    def n_in(self) -> int:
        """Values in a patch, of the channels that one filter sees."""
        return math.prod(self.kernel) * self.x_shape[2] // self.groups

    @property
    def n_out(self) -> int:
        """Filters."""
        return self.y_shape[2]

    @property
    def x_count(self) -> int:
        """Values in the input map."""
        return math.prod(self.x_shape)

    @property
    def y_count(self) -> int:
        """Values in the output map; units that draw random numbers."""
        return math.prod(self.y_shape)

    @property
    def n_target(self) -> int:
        """Values of the averaged map: rows of the projection."""
        return math.prod(self.windows) * self.n_out

    @property
    def n_products(self) -> int:
        """Products in a sum of the input gradient, at most."""
        return math.prod(self.kernel) * self.n_out // self.groups

    @property
    def weight_places(self) -> tuple[object, ...]:
        """The meaning of the places of weights, beside their counts."""
        shapes = (self.x_shape, self.y_shape, self.kernel, self.stride, self.padding)
        return (*shapes, self.groups, self.dilation)

    @property
    def is_dilated(self) -> bool:
        """Tell whether neighbouring weights see places that lie apart."""
        return self.dilation != (1, 1)

    @property
    def is_depthwise(self) -> bool:
        """Tell whether each filter sees one channel of several, at places that lie side by side."""
        return 1 < self.groups == self.x_shape[2] and not self.is_dilated

    @property
    def is_pooled(self) -> bool:
        """Tell whether the local loss sees the map behind a pool."""
        return (self.pool_kernel, self.pool_stride) != ((1, 1), (1, 1))

    @property
    def seen_shape(self) -> tuple[int, int, int]:
        """The map that is averaged for the local loss."""
        rows, columns = (
            (self.y_shape[axis] - self.pool_kernel[axis]) // self.pool_stride[axis] + 1
            for axis in (0, 1)
        )
        return rows, columns, self.y_shape[2]


@dataclass(frozen=True, slots=True)
class RnnShape:
    """A recurrent layer (section 15): a dense unit from [x; own last output] at each timestep.

    Attributes:
        n_x: values in its input at one timestep.
        leak_shifts: s of each group of units.
        has_traces: whether it learns from traces, else from the present.
    """

    n_x: int
    n_out: int
    leak_shifts: tuple[int, ...]
    has_traces: bool
    kind: ClassVar[str] = "rnn"
    is_recurrent: ClassVar[bool] = True
    is_depthwise: ClassVar[bool] = False
    is_pooled: ClassVar[bool] = False

    @property
    def n_in(self) -> int:
        """Values that the unit reads: the input, and the layer's own last output."""
        return self.n_x + self.n_out

    @property
    def x_count(self) -> int:
        """Values in the layer's input at one timestep."""
        return self.n_x

    @property
    def y_count(self) -> int:
        """Values in the layer's output; units that draw random numbers."""
        return self.n_out

    @property
    def n_target(self) -> int:
        """Values that the local loss compares: rows of the projection."""
        return self.n_out

    @property
    def n_products(self) -> int:
        """Products in a sum of the input gradient."""
        return self.n_out

    @property
    def weight_places(self) -> tuple[object, ...]:
        """The meaning of the places of weights, beside their counts."""
        return self.n_x, self.leak_shifts

    @property
    def group_bounds(self) -> tuple[int, ...]:
        """The first unit of each group, and n_out."""
        groups = len(self.leak_shifts)
        return tuple(g * self.n_out // groups for g in range(groups + 1))


WeightedShape = DenseShape | Conv2dShape | RnnShape
