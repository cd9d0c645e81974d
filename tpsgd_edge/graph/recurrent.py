"""Recurrent layer kinds of a graph (docs/ARITHMETIC.md, sections 15, 17 and 29)."""

import itertools
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from tpsgd_edge.arithmetic.activations import Numbers
from tpsgd_edge.graph.learning import Learning
from tpsgd_edge.graph.weightless import Shape


@dataclass(frozen=True, slots=True)
class Rnn:
    """A recurrent layer: h += leak * (f(W [x; h] + b) - h) at each step of a sequence.

    `n_x` values come in at a step; W has shape (n_out, n_in) with n_in = n_x + n_out, the columns
    of x first. The output is h.

    Attributes:
        leaks: one for each group of units; group g begins at unit floor(g * n_out / groups).
        has_traces: whether it learns from a trace for each group, else from the present.
        input_gain, recurrent_gain: initial weights of inputs and of own outputs, times sqrt(n_in).
        bias_range: initial biases are drawn from [-bias_range, bias_range].
    """

    name: str
    n_x: int
    n_out: int
    leaks: tuple[float, ...]
    activation: str
    has_traces: bool = False
    input_gain: float = 1.0
    recurrent_gain: float = 1.0
    bias_range: float = 0.0
    numbers: Numbers = field(default=(), kw_only=True)
    learning: Learning = field(default=Learning(), kw_only=True)
    is_recurrent: ClassVar[bool] = True
    is_on_maps: ClassVar[bool] = False
    residual: ClassVar[bool] = False

    @property
    def kind(self) -> Literal["rnn"]:
        """The layer kind, as in the spec."""
        return "rnn"

    @property
    def weighted(self) -> "Rnn":
        """The layer itself, as it has weights."""
        return self

    @property
    def weight_shapes(self) -> tuple[tuple[int, int], tuple[int, ...]]:
        """The shapes of w and b."""
        return (self.n_out, self.n_in), (self.n_out,)

    @property
    def x_shapes(self) -> tuple[Shape, ...]:
        """The input of one timestep, as a map."""
        return ((1, 1, self.x_count),)

    @property
    def y_shape(self) -> Shape:
        """The output of one timestep, as a map."""
        return (1, 1, self.n_out)

    @property
    def group_bounds(self) -> tuple[int, ...]:
        """The first unit of each group, and n_out."""
        groups = len(self.leaks)
        return tuple(g * self.n_out // groups for g in range(groups + 1))

    @property
    def unit_leaks(self) -> tuple[float, ...]:
        """The leak of each unit."""
        ends = itertools.pairwise(self.group_bounds)
        groups = zip(self.leaks, ends, strict=True)
        return tuple(leak for leak, (start, end) in groups for _ in range(start, end))

    @property
    def n_in(self) -> int:
        """Inputs of one unit: those of the layer and its own outputs."""
        return self.n_x + self.n_out

    @property
    def x_count(self) -> int:
        """Values in the layer's input at one step."""
        return self.n_x

    @property
    def y_count(self) -> int:
        """Values in the layer's output."""
        return self.n_out

    @property
    def n_target(self) -> int:
        """Values that the local loss compares."""
        return self.n_out

    @property
    def target_area(self) -> float:
        """Each value is compared by itself."""
        return 1.0


class _Gated:
    """A layer with `gates` rows for each unit, of sums over x and over the own output.

    `n_x` values come in at a step. Weights are (gates n_out, n_x + n_out), columns of x first;
    biases (2, gates n_out): of the sums over x, and of those over the own output.
    """

    __slots__ = ()
    gates: ClassVar[int]
    n_x: int
    n_out: int
    is_recurrent: ClassVar[bool] = True
    is_on_maps: ClassVar[bool] = False
    residual: ClassVar[bool] = False
    has_traces: ClassVar[bool] = False
    leaks: ClassVar[tuple[float, ...]] = ()
    input_gain: ClassVar[float] = 1.0
    recurrent_gain: ClassVar[float] = 1.0

    @property
    def x_shapes(self) -> tuple[Shape, ...]:
        """The input of one timestep, as a map."""
        return ((1, 1, self.x_count),)

    @property
    def y_shape(self) -> Shape:
        """The output of one timestep, as a map."""
        return (1, 1, self.n_out)

    @property
    def weight_shapes(self) -> tuple[tuple[int, int], tuple[int, ...]]:
        """The shapes of w and b."""
        return (self.gates * self.n_out, self.n_in), (2, self.gates * self.n_out)

    @property
    def activation(self) -> Literal["tanh"]:
        """The function that bounds the outputs."""
        return "tanh"

    @property
    def numbers(self) -> Numbers:
        """Settings of its activations: they have none."""
        return ()

    @property
    def n_in(self) -> int:
        """Inputs of one unit: those of the layer and its own outputs."""
        return self.n_x + self.n_out

    @property
    def x_count(self) -> int:
        """Values in the layer's input at one step."""
        return self.n_x

    @property
    def y_count(self) -> int:
        """Values in the layer's output."""
        return self.n_out

    @property
    def n_target(self) -> int:
        """Values that the local loss compares."""
        return self.n_out

    @property
    def target_area(self) -> float:
        """Each value is compared by itself."""
        return 1.0


@dataclass(frozen=True, slots=True)
class Gru(_Gated):
    """A gated recurrent layer: h moves towards a candidate c, as far as the update gate z lets it.

    Its rows are of the reset gate, of the update gate and of the candidate.

    Attributes:
        reset_before: whether the reset gate acts on h before the candidate's sums, else on them.
    """

    name: str
    n_x: int
    n_out: int
    reset_before: bool = False
    learning: Learning = field(default=Learning(), kw_only=True)
    gates: ClassVar[int] = 3

    @property
    def kind(self) -> Literal["gru"]:
        """The layer kind, as in the spec."""
        return "gru"

    @property
    def weighted(self) -> "Gru":
        """The layer itself, as it has weights."""
        return self


@dataclass(frozen=True, slots=True)
class Lstm(_Gated):
    """A layer of long short-term memory: a cell c, of which an output gate shows h = o tanh(c).

    The cell keeps what the forget gate leaves of it, and takes in what the input gate lets in of a
    candidate. Its rows are of input gate, forget gate, output gate and candidate.

    Attributes:
        cell_clip: the largest magnitude of a cell, where it has one.
    """

    name: str
    n_x: int
    n_out: int
    cell_clip: float | None = None
    learning: Learning = field(default=Learning(), kw_only=True)
    gates: ClassVar[int] = 4

    @property
    def kind(self) -> Literal["lstm"]:
        """The layer kind, as in the spec."""
        return "lstm"

    @property
    def weighted(self) -> "Lstm":
        """The layer itself, as it has weights."""
        return self
