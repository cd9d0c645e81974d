"""Layers in numbers (docs/ARITHMETIC.md, sections 4, 14 and 15).

A layer with weights is made of three parts: its shape says what it computes, its numbers in which
integers or reals, and its learning from which error and by which steps.
"""

from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, TypeVar, cast

from tpsgd_edge.arithmetic.activations import Numbers
from tpsgd_edge.arithmetic.formats import FORMATS
from tpsgd_edge.quantize.detectors import QuantizedDetector
from tpsgd_edge.quantize.gated import QuantizedGated
from tpsgd_edge.quantize.learning import FloatSteps, IntegerSteps, LayerLearning, Steps
from tpsgd_edge.quantize.numbers import FloatNumbers, IntegerNumbers, LayerNumbers
from tpsgd_edge.quantize.parameters import (
    Loss,
    Projection,
    SeededInit,
    StoredInit,
    ValueType,
    WeightType,
)
from tpsgd_edge.quantize.shapes import Conv2dShape, RnnShape, WeightedShape
from tpsgd_edge.quantize.weightless import QuantizedWeightless, Weightless

G = TypeVar("G", bound=WeightedShape, covariant=True)
N = TypeVar("N", bound=LayerNumbers, covariant=True)
S = TypeVar("S", bound=Steps, covariant=True)


@dataclass(frozen=True, slots=True)
class Weighted(Generic[G, N, S]):
    """A layer with weights: dense, a convolution, or an rnn.

    Attributes:
        shape: what it computes: of which kind it is, from how many values to how many.
        init: first values of its weights; of one that does not train, all that it ever has.
        is_last: whether it meets the labels themselves.
        settings: of the activation; in binary32 as such.
        residual: whether its input is added to its outputs (section 19).
    """

    name: str
    shape: G
    activation: str
    numbers: N
    learning: LayerLearning[S]
    init: SeededInit | StoredInit
    is_last: bool
    settings: Numbers = ()
    residual: bool = False

    @property
    def kind(self) -> str:
        """The layer kind, as in the spec."""
        return self.shape.kind

    @property
    def units(self) -> tuple["QuantizedWeighted", ...]:
        """Parts that have weights: the layer itself."""
        return (self,)

    def with_units(self, units: "tuple[QuantizedWeighted, ...]") -> "QuantizedWeighted":
        """The layer with these parts in place of its `units`."""
        (own,) = units
        return own

    @property
    def loss_layer(self) -> "QuantizedWeighted":
        """The layer that has the loss: itself."""
        return self

    @property
    def hands_down_windows(self) -> bool:
        """Tell whether it passes on an error of its own loss, which has one of each window."""
        passes = self.trains and self.learning.input_gradient is not None
        return passes and self.loss.is_local and self.kind == "conv2d"

    @property
    def passes_only(self) -> bool:
        """Tell whether it does not learn, but passes errors on."""
        return not self.trains and self.learning.input_gradient is not None

    @property
    def is_recurrent(self) -> bool:
        """Tell whether it reads a sequence."""
        return self.shape.is_recurrent

    @property
    def n_in(self) -> int:
        """Values that a unit reads."""
        return self.shape.n_in

    @property
    def n_out(self) -> int:
        """Rows of w."""
        return self.shape.n_out

    @property
    def n_weights(self) -> int:
        """Entries of w, without biases."""
        return self.shape.n_in * self.shape.n_out

    @property
    def weight_bytes(self) -> int:
        """Bytes of w; in s4, two rows share theirs (section 31)."""
        rows = -(-self.n_out // 2) if self.weight_type == "s4" else self.n_out
        return rows * self.n_in * FORMATS[self.weight_type].dtype.itemsize

    @property
    def x_count(self) -> int:
        """Values in the layer's input; of a sequence, at one timestep."""
        return self.shape.x_count

    @property
    def y_count(self) -> int:
        """Values in the layer's output; units that draw random numbers."""
        return self.shape.y_count

    @property
    def n_target(self) -> int:
        """Values that the local loss compares: rows of the projection."""
        return self.shape.n_target

    @property
    def weight_type(self) -> WeightType:
        """Type of w."""
        return self.numbers.weight_type

    @property
    def bias_type(self) -> Literal["s32", "f32"]:
        """Type of b."""
        return self.numbers.bias_type

    @property
    def x_type(self) -> ValueType:
        """Type of the input."""
        return self.numbers.x_type

    @property
    def y_type(self) -> ValueType:
        """Type of the output."""
        return self.numbers.y_type

    @property
    def y_scale(self) -> float:
        """Real value of one unit of the output."""
        return self.numbers.y_scale

    @property
    def error_type(self) -> Literal["s16", "f32"]:
        """Type of errors and steps, and of the state of a recurrent layer."""
        return self.numbers.error_type

    @property
    def trains(self) -> bool:
        """Tell whether it learns on the device."""
        return self.learning.trains

    @property
    def loss(self) -> Loss:
        """The local loss."""
        return self.learning.loss

    @property
    def projection(self) -> Projection | None:
        """The projection of a hidden layer with a loss of its own."""
        return self.learning.projection

    @property
    def has_learning_readout(self) -> bool:
        """Tell whether the layer learns, and its projection too."""
        return self.learning.has_learning_readout


QuantizedWeighted: TypeAlias = Weighted[WeightedShape, LayerNumbers, Steps]
QuantizedConv2d: TypeAlias = Weighted[Conv2dShape, LayerNumbers, Steps]
QuantizedRnn: TypeAlias = Weighted[RnnShape, LayerNumbers, Steps]
IntegerWeighted: TypeAlias = Weighted[WeightedShape, IntegerNumbers, IntegerSteps]
FloatWeighted: TypeAlias = Weighted[WeightedShape, FloatNumbers, FloatSteps]


def in_integers(layer: QuantizedWeighted) -> IntegerWeighted:
    """Return the layer, known to have integers."""
    assert isinstance(layer.numbers, IntegerNumbers), f"'{layer.name}' is in binary32"
    return cast(IntegerWeighted, layer)


def in_binary32(layer: QuantizedWeighted) -> FloatWeighted:
    """Return the layer, known to be in binary32."""
    assert isinstance(layer.numbers, FloatNumbers), f"'{layer.name}' is in integers"
    return cast(FloatWeighted, layer)


def keeps_traces(layer: QuantizedRnn) -> bool:
    """Tell whether traces of a recurrent layer are kept to learn from."""
    return layer.trains and layer.shape.has_traces


def keeps_present(layer: QuantizedRnn) -> bool:
    """Tell whether v and c of a recurrent layer's latest step are kept to learn from."""
    return layer.trains and not layer.shape.has_traces


@dataclass(frozen=True, slots=True)
class QuantizedPool(Weightless):
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
    def x_shapes(self) -> tuple[tuple[int, int, int], ...]:
        """The map that it reads."""
        return (self.x_shape,)

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
    def y_scale(self) -> float:
        """Real value of one unit of the output: that of the input."""
        return self.x_scale


QuantizedRecurrent = QuantizedRnn | QuantizedGated
QuantizedLayer = QuantizedWeighted | QuantizedGated | QuantizedDetector | QuantizedWeightless
