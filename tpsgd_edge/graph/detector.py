"""The layer that scores how odd its input is (docs/ARITHMETIC.md, section 25)."""

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from tpsgd_edge.arithmetic.activations import Numbers
from tpsgd_edge.graph.learning import Learning
from tpsgd_edge.graph.weightless import Shape


@dataclass(frozen=True, slots=True)
class Detector:
    """A detector: outputs are a threshold and the score, of a class each: normal, anomaly.

    Attributes:
        n_out: units of a reconstruction, rows of W; 0 of statistics.
        false_alarms: share of the normal samples with scores above the threshold.
    """

    name: str
    n_in: int
    n_out: int
    false_alarms: float
    learning: Learning = field(default=Learning(), kw_only=True)
    activation: ClassVar[str] = "linear"
    numbers: ClassVar[Numbers] = ()
    residual: ClassVar[bool] = False
    is_recurrent: ClassVar[bool] = False
    is_on_maps: ClassVar[bool] = False
    input_gain: ClassVar[float] = 1.0
    recurrent_gain: ClassVar[float] = 1.0
    target_area: ClassVar[float] = 1.0

    @property
    def kind(self) -> Literal["detector"]:
        """The layer kind, as in the spec."""
        return "detector"

    @property
    def weighted(self) -> "Detector":
        """The layer itself, as it learns."""
        return self

    @property
    def has_units(self) -> bool:
        """Tell whether it reconstructs its input from a few units."""
        return self.n_out > 0

    @property
    def weight_shapes(self) -> tuple[tuple[int, int], tuple[int, ...]]:
        """The shapes of w and b."""
        return (self.n_out, self.n_in), (self.n_out,)

    @property
    def x_shapes(self) -> tuple[Shape, ...]:
        """The input, as a map."""
        return ((1, 1, self.n_in),)

    @property
    def y_shape(self) -> Shape:
        """The output, as a map."""
        return (1, 1, self.y_count)

    @property
    def x_count(self) -> int:
        """Values in the layer's input."""
        return self.n_in

    @property
    def y_count(self) -> int:
        """Values in the layer's output: threshold and score."""
        return 2

    @property
    def n_target(self) -> int:
        """Values that a local loss would compare."""
        return self.y_count


def usual_units(n_in: int) -> int:
    """Units of a reconstruction for so many inputs, where nobody says.

    >>> [usual_units(n) for n in (4, 64, 784)]
    [2, 8, 32]
    """
    return max(min(2, n_in), min(32, math.ceil(n_in / 8)))
