"""Layers in numbers, one class for each kind (docs/ARITHMETIC.md, sections 4, 14, 15 and 17)."""

import math
from dataclasses import dataclass, field
from typing import Literal

from tpsgd_edge.arithmetic.activations import Numbers
from tpsgd_edge.arithmetic.tables import Curve
from tpsgd_edge.quantize.branches import QuantizedAdd, QuantizedConcat
from tpsgd_edge.quantize.memories import QuantizedMemory
from tpsgd_edge.quantize.parameters import (
    InputGradient,
    Interval,
    Loss,
    Projection,
    Requantize,
    SeededInit,
    StoredInit,
    ValueType,
)


@dataclass(frozen=True, slots=True)
class QuantizedDense:
    """A fully connected layer in numbers. Integer fields are unused (0 or None) in an f32 layer.

    Attributes:
        x_type, y_type: types of input and output; y_type is s16 in the last layer of an integer
            model.
        weight_bits: weights stay in [-2^weight_bits, 2^weight_bits - 1].
        weight_scale, x_scale, y_scale: real value of one unit; for people and for tools, not for
            the device.
        rate: learning rate as (rate_mult, rate_shift); mult in [2^6, 2^15], 1 <= shift <= 30.
        rate_f32: learning rate of an f32 layer.
        dead_zone: s16 in Q14 of the error scale (f32: real).
        accumulator: proved bounds of acc.
        trains: whether it learns on the device; else its weights, `init`, are constants.
        residual: whether its input is added to its outputs (section 19).
        error_scale: real value of e / 2^14.
        negative_slope: of leaky_relu in Q15 (f32: real); 1 elsewhere.
        numbers: settings of the activation, in an f32 layer as binary32.
        curve: of an activation that is a table; None of others, and in an f32 layer.
        input_gradient: how it hands errors down under backpropagation; None where it does not.
    """

    name: str
    n_in: int
    n_out: int
    activation: str
    weight_type: ValueType
    x_type: ValueType
    y_type: ValueType
    is_last: bool
    weight_bits: int
    weight_scale: float
    x_scale: float
    y_scale: float
    bias_shift: int
    bias_one: int
    z: Requantize | None
    z_min: int
    z_max: int
    accumulator: Interval | None
    loss: Loss
    projection: Projection | None
    rate: Requantize | None
    rate_f32: float
    update_shift: int
    dead_zone: int | float
    unit_offset: int
    init: SeededInit | StoredInit
    trains: bool = field(default=True, kw_only=True)
    residual: bool = field(default=False, kw_only=True)
    error_scale: float = field(default=1.0, kw_only=True)
    negative_slope: int | float = field(default=2**15, kw_only=True)
    numbers: Numbers = field(default=(), kw_only=True)
    curve: Curve | None = field(default=None, kw_only=True)
    input_gradient: InputGradient | None = field(default=None, kw_only=True)

    @property
    def kind(self) -> str:
        """The layer kind, as in the spec."""
        return "dense"

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
    def steepest(self) -> float:
        """Real value of a derivative of 2^15."""
        return 1.0 if self.curve is None else self.curve.steepest

    @property
    def has_learning_readout(self) -> bool:
        """Tell whether the layer learns, and its projection too."""
        return self.trains and self.projection is not None and self.projection.learns

    @property
    def n_weights(self) -> int:
        """Entries of w, without biases."""
        return self.n_in * self.n_out

    @property
    def bias_type(self) -> Literal["s32", "f32"]:
        """Type of b."""
        return "f32" if self.weight_type == "f32" else "s32"


@dataclass(frozen=True, slots=True)
class Geometry:
    """Shapes of a convolution (section 14). Maps are (height, width, channels).

    Attributes:
        x_shape, y_shape: input and output map.
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
class QuantizedConv2d(QuantizedDense):
    """A convolution: a dense layer from a patch (n_in values) to n_out channels, everywhere."""

    geometry: Geometry

    @property
    def kind(self) -> str:
        """The layer kind, as in the spec."""
        return "conv2d"

    @property
    def x_count(self) -> int:
        """Values in the input map."""
        return math.prod(self.geometry.x_shape)

    @property
    def y_count(self) -> int:
        """Values in the output map; units that draw random numbers."""
        return math.prod(self.geometry.y_shape)

    @property
    def n_target(self) -> int:
        """Values of the averaged map: rows of the projection."""
        return math.prod(self.geometry.windows) * self.n_out


@dataclass(frozen=True, slots=True)
class QuantizedRnn(QuantizedDense):
    """A recurrent layer (section 15): a dense layer from [x; own last output] to its units.

    Attributes:
        leak_shifts: s of each group of units.
        has_traces: whether it learns from traces, else from the present.
        own_shift: from the state to an input of the layer itself; not used by an f32 layer.
        input_bound, bias_bound: as the bound of `SeededInit`, for the columns of the inputs and for
            biases.
    """

    leak_shifts: tuple[int, ...]
    has_traces: bool
    own_shift: int
    input_bound: int | float
    bias_bound: int | float

    @property
    def kind(self) -> str:
        """The layer kind, as in the spec."""
        return "rnn"

    @property
    def n_x(self) -> int:
        """Values in the layer's own input at one step."""
        return self.n_in - self.n_out

    @property
    def keeps_traces(self) -> bool:
        """Tell whether traces are kept to learn from."""
        return self.trains and self.has_traces

    @property
    def keeps_present(self) -> bool:
        """Tell whether v and c of the latest step are kept to learn from."""
        return self.trains and not self.has_traces

    @property
    def group_bounds(self) -> tuple[int, ...]:
        """The first unit of each group, and n_out."""
        groups = len(self.leak_shifts)
        return tuple(g * self.n_out // groups for g in range(groups + 1))

    @property
    def x_count(self) -> int:
        """Values in the layer's input at one step."""
        return self.n_x

    @property
    def state_type(self) -> Literal["s16", "f32"]:
        """Type of h and trace."""
        return "f32" if self.weight_type == "f32" else "s16"


@dataclass(frozen=True, slots=True)
class QuantizedGru:
    """A gated recurrent layer (section 17): two dense units and a state.

    Attributes:
        reads: X: sums over the input, for reset gate, update gate and candidate.
        own: U: the same over the layer's own output.
        reset_before: whether the reset gate acts on the state before the candidate's sums.
        y_scale: real value of one unit of the output.
        loss_layer: a linear layer with its outputs, whose loss is the layer's; None where
            it does not learn.
    """

    name: str
    reads: QuantizedDense
    own: QuantizedDense
    reset_before: bool
    y_scale: float
    loss_layer: QuantizedDense | None = None

    @property
    def kind(self) -> str:
        """The layer kind, as in the spec."""
        return "gru"

    @property
    def parts(self) -> tuple[QuantizedDense, QuantizedDense]:
        """Both dense units."""
        return self.reads, self.own

    @property
    def trains(self) -> bool:
        """Tell whether it learns on the device."""
        return self.loss_layer is not None

    @property
    def weight_type(self) -> ValueType:
        """Type of the weights of both units."""
        return self.reads.weight_type

    @property
    def x_type(self) -> ValueType:
        """Type of the input."""
        return self.reads.x_type

    @property
    def y_type(self) -> ValueType:
        """Type of the output: that of the input."""
        return self.reads.x_type

    @property
    def n_x(self) -> int:
        """Values in the layer's own input at one step."""
        return self.reads.n_in

    @property
    def n_out(self) -> int:
        """Units."""
        return self.own.n_in

    @property
    def x_count(self) -> int:
        """Values in the layer's input at one step."""
        return self.n_x

    @property
    def y_count(self) -> int:
        """Values in the layer's output."""
        return self.n_out

    @property
    def state_type(self) -> Literal["s16", "f32"]:
        """Type of h."""
        return "f32" if self.weight_type == "f32" else "s16"


@dataclass(frozen=True, slots=True)
class QuantizedPool:
    """Pooling (section 14): learns nothing; type and scale stay.

    Attributes:
        mode: max or average; global pooling is the average over the whole map.
        x_shape, y_shape: maps (height, width, channels).
        padding: rows and columns by which the first windows reach over the edges of the map.
    """

    name: str
    mode: Literal["max", "average"]
    x_shape: tuple[int, int, int]
    y_shape: tuple[int, int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    x_type: ValueType
    x_scale: float
    padding: tuple[int, int] = (0, 0)

    @property
    def kind(self) -> str:
        """Name of the kind in templates."""
        return f"{self.mode}_pool"

    @property
    def is_cut(self) -> bool:
        """Tell whether windows reach over the edges of the map, where nothing counts."""
        return any(
            before or (outputs - 1) * stride + kernel > size + before
            for before, outputs, stride, kernel, size in zip(
                self.padding, self.y_shape, self.stride, self.kernel, self.x_shape, strict=False
            )
        )

    @property
    def y_type(self) -> ValueType:
        """Type of the output: that of the input."""
        return self.x_type

    @property
    def y_scale(self) -> float:
        """Real value of one unit of the output: that of the input."""
        return self.x_scale

    @property
    def x_count(self) -> int:
        """Values in the input map."""
        return math.prod(self.x_shape)

    @property
    def y_count(self) -> int:
        """Values in the output map."""
        return math.prod(self.y_shape)


QuantizedRecurrent = QuantizedRnn | QuantizedGru
QuantizedLayer = (
    QuantizedDense
    | QuantizedConv2d
    | QuantizedRecurrent
    | QuantizedMemory
    | QuantizedPool
    | QuantizedAdd
    | QuantizedConcat
)
