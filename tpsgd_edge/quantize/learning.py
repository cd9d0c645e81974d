"""Learning of a layer with weights on the device (docs/ARITHMETIC.md, sections 6, 7 and 18)."""

from dataclasses import dataclass, replace
from typing import ClassVar, Generic, TypeVar

from tpsgd_edge.quantize.parameters import (
    InputGradient,
    InputGradientF32,
    Loss,
    Projection,
    Requantize,
)


@dataclass(frozen=True, slots=True)
class IntegerSteps:
    """Numbers by which errors become changes of weights, in integers.

    Attributes:
        rate: learning rate; mult in [2^6, 2^15], 1 <= shift <= 30. Its mult is 0 of what keeps its
            weights.
        update_shift: from products of steps and inputs to changes of weights.
        bias_one: the input that a bias is the weight of.
        dead_zone: s16 in Q14 of the error scale.
        error_scale: real value of e / 2^14; for tools, not for the device.
    """

    rate: Requantize
    update_shift: int
    bias_one: int
    dead_zone: int = 0
    error_scale: float = 1.0

    @property
    def still(self) -> "IntegerSteps":
        """The same at a rate of 0."""
        return replace(self, rate=Requantize(0, self.rate.shift))


@dataclass(frozen=True, slots=True)
class FloatSteps:
    """The same in binary32, where the scale of errors is 1."""

    rate: float
    dead_zone: float = 0.0
    error_scale: ClassVar[float] = 1.0

    @property
    def still(self) -> "FloatSteps":
        """The same at a rate of 0."""
        return replace(self, rate=0.0)


Steps = IntegerSteps | FloatSteps
S = TypeVar("S", bound=Steps, covariant=True)


@dataclass(frozen=True, slots=True)
class LayerLearning(Generic[S]):
    """Learning of a layer: from which error, and by which steps.

    Attributes:
        trains: whether it learns on the device; else its weights are constants, and of what stands
            here only the kind of the loss means anything.
        projection: of a hidden layer with a loss of its own.
        unit_offset: place of its units among those that draw random numbers.
        input_gradient: how it hands its errors down; None where it does not.
    """

    loss: Loss
    projection: Projection | None
    steps: S
    unit_offset: int
    trains: bool = True
    input_gradient: InputGradient | InputGradientF32 | None = None

    @property
    def has_learning_readout(self) -> bool:
        """Tell whether the layer learns, and its projection too."""
        return self.trains and self.projection is not None and self.projection.learns
