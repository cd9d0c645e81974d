"""Layer kinds, shapes and their checks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import DataError, SpecError


@dataclass(frozen=True, slots=True)
class Dense:
    """A fully connected layer: y = f(W x + b), W of shape (n_out, n_in)."""

    name: str
    n_in: int
    n_out: int
    activation: str


@dataclass(frozen=True, slots=True)
class Labels:
    """What a sample is labelled with: one of `count` classes, or `count` real values."""

    kind: Literal["class", "vector"]
    count: int


@dataclass(frozen=True, slots=True)
class Weights:
    """Real-valued weights (n_out, n_in) and biases (n_out,) of one layer."""

    w: NDArray[np.float64]
    b: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Graph:
    """A chain of layers.

    `weights` holds first weights by layer name; those of other layers are drawn from the seed.
    """

    name: str
    layers: tuple[Dense, ...]
    labels: Labels
    weights: Mapping[str, Weights]

    def __post_init__(self) -> None:
        for before, after in zip(self.layers, self.layers[1:], strict=False):
            if before.n_out != after.n_in:
                raise SpecError(
                    f"layer '{after.name}' does not fit layer '{before.name}'",
                    where=f"[model], layer '{after.name}'",
                    found=f"{before.n_out} outputs meet {after.n_in} inputs",
                )
        last = self.layers[-1]
        if last.n_out != self.labels.count:
            kind = "classes" if self.labels.kind == "class" else "label values"
            raise SpecError(
                f"the last layer '{last.name}' has {last.n_out} units "
                f"for {self.labels.count} {kind}",
                where=f"[model], layer '{last.name}'",
                found=f"units = {last.n_out}",
                help=f"set units = {self.labels.count}",
            )
        for layer in self.layers:
            _check_weights(layer, self.weights.get(layer.name))

    @property
    def n_in(self) -> int:
        """Values in one input sample."""
        return self.layers[0].n_in


def _check_weights(layer: Dense, weights: Weights | None) -> None:
    if weights is None:
        return
    for tensor, array, shape in (
        ("w", weights.w, (layer.n_out, layer.n_in)),
        ("b", weights.b, (layer.n_out,)),
    ):
        if array.shape != shape:
            raise DataError(
                f"weights '{layer.name}.{tensor}' do not fit the layer",
                where=f"[model], layer '{layer.name}'",
                found=f"shape {array.shape}, expected {shape}",
            )
        if not np.isfinite(array).all():
            raise DataError(
                f"weights '{layer.name}.{tensor}' hold NaN or infinity",
                where=f"[model], layer '{layer.name}'",
                found=f"{int((~np.isfinite(array)).sum())} of {array.size} values are not finite",
            )
