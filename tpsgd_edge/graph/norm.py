"""The layer that normalizes what it reads (docs/ARITHMETIC.md, section 30)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from tpsgd_edge.arithmetic.activations import Numbers
from tpsgd_edge.arithmetic.types import Real
from tpsgd_edge.graph.weightless import Shape, Weightless


@dataclass(frozen=True, slots=True)
class Norm(Weightless):
    """Values of a group less their mean over their standard deviation.

    Attributes:
        over_all: whether the whole map is one group; else the channels of each place are.
        centered: whether the mean is taken off; else the mean square takes the variance's place.
        epsilon: what is added to variance or mean square.
    """

    name: str
    y_shape: Shape
    over_all: bool
    centered: bool
    epsilon: float
    activation: ClassVar[str] = "linear"
    numbers: ClassVar[Numbers] = ()

    @property
    def kind(self) -> Literal["norm"]:
        """The layer kind, as in the spec."""
        return "norm"

    @property
    def x_shapes(self) -> tuple[Shape, ...]:
        """The map that it reads."""
        return (self.y_shape,)

    @property
    def group_size(self) -> int:
        """Values that are normalized together."""
        return self.y_count if self.over_all else self.y_shape[2]


def normalized(layer: Norm, x: Real) -> Real:
    """Outputs (n, y_count) for x (n, x_count)."""
    groups = x.reshape(len(x), -1, layer.group_size)
    if layer.centered:
        groups = groups - groups.mean(axis=2, keepdims=True)
    power = np.mean(groups**2, axis=2, keepdims=True)
    return np.asarray((groups / np.sqrt(power + layer.epsilon)).reshape(len(x), -1))
