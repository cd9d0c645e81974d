"""The quantized model: every integer that the device will see (docs/ARITHMETIC.md).

Nothing here is derived again downstream: reference and generator read the same numbers, and only
these.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

ValueType = Literal["s8", "s16", "f32"]
DTYPES: dict[str, np.dtype[np.generic]] = {
    "s8": np.dtype("<i1"),
    "s16": np.dtype("<i2"),
    "s32": np.dtype("<i4"),
    "u16": np.dtype("<u2"),
    "u32": np.dtype("<u4"),
    "f32": np.dtype("<f4"),
}


def limits(value_type: str) -> tuple[int, int]:
    """Smallest and largest value of an integer type.

    >>> limits("s8")
    (-128, 127)
    """
    reach = 2 ** (8 * DTYPES[value_type].itemsize - 1)
    return -reach, reach - 1


@dataclass(frozen=True, slots=True)
class Requantize:
    """A positive real factor as mult / 2^shift, mult in [2^14, 2^15] (section 4)."""

    mult: int
    shift: int


@dataclass(frozen=True, slots=True)
class Interval:
    """Inclusive bounds that hold for every input and every state of training (section 11)."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Projection:
    """A fixed random matrix P (section 9).

    `values` has shape (n_out, n_labels), int8; it follows from `seed` and `kind` whatever the
    storage.
    """

    kind: Literal["sign", "ternary", "gaussian"]
    storage: Literal["seed", "packed", "s8"]
    seed: int
    values: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Target:
    """Integer parameters of a target (section 6.1).

    Hidden layers use mid, mult and shift, the last one on and off.
    """

    mid: int = 0
    mult: int = 0
    shift: int = 0
    on: int = 0
    off: int = 0


@dataclass(frozen=True, slots=True)
class TargetF32:
    """Real parameters of a target, already rounded to binary32 (section 12)."""

    mid: float = 0.0
    mult: float = 0.0
    on: float = 0.0
    off: float = 0.0


@dataclass(frozen=True, slots=True)
class Loss:
    """One local loss (section 6).

    Attributes:
        kind: as in the spec: projected_cross_entropy, projected_l2, l2, l1, huber, dead_zone,
            cross_entropy, custom or softmax_cross_entropy.
        target: for the losses in target space.
        delta: of huber and dead_zone, s16 in Q14 of R (f32: real).
        readout: g of the losses in label space (f32: `readout_f32`).
        error_shift: e_shift of the losses in label space (f32: `error_scale_f32`).
        table: C of a custom loss, 256 entries, int16 (f32: float32).
        custom_scale_f32: 64 / R.
    """

    kind: str
    target: Target | TargetF32 | None = None
    delta: int | float = 0
    readout: Requantize | None = None
    readout_f32: float = 0.0
    error_shift: int = 0
    error_scale_f32: float = 0.0
    table: NDArray[np.int16] | NDArray[np.float32] | None = None
    custom_scale_f32: float = 0.0

    @property
    def in_label_space(self) -> bool:
        """Whether P^T y is compared with the label, instead of y with P y*."""
        return self.kind in ("projected_cross_entropy", "projected_l2")

    @property
    def cancels_derivative(self) -> bool:
        """Whether delta = e, because the loss matches the activation (section 7)."""
        return self.kind in ("softmax_cross_entropy", "cross_entropy")


@dataclass(frozen=True, slots=True)
class SeededInit:
    """First weights drawn on the device from the seed (section 10). `bound` is a; real for f32."""

    seed: int
    bound: int | float


@dataclass(frozen=True, slots=True)
class StoredInit:
    """First weights kept in flash: w (n_out, n_in) in the weight format, b (n_out,) s32 or f32."""

    w: NDArray[np.generic]
    b: NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class QuantizedDense:
    """A fully connected layer in numbers. Integer fields are unused (0 or None) in an f32 layer.

    Attributes:
        x_type, y_type: types of input and output; y_type is s16 in the last layer of an integer
            model.
        weight_bits: k: weights stay in [-2^k, 2^k - 1].
        weight_scale, x_scale, y_scale: real value of one unit; for people and for tools, not for
            the device.
        rate: learning rate as (rate_mult, rate_shift); mult in [2^14, 2^15], 1 <= shift <= 30.
        rate_f32: learning rate of an f32 layer.
        dead_zone: s16 in Q14 of the error scale (f32: real).
        accumulator: proved bounds of acc.
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
        windows: kr, kc: windows over which the output map is averaged for the local loss.
    """

    x_shape: tuple[int, int, int]
    y_shape: tuple[int, int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    groups: int
    windows: tuple[int, int]


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
class QuantizedPool:
    """Pooling (section 14): learns nothing; type and scale stay.

    Attributes:
        mode: max or average; global pooling is the average over the whole map.
        x_shape, y_shape: maps (height, width, channels).
    """

    name: str
    mode: Literal["max", "average"]
    x_shape: tuple[int, int, int]
    y_shape: tuple[int, int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    x_type: ValueType
    x_scale: float

    @property
    def kind(self) -> str:
        """What the templates call it."""
        return f"{self.mode}_pool"

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


QuantizedLayer = QuantizedDense | QuantizedConv2d | QuantizedPool


@dataclass(frozen=True, slots=True)
class Schedule:
    """Decay of the learning rate (section 8).

    `decay` holds 1 to 32 factors in Q15 (u16); `decay_f32` the same for f32 models, each decay /
    2^15.
    A segment lasts `segment_steps` training steps.
    """

    decay: tuple[int, ...]
    segment_steps: int

    @property
    def decay_f32(self) -> tuple[float, ...]:
        """The factors as exact binary32 values."""
        return tuple(d / 2**15 for d in self.decay)


@dataclass(frozen=True, slots=True)
class InputScaling:
    """How raw samples become x: x = sat(round((raw - mean) / deviation / scale)).

    `mean` and `deviation` have one entry for all inputs, or one for each.
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    scale: float


@dataclass(frozen=True, slots=True)
class LabelFormat:
    """Labels: class indices (u16), or vectors in Q15 of `scale` (s16; f32 models: real values).

    For vectors, label = (raw - mean) / deviation, one entry for all values or one for each.
    """

    kind: Literal["class", "vector"]
    count: int
    scale: float
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class QuantizedModel:
    """Everything that defines the arithmetic of one model.

    Attributes:
        value_type: type of the input x, and of hidden outputs: s8, s16 or f32.
        gate: error gate, u16 in Q15 (f32: real), None without one.
        seed: of the spec; `stream(seed, 0, 0)` is the first `rng`.
    """

    name: str
    seed: int
    value_type: ValueType
    layers: tuple[QuantizedLayer, ...]
    labels: LabelFormat
    inputs: InputScaling
    schedule: Schedule
    gate: int | float | None

    @property
    def trained(self) -> tuple[QuantizedDense, ...]:
        """The layers that have weights, first to last."""
        return tuple(layer for layer in self.layers if isinstance(layer, QuantizedDense))

    @property
    def last(self) -> QuantizedDense:
        """The layer that meets the labels."""
        return self.trained[-1]

    @property
    def n_in(self) -> int:
        """Values in one input sample."""
        return self.layers[0].x_count

    @property
    def n_out(self) -> int:
        """Outputs of the last layer."""
        return self.last.n_out

    @property
    def output_type(self) -> ValueType:
        """Type of the last layer's outputs."""
        return self.last.y_type

    @property
    def total_units(self) -> int:
        """Units that draw random numbers: what `rng` advances by, times PHI."""
        return sum(layer.y_count for layer in self.trained)
