"""The section of a spec that says what a search chooses from."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from tpsgd_edge.spec.activations import Activation
from tpsgd_edge.spec.base import Section
from tpsgd_edge.spec.lengths import LARGEST
from tpsgd_edge.spec.weighted import WeightFormat

NetKind = Literal["given", "dense", "conv2d", "conv1d", "memory", "rnn"]


def _listed(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


_Listed = BeforeValidator(_listed)
_Count = Annotated[int, Field(ge=1, le=LARGEST)]
_Counts = Annotated[tuple[_Count, _Count], _Listed]
_Depth = Annotated[int, Field(ge=0, le=4)]
_Depths = Annotated[tuple[_Depth, _Depth], _Listed]
_Factor = Annotated[float, Field(ge=0.001, le=1000)]
_Factors = Annotated[tuple[_Factor, _Factor], _Listed]
_Epochs = Annotated[int, Field(ge=1, le=100_000)]
_Gate = Annotated[float, Field(gt=0, le=1)] | Literal["none"]


class SearchSpec(Section):
    """Nets, formats and rates that `tpsgd-edge search` chooses from.

    What is left out follows from the data. It changes nothing of what the other commands do.
    """

    kinds: Annotated[tuple[NetKind, ...] | None, _Listed] = None
    """Kinds of nets: the spec's own layers, wider or narrower (given), or hidden layers that are
    dense, convolutions, memories with dense layers, or recurrent. Where not given, dense ones and
    what suits the shape of the samples, and the spec's own if these are others. Since: 0.2.0.
    Example: `kinds = ["dense", "conv2d"]`"""
    depth: _Depths = (1, 2)
    """Fewest and most hidden layers with weights. Since: 0.2.0. Example: `depth = [0, 3]`"""
    units: Annotated[tuple[_Count, _Count] | None, _Listed] = None
    """Fewest and most units of a dense or recurrent hidden layer; where not given, 4 to twice the
    spec's largest layer, and no more than fit the RAM at a byte a weight. Since: 0.2.0.
    Example: `units = [8, 64]`"""
    filters: _Counts = (4, 16)
    """Fewest and most filters of the first convolution; each later one has twice those of the one
    before. Since: 0.2.0. Example: `filters = [4, 32]`"""
    width: _Factors = (0.25, 1.5)
    """Smallest and largest factor of the units and filters of the spec's own hidden layers.
    Since: 0.2.0. Example: `width = [0.5, 2.0]`"""
    activation: Annotated[tuple[Activation, ...], _Listed] = ("tanh", "relu")
    """Activations of hidden layers. Since: 0.2.0. Example: `activation = ["tanh"]`"""
    weights: Annotated[tuple[WeightFormat, ...], _Listed] = ("s8", "s16")
    """Formats of weights. Since: 0.2.0. Example: `weights = ["s8"]`"""
    activations: Annotated[tuple[Literal["s8", "s16"], ...], _Listed] = ("s8",)
    """Formats of inputs and outputs of layers. Since: 0.2.0.
    Example: `activations = ["s8", "s16"]`"""
    projection: Annotated[
        tuple[Literal["hadamard", "sign", "ternary", "gaussian", "fitted", "learned"], ...],
        _Listed,
    ] = ()
    """Kinds of projections; where not given, what the spec has. Since: 0.2.0.
    Example: `projection = ["sign", "fitted"]`"""
    error_gate: Annotated[tuple[_Gate, ...], _Listed] = ()
    """Error gates; where not given, what the spec has. Since: 0.2.0.
    Example: `error_gate = [0.8, "none"]`"""
    rate: _Factors = (0.3, 3.0)
    """Smallest and largest factor of the learning rate, or of the step size that it follows from.
    Since: 0.2.0. Example: `rate = [0.1, 1.0]`"""
    epochs: Annotated[tuple[_Epochs, ...], _Listed] = ()
    """Numbers of epochs; where not given, what the spec has. Since: 0.2.0.
    Example: `epochs = [10, 30]`"""
    choices: dict[str, Annotated[tuple[Any, ...], _Listed]] = Field(default_factory=dict)
    """Values of any other keys of the spec, by their dotted names as for --set. Since: 0.2.0.
    Example: `choices = { "rule.dead_zone" = [0.0, 0.02], "replay.size" = [0, 20] }`"""

    @model_validator(mode="after")
    def _ranges_rise(self) -> "SearchSpec":
        for name in ("depth", "units", "filters", "width", "rate"):
            ends = getattr(self, name)
            if ends is not None and ends[0] > ends[1]:
                raise ValueError(f"{name!r} goes from the smallest to the largest: {_turned(ends)}")
        named = {name: getattr(self, name) for name in ("activation", "weights", "activations")}
        for name, values in {**named, "kinds": self.kinds, **self.choices}.items():
            if values == ():
                raise ValueError(f"{name!r} has nothing to choose from: list a value")
        return self


def _turned(ends: Sequence[float]) -> str:
    return f"[{ends[1]:g}, {ends[0]:g}]"
