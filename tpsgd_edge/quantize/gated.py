"""Gated recurrent layers in numbers (docs/ARITHMETIC.md, sections 17 and 29)."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from tpsgd_edge.quantize.parameters import ValueType, WeightType

if TYPE_CHECKING:
    from tpsgd_edge.quantize.layers import QuantizedWeighted


class _Gated:
    """A layer of two dense units, of `gates` rows for each output."""

    __slots__ = ()
    gates: ClassVar[int]
    reads: "QuantizedWeighted"
    own: "QuantizedWeighted"
    loss_layer: "QuantizedWeighted | None"
    is_recurrent: ClassVar[bool] = True

    @property
    def units(self) -> "tuple[QuantizedWeighted, ...]":
        """Parts that have weights: both dense units."""
        return self.reads, self.own

    @property
    def trains(self) -> bool:
        """Tell whether it learns on the device."""
        return self.loss_layer is not None

    @property
    def weight_type(self) -> WeightType:
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
        """Outputs."""
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
    def n_sums(self) -> int:
        """Sums over the input and over the own output, of all gates and the candidate."""
        return 2 * self.gates * self.n_out

    @property
    def state_type(self) -> Literal["s16", "f32"]:
        """Type of h."""
        return self.reads.error_type


@dataclass(frozen=True, slots=True)
class QuantizedGru(_Gated):
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
    reads: "QuantizedWeighted"
    own: "QuantizedWeighted"
    reset_before: bool
    y_scale: float
    loss_layer: "QuantizedWeighted | None" = None
    gates: ClassVar[int] = 3

    @property
    def kind(self) -> str:
        """The layer kind, as in the spec."""
        return "gru"

    @property
    def reset(self) -> str:
        """The place where the reset gate acts, as in the spec."""
        return "before" if self.reset_before else "after"

    def with_units(self, units: "tuple[QuantizedWeighted, ...]") -> "QuantizedGru":
        """The layer with these parts in place of its `units`."""
        reads, own = units
        return replace(self, reads=reads, own=own)


@dataclass(frozen=True, slots=True)
class QuantizedLstm(_Gated):
    """A layer of long short-term memory (section 29): two dense units, a state and cells.

    Attributes:
        reads: X: sums over the input, for input, forget and output gate and candidate.
        own: U: the same over the layer's own output.
        y_scale: real value of one unit of the output.
        cell_max: largest magnitude of a cell, in its units.
        loss_layer: a linear layer with its outputs, whose loss is the layer's; None where
            it does not learn.
    """

    name: str
    reads: "QuantizedWeighted"
    own: "QuantizedWeighted"
    y_scale: float
    cell_max: float
    loss_layer: "QuantizedWeighted | None" = None
    gates: ClassVar[int] = 4

    @property
    def kind(self) -> str:
        """The layer kind, as in the spec."""
        return "lstm"

    @property
    def reset(self) -> str:
        """The place where a reset gate acts: there is none."""
        return ""

    @property
    def cell_type(self) -> Literal["s32", "f32"]:
        """Type of the cells."""
        return self.reads.bias_type

    def with_units(self, units: "tuple[QuantizedWeighted, ...]") -> "QuantizedLstm":
        """The layer with these parts in place of its `units`."""
        reads, own = units
        return replace(self, reads=reads, own=own)


QuantizedGated: TypeAlias = QuantizedGru | QuantizedLstm
