"""Layers that normalize, in numbers (docs/ARITHMETIC.md, section 30)."""

from dataclasses import dataclass

from tpsgd_edge.quantize.parameters import ValueType
from tpsgd_edge.quantize.weightless import Weightless


@dataclass(frozen=True, slots=True)
class QuantizedNorm(Weightless):
    """Values of each group less their mean over their standard deviation.

    Attributes:
        group_size: values that are normalized together.
        centered: whether the mean is taken off.
        epsilon: what is added: in integers to the power of a group, else to the mean of squares.
        unit_bits: y counts 2^-unit_bits; 0 in binary32.
    """

    name: str
    y_shape: tuple[int, int, int]
    group_size: int
    centered: bool
    x_type: ValueType
    y_scale: float
    epsilon: float
    unit_bits: int

    @property
    def kind(self) -> str:
        """Name of the kind in templates."""
        return "norm"

    @property
    def x_shapes(self) -> tuple[tuple[int, int, int], ...]:
        """The shape of the value that it reads."""
        return (self.y_shape,)

    @property
    def x_shape(self) -> tuple[int, int, int]:
        """The map that it reads."""
        return self.y_shape

    @property
    def groups(self) -> int:
        """Number of groups."""
        return self.y_count // self.group_size

    @property
    def about(self) -> str:
        """Say what is taken off."""
        return f"{'mean and deviation' if self.centered else 'root of the mean square'} taken off"
