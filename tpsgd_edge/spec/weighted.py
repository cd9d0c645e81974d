"""Settings that all layers with weights share."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PrivateAttr, field_validator, model_validator

from tpsgd_edge.spec.activations import Activation, check_settings
from tpsgd_edge.spec.base import Positive
from tpsgd_edge.spec.loss import LossSpec
from tpsgd_edge.spec.names import check_c_name
from tpsgd_edge.spec.weightless import ReadingSpec

WeightFormat = Literal["s16", "s8", "f32"]
LayerFormat = Literal[WeightFormat, "s4"]


def _of_all_layers(value: object) -> object:
    if value == "s4":
        raise ValueError(
            'weights of 4 bits do not learn: set weights = "s4" in those layers alone that have '
            "train = false"
        )
    return value


ModelFormat = Annotated[WeightFormat, BeforeValidator(_of_all_layers)]
# Slopes are counted in 2^-15.
_SMALLEST_SLOPE = 2.0**-15
_SMALLEST_ALPHA, _LARGEST_ALPHA = 2.0**-6, 16.0


class WeightedSpec(ReadingSpec):
    """Settings of every layer with weights."""

    name: str
    """Name of the layer, in C and in messages. Example: `name = "fc1"`"""
    train: bool = True
    """Whether the layer learns; if not, its weights lie in flash and take no RAM.
    Example: `train = false`"""
    projection: Literal["prototype", "fitted", "random"] | None = None
    """What the layer's targets are, where they differ from [projection]: the mean activations of
    each class in the trained net, fitted, or random. Example: `projection = "random"`"""
    error: Literal["own", "passed"] = "own"
    """Where a hidden layer has its error from: its own local loss, or the layer above, which passes
    it on through its weights: both learn from one loss. Since: 0.2.0.
    Example: `error = "passed"`"""
    activation: Activation | None = None
    """Activation; where not given, linear in the last layer and tanh in others.
    Example: `activation = "relu"`"""
    negative_slope: Annotated[float, Field(ge=_SMALLEST_SLOPE, le=1 - _SMALLEST_SLOPE)] = 0.01
    """Slope of leaky_relu below zero. Example: `negative_slope = 0.1, activation = "leaky_relu"`"""
    alpha: Annotated[float, Field(ge=_SMALLEST_ALPHA, le=_LARGEST_ALPHA)] | None = None
    """How far elu and its kin reach below zero (1 unless given), or the slope of hard_sigmoid
    (0.2). Example: `alpha = 0.5, activation = "elu"`"""
    beta: Annotated[float, Field(ge=-_LARGEST_ALPHA, le=_LARGEST_ALPHA)] | None = None
    """Value of hard_sigmoid at zero (0.5 unless given).
    Example: `beta = 0.4, activation = "hard_sigmoid"`"""
    weights: LayerFormat | None = None
    """Format of the layer's weights, where it differs from [numbers]; "s4", 4 bits, for dense
    layers and convolutions that do not learn. Example: `weights = "s8"`"""
    loss: LossSpec | None = None
    """Local loss of the layer, where it differs from [rule]; by name or as a table.
    Example: `loss = "l1"`"""
    learning_rate: Positive | None = None
    """Learning rate of the layer, where it differs from [rule]. Example: `learning_rate = 0.005`"""
    weight_range: Positive | None = None
    """Largest weight that the layer can hold; where not given, it follows from initial weights and
    number of inputs. Example: `weight_range = 2.0`"""

    # Whether the learning rate follows from the data, where `with_rate_of_data` has set it.
    _has_rate_of_data: bool = PrivateAttr(default=False)

    _c_name = field_validator("name")(check_c_name)

    @property
    def weighted(self) -> Self:
        """The layer itself, as it has weights."""
        return self

    @property
    def has_rate_of_data(self) -> bool:
        """Tell whether the learning rate is one that nobody has asked for."""
        return self._has_rate_of_data

    def with_rate_of_data(self, rate: float) -> Self:
        """The layer with a learning rate that follows from the data."""
        layer = self.model_copy(update={"learning_rate": rate})
        layer._has_rate_of_data = True
        return layer

    @field_validator("loss", mode="before")
    @classmethod
    def _loss_by_name(cls, value: object) -> object:
        return {"kind": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _settings_belong_to_the_activation(self) -> "WeightedSpec":
        check_settings(self.model_fields_set, self.activation)
        return self
