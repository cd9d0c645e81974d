"""Detectors in numbers, as the device sees them (docs/ARITHMETIC.md, section 25)."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from tpsgd_edge.quantize.parameters import Requantize, ValueType

if TYPE_CHECKING:
    from tpsgd_edge.quantize.layers import QuantizedWeighted

# Of threshold / level: the unit, the first value, the range.
RATIO_BITS, FIRST_RATIO, RATIO_RANGE = 20, 3 << 19, (1 << 19, 1 << 25)
# Of the level: the unit, and the slowest leak.
LEVEL_BITS, LEVEL_LEAK = 8, 7
# Of means and variances: the unit of a mean, the slowest leak, the smallest variance.
MEAN_BITS, SLOWEST_LEAK = 14, 10
LARGEST_COUNT = 1 << 30


@dataclass(frozen=True, slots=True)
class OwnTensor:
    """A tensor of the state beside weights and biases, s32.

    Attributes:
        role: its name behind that of the layer.
        first: its first values, (count,).
        low, high: the range that training keeps it in.
    """

    role: Literal["m", "v", "t"]
    first: tuple[int, ...]
    low: int
    high: int

    @property
    def count(self) -> int:
        """Numbers in it."""
        return len(self.first)


@dataclass(frozen=True, slots=True)
class QuantizedDetector:
    """A detector: it scores its input, and keeps a threshold.

    Attributes:
        code: the units of a reconstruction; None of statistics.
        back: from sums over the units to the unit of the input; of a reconstruction.
        mean: stands for 1 / n_in.
        up, down: how far the ratio moves.
        loss_layer: a linear layer of its outputs, whose label is the class.
    """

    name: str
    n_in: int
    code: "QuantizedWeighted | None"
    back: Requantize | None
    mean: Requantize
    up: int
    down: int
    loss_layer: "QuantizedWeighted"
    kind: ClassVar[Literal["detector"]] = "detector"
    is_recurrent: ClassVar[bool] = False
    trains: ClassVar[bool] = True

    @property
    def units(self) -> "tuple[QuantizedWeighted, ...]":
        """Parts that have weights."""
        return () if self.code is None else (self.code,)

    def with_units(self, units: "tuple[QuantizedWeighted, ...]") -> "QuantizedDetector":
        """The layer with these parts in place of its `units`."""
        return replace(self, code=units[0]) if units else self

    @property
    def method(self) -> Literal["reconstruction", "statistics"]:
        """The word of the spec for what a sample is compared with."""
        return "statistics" if self.code is None else "reconstruction"

    @property
    def tensors(self) -> tuple[OwnTensor, ...]:
        """State beside weights and biases, each (count,)."""
        threshold = OwnTensor("t", (0, FIRST_RATIO, 0), 0, LARGEST_COUNT)
        if self.code is not None:
            return (threshold,)
        zeros = (0,) * self.n_in
        means = OwnTensor("m", zeros, -(1 << 15 + MEAN_BITS), 1 << 15 + MEAN_BITS)
        return means, OwnTensor("v", zeros, 0, 1 << 30), threshold

    @property
    def x_type(self) -> ValueType:
        """Type of the input."""
        return self.loss_layer.x_type

    @property
    def y_type(self) -> ValueType:
        """Type of threshold and score."""
        return self.loss_layer.y_type

    @property
    def y_scale(self) -> float:
        """Real value of one unit of the score."""
        return self.loss_layer.y_scale

    @property
    def x_count(self) -> int:
        """Values in its input."""
        return self.n_in

    @property
    def y_count(self) -> int:
        """Threshold and score."""
        return 2

    @property
    def n_out(self) -> int:
        """Threshold and score."""
        return 2

    @property
    def about(self) -> str:
        """The method in words."""
        if self.code is None:
            return "mean and variance of each input"
        return f"reconstruction by {self.code.n_out} units"
