"""The layer kinds of a spec: one section each, told apart by `kind`.

Layers that learn share `WeightedSpec`: weights, a local loss and a learning rate. What only the
shape of the data can tell is checked where the graph is built.
"""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from tpsgd_edge.spec.base import Positive
from tpsgd_edge.spec.detector import DetectorSpec
from tpsgd_edge.spec.leaks import leaks
from tpsgd_edge.spec.lengths import LARGEST, is_length, padding, pair
from tpsgd_edge.spec.memory import MemorySpec
from tpsgd_edge.spec.weighted import WeightedSpec
from tpsgd_edge.spec.weightless import MapSpec


class DenseSpec(WeightedSpec):
    """A fully connected layer."""

    kind: Literal["dense"] = "dense"
    """Kind of the layer; may be left out for dense ones. Example: `kind = "dense"`"""
    units: Annotated[int, Field(ge=1, le=LARGEST)]
    """Number of outputs. Example: `units = 32`"""


class AdaptorSpec(WeightedSpec):
    """A linear layer that learns what to add to the values it reads; first it adds nothing.

    Behind a map it is a convolution of 1 x 1, elsewhere a dense layer.
    """

    kind: Literal["adaptor"]
    """Kind of the layer. Example: `kind = "adaptor"`"""
    activation: Literal["linear"] = "linear"
    """Activation of an adaptor, which is always linear. Example: `activation = "linear"`"""
    target_pool: int | Literal["position"] = 4
    """Behind a map, k: the local loss sees the map averaged over k x k windows; "position" makes
    every position a window. Example: `target_pool = 2`"""

    @field_validator("target_pool", mode="before")
    @classmethod
    def _target_pool_is_a_number_or_position(cls, value: object) -> object:
        return _number_or(value, "position", key="target_pool")


class ConvSpec(WeightedSpec):
    """Settings that convolutions in one and two dimensions share."""

    filters: Annotated[int, Field(ge=1, le=LARGEST)]
    """Number of output channels. Example: `filters = 16`"""
    padding: Literal["valid", "same"] | tuple[int, int, int, int] = "valid"
    """Zeros around the map: none, as many as keep its size, or numbers: 1; [1, 2] for rows and
    columns, or in one dimension for left and right; [above, left, below, right].
    Example: `padding = "same"`"""
    groups: int | Literal["depthwise"] = 1
    """Number of groups of channels that do not see each other; "depthwise": one for each channel.
    Example: `groups = 2`"""
    target_pool: int | Literal["position"] = 4
    """k: the local loss sees the map averaged over k x k windows; "position" makes every position a
    window. Example: `target_pool = "position"`"""

    # Before the unions of types, whose own messages would name each type apart.
    @field_validator("groups", mode="before")
    @classmethod
    def _groups_are_a_number_or_depthwise(cls, value: object) -> object:
        return _number_or(value, "depthwise", key="groups")

    @field_validator("target_pool", mode="before")
    @classmethod
    def _target_pool_is_a_number_or_position(cls, value: object) -> object:
        return _number_or(value, "position", key="target_pool")


class Conv2dSpec(ConvSpec):
    """A convolution over rows and columns."""

    kind: Literal["conv2d"]
    """Kind of the layer. Example: `kind = "conv2d"`"""
    kernel: tuple[int, int] = (3, 3)
    """Rows and columns of the filters; one number for both. Example: `kernel = [3, 5]`"""
    stride: tuple[int, int] = (1, 1)
    """Rows and columns from one place to the next; one number for both. Example: `stride = 2`"""
    dilation: tuple[int, int] = (1, 1)
    """Rows and columns between neighbouring weights of a filter; one number for both.
    Example: `dilation = 2`"""

    @field_validator("kernel", mode="before")
    @classmethod
    def _kernel_is_a_pair(cls, value: object) -> object:
        return pair(value, key="kernel")

    @field_validator("stride", mode="before")
    @classmethod
    def _stride_is_a_pair(cls, value: object) -> object:
        return pair(value, key="stride")

    @field_validator("dilation", mode="before")
    @classmethod
    def _dilation_is_a_pair(cls, value: object) -> object:
        return pair(value, key="dilation")

    @field_validator("padding", mode="before")
    @classmethod
    def _padding_goes_around(cls, value: object) -> object:
        zeros = padding(value, "1, [1, 2] for rows and columns, or [above, left, below, right]", 4)
        return zeros * (4 // len(zeros)) if isinstance(zeros, tuple) else zeros


class Conv1dSpec(ConvSpec):
    """A convolution along the columns of a map that is one row high: steps of time.

    With padding = "causal" no step sees a later one: all zeros come before the first.
    """

    kind: Literal["conv1d"]
    """Kind of the layer. Example: `kind = "conv1d"`"""
    kernel: Annotated[int, Field(ge=1, le=LARGEST)] = 3
    """Steps that a filter sees. Example: `kernel = 9`"""
    stride: Annotated[int, Field(ge=1, le=LARGEST)] = 1
    """Steps from one place to the next. Example: `stride = 2`"""
    dilation: Annotated[int, Field(ge=1, le=LARGEST)] = 1
    """Steps between neighbouring weights of a filter. Example: `dilation = 4`"""
    padding: Literal["valid", "same", "causal"] | tuple[int, int, int, int] = "valid"  # type: ignore[assignment]
    """Zeros around the sequence: none, as many as keep its length, all of them before the first
    step ("causal"), or numbers: 1, or [1, 2] for left and right. Example: `padding = "causal"`"""

    @field_validator("padding", mode="before")
    @classmethod
    def _padding_is_left_and_right(cls, value: object) -> object:
        if value == "causal":
            return value
        zeros = padding(value, "1, or [1, 2] for left and right", 2)
        return (0, zeros[0], 0, zeros[-1]) if isinstance(zeros, tuple) else zeros


class RnnSpec(WeightedSpec):
    """A recurrent layer: it reads a sequence step by step and also its own last output."""

    is_recurrent: ClassVar[bool] = True
    kind: Literal["rnn"]
    """Kind of the layer. Example: `kind = "rnn"`"""
    units: Annotated[int, Field(ge=1, le=LARGEST)]
    """Number of outputs, which are the state. Example: `units = 32`"""
    leak: tuple[float, ...] = (1.0, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.0625)
    """Share by which the state moves towards the new activation at each step, a power of two: 1 is
    the plain (Elman) layer; a list gives each of as many groups of units its own.
    Example: `leak = [1, 0.5, 0.25]`"""
    learns_from: Literal["present", "trace"] | None = None
    """What the layer learns from: what it reads and is at present, or a trace of what it read of
    late, which fades as the state does. Example: `learns_from = "trace"`"""
    input_gain: Positive = 2.0
    """Initial weights of inputs are drawn from +-input_gain / sqrt(inputs).
    Example: `input_gain = 1.0`"""
    recurrent_gain: Positive = 2.0
    """Initial weights of the own output are drawn from +-recurrent_gain / sqrt(units).
    Example: `recurrent_gain = 1.0`"""
    bias_range: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """Initial biases are drawn from +-bias_range. Example: `bias_range = 0.1`"""

    # Before the union of types, whose own messages would name each type apart.
    @field_validator("leak", mode="before")
    @classmethod
    def _leaks_are_powers_of_two(cls, value: object) -> object:
        return leaks(value)

    @model_validator(mode="after")
    def _groups_have_units(self) -> "RnnSpec":
        if len(self.leak) > self.units and "leak" in self.model_fields_set:
            raise ValueError(f"there are more leaks ({len(self.leak)}) than units ({self.units})")
        return self


class GatedSpec(WeightedSpec):
    """Settings that gated recurrent layers share."""

    is_recurrent: ClassVar[bool] = True
    called: ClassVar[str]

    @model_validator(mode="after")
    def _has_activations_of_its_own(self) -> Self:
        if self.activation not in (None, "tanh"):
            raise ValueError(f"{self.called} has tanh and sigmoid inside: leave activation out")
        return self


class GruSpec(GatedSpec):
    """A gated recurrent layer, with gates that say how far its state moves."""

    called: ClassVar[str] = "a gru layer"
    kind: Literal["gru"]
    """Kind of the layer. Example: `kind = "gru"`"""
    units: Annotated[int, Field(ge=1, le=LARGEST // 3)]
    """Number of outputs, which are the state. Example: `units = 32`"""
    reset: Literal["after", "before"] = "after"
    """Whether the reset gate acts on the recurrent sums of the candidate (as in PyTorch) or on the
    state before them; such a layer does not learn on the device.
    Example: `reset = "before", train = false`"""

    @model_validator(mode="after")
    def _can_learn_as_it_is(self) -> "GruSpec":
        if self.train and self.reset == "before":
            raise ValueError(
                'a gru layer with reset = "before" does not learn on the device: its reset gate '
                'would need the errors of other units; set train = false, or reset = "after"'
            )
        return self


class LstmSpec(GatedSpec):
    """A layer of long short-term memory, whose gates say what its cells keep, take in and show."""

    called: ClassVar[str] = "an lstm layer"
    kind: Literal["lstm"]
    """Kind of the layer. Since: 0.2.0. Example: `kind = "lstm"`"""
    units: Annotated[int, Field(ge=1, le=LARGEST // 4)]
    """Number of outputs, each of which has a cell. Since: 0.2.0. Example: `units = 32`"""
    cell_clip: Annotated[float, Field(gt=0, le=32768)] | None = None
    """Largest magnitude of a cell, where it has one: TensorFlow Lite's LSTM has 10.
    Since: 0.2.0. Example: `cell_clip = 10.0`"""


RecurrentSpec = RnnSpec | GruSpec | LstmSpec


def _kind(value: Any) -> str:
    kind = value.get("kind", "dense") if isinstance(value, dict) else getattr(value, "kind", None)
    if kind is None and not isinstance(value, dict):
        return "dense"  # whose own check says that this is no table
    return kind if isinstance(kind, str) else repr(kind)[:60]


LayerSpec = Annotated[
    Annotated[DenseSpec, Tag("dense")]
    | Annotated[AdaptorSpec, Tag("adaptor")]
    | Annotated[Conv2dSpec, Tag("conv2d")]
    | Annotated[Conv1dSpec, Tag("conv1d")]
    | Annotated[RnnSpec, Tag("rnn")]
    | Annotated[GruSpec, Tag("gru")]
    | Annotated[LstmSpec, Tag("lstm")]
    | Annotated[MemorySpec, Tag("memory")]
    | Annotated[DetectorSpec, Tag("detector")]
    | MapSpec,
    Discriminator(_kind),
]


def _number_or(value: object, word: str, *, key: str) -> object:
    if not is_length(value) and value != word:
        raise ValueError(f'{key!r} is a number from 1 to {LARGEST:,}, or "{word}"')
    return value
