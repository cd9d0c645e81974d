"""Layer kinds of a graph (docs/ARITHMETIC.md, sections 4 and 14), and all kinds as one.

A map is (height, width, channels); a vector is a map of 1 x 1 x n, so flattening needs no layer.
`x_count` and `y_count` are the values that a layer reads and makes. A layer with weights has n_out
rows of n_in weights each and n_target values that its local loss compares; `learning` says how.
"""

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from tpsgd_edge.arithmetic.activations import Numbers
from tpsgd_edge.graph.detector import Detector
from tpsgd_edge.graph.learning import Learning
from tpsgd_edge.graph.recurrent import Gru, Lstm, Rnn
from tpsgd_edge.graph.weightless import Shape, Weightless, WeightlessLayer

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Dense:
    """A fully connected layer: y = f(W x + b), W of shape (n_out, n_in); if `residual`, plus x.

    `numbers` are the settings of its activation (`FACTS`): of leaky_relu the slope below zero.
    """

    name: str
    n_in: int
    n_out: int
    activation: str
    numbers: Numbers = field(default=(), kw_only=True)
    residual: bool = field(default=False, kw_only=True)
    learning: Learning = field(default=Learning(), kw_only=True)
    is_recurrent: ClassVar[bool] = False
    is_on_maps: ClassVar[bool] = False
    input_gain: ClassVar[float] = 1.0
    recurrent_gain: ClassVar[float] = 1.0

    @property
    def kind(self) -> Literal["dense"]:
        """The layer kind, as in the spec."""
        return "dense"

    @property
    def weighted(self) -> "Dense":
        """The layer itself, as it has weights."""
        return self

    @property
    def weight_shapes(self) -> tuple[tuple[int, int], tuple[int, ...]]:
        """The shapes of w and b."""
        return (self.n_out, self.n_in), (self.n_out,)

    @property
    def x_shapes(self) -> tuple[Shape, ...]:
        """The input, as a map."""
        return ((1, 1, self.x_count),)

    @property
    def y_shape(self) -> Shape:
        """The output, as a map."""
        return (1, 1, self.n_out)

    @property
    def x_count(self) -> int:
        """Values in the layer's input."""
        return self.n_in

    @property
    def y_count(self) -> int:
        """Values in the layer's output."""
        return self.n_out

    @property
    def n_target(self) -> int:
        """Values that the local loss compares."""
        return self.n_out

    @property
    def target_area(self) -> float:
        """Each value is compared by itself."""
        return 1.0


@dataclass(frozen=True, slots=True)
class Conv2d:
    """A convolution: y = f(W patch + b) at each position, W of shape (n_out, n_in).

    Attributes:
        x_shape, y_shape: maps.
        kernel, stride: rows and columns.
        padding: rows of zeros above the map, columns to its left; as many below and to the right
            as the output needs.
        groups: parts of the channels that do not see each other.
        dilation: how far rows and columns lie apart that neighbouring weights see.
        windows: kr, kc: over how many windows a map is averaged for the local loss.
        pool: the max pool behind which the local loss sees the map (section 16).
        residual: whether x is added to y; then both maps have one shape.
    """

    name: str
    x_shape: Shape
    y_shape: Shape
    kernel: Pair
    stride: Pair
    padding: Pair
    groups: int
    windows: Pair
    activation: str
    pool: "Pool | None" = None
    dilation: Pair = field(default=(1, 1), kw_only=True)
    numbers: Numbers = field(default=(), kw_only=True)
    residual: bool = field(default=False, kw_only=True)
    learning: Learning = field(default=Learning(), kw_only=True)
    is_recurrent: ClassVar[bool] = False
    is_on_maps: ClassVar[bool] = True
    input_gain: ClassVar[float] = 1.0
    recurrent_gain: ClassVar[float] = 1.0

    @property
    def kind(self) -> Literal["conv2d"]:
        """The layer kind; a convolution in one dimension has maps of height 1."""
        return "conv2d"

    @property
    def weighted(self) -> "Conv2d":
        """The layer itself, as it has weights."""
        return self

    @property
    def weight_shapes(self) -> tuple[tuple[int, int], tuple[int, ...]]:
        """The shapes of w and b."""
        return (self.n_out, self.n_in), (self.n_out,)

    @property
    def x_shapes(self) -> tuple[Shape, ...]:
        """The map that it reads."""
        return (self.x_shape,)

    @property
    def reach(self) -> Pair:
        """Rows and columns from the first to the last that a filter sees."""
        rows, columns = (
            (size - 1) * apart + 1 for size, apart in zip(self.kernel, self.dilation, strict=True)
        )
        return rows, columns

    @property
    def fan_in(self) -> int:
        """Weights of one filter: kernel rows x columns x channels in its group."""
        return math.prod(self.kernel) * (self.x_shape[2] // self.groups)

    @property
    def n_in(self) -> int:
        """Inputs of one unit: the fan-in."""
        return self.fan_in

    @property
    def n_out(self) -> int:
        """Filters: channels of the output map."""
        return self.y_shape[2]

    @property
    def x_count(self) -> int:
        """Values in the input map."""
        return math.prod(self.x_shape)

    @property
    def y_count(self) -> int:
        """Values in the output map."""
        return math.prod(self.y_shape)

    @property
    def seen_shape(self) -> Shape:
        """The map that is averaged: the output, or what the pool makes of it."""
        return self.y_shape if self.pool is None else self.pool.y_shape

    @property
    def n_target(self) -> int:
        """Values of the averaged map, which the local loss compares."""
        return math.prod(self.windows) * self.n_out

    @property
    def target_area(self) -> float:
        """Values of the map that a window averages, in the mean."""
        return math.prod(self.seen_shape) / self.n_target


@dataclass(frozen=True, slots=True)
class Pool(Weightless):
    """Pooling: the largest or the mean value of each window, for each channel.

    What of a window lies outside of the map does not count. Global pooling is the average with a
    kernel as large as the map.

    Attributes:
        padding: by how many rows and columns the first windows reach over the edges.
    """

    name: str
    mode: Literal["max", "average"]
    x_shape: Shape
    y_shape: Shape
    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)
    activation: ClassVar[str] = "linear"
    numbers: ClassVar[Numbers] = ()

    @property
    def is_cut(self) -> bool:
        """Tell whether windows reach over the edges of the map."""
        return any(self.padding) or any(self.behind)

    @property
    def behind(self) -> Pair:
        """Rows and columns by which the last windows reach over the edges."""
        rows, columns = (
            max(0, (self.y_shape[k] - 1) * self.stride[k] + self.kernel[k] - reach)
            for k, reach in enumerate(
                (self.x_shape[0] + self.padding[0], self.x_shape[1] + self.padding[1])
            )
        )
        return rows, columns

    @property
    def kind(self) -> Literal["max_pool", "average_pool"]:
        """The layer kind."""
        return "max_pool" if self.mode == "max" else "average_pool"

    @property
    def x_shapes(self) -> tuple[Shape, ...]:
        """The map that it reads."""
        return (self.x_shape,)


Gated = Gru | Lstm
Recurrent = Rnn | Gated
WeightedLayer = Dense | Conv2d | Recurrent | Detector
Layer = WeightedLayer | WeightlessLayer


def window_bounds(length: int, windows: int) -> tuple[int, ...]:
    """Bounds of the windows over `length` rows: windows + 1 numbers (section 14).

    >>> window_bounds(5, 2)
    (0, 2, 5)
    """
    return tuple(a * length // windows for a in range(windows + 1))
