"""A model as layers and the values that they read, and its checks."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import DataError, SpecError
from tpsgd_edge.graph.blocks import Block, blocks_of
from tpsgd_edge.graph.layers import (
    Layer,
    Recurrent,
    WeightedLayer,
)
from tpsgd_edge.graph.walks import walk_of
from tpsgd_edge.graph.weightless import Shape
from tpsgd_edge.spec.edges import SAMPLE, Edges

# Far above what any microcontroller holds, far below what makes this computer run out of memory.
LARGEST = 1 << 26


# docs/ARITHMETIC.md, section 12, needs it of f32; no net in other numbers comes near it.
_LARGEST_WEIGHT = 2.0**30


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels of the samples: one of `count` classes each, or `count` real values each.

    With `each_step` every step of a sequence has a label of its own.
    """

    kind: Literal["class", "vector"]
    count: int
    each_step: bool = False


@dataclass(frozen=True, slots=True)
class Weights:
    """Real-valued weights (n_out, n_in) and biases (n_out,) of one layer.

    A row of a convolution is one filter, flattened from (rows, columns, channels of its group). A
    gated layer has more: `weight_shapes` of the layer. `step` is what all weights are whole
    multiples of, where they come from integers: a format that can keeps these.
    """

    w: NDArray[np.float64]
    b: NDArray[np.float64]
    step: float | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """Outputs of a layer, or the sample: a map of this shape; of a sequence, at one timestep."""

    name: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Graph:
    """Layers in an order in which they can be computed, the last one dense or a detector.

    Layers that walk along a sequence come first, one behind the other.

    Attributes:
        weights: initial weights by layer name; those of other layers are drawn from the seed.
        steps: length of the sequences that recurrent layers read.
        learn_every: recurrent layers learn the label of a sequence after every so many steps,
            counted back from the last; 0: at its end.
        prototypes: targets of those hidden layers that have any, one for each class,
            (n_target, K), by layer name.
        fitted: projections that are not drawn but fitted, whole numbers (n_target, K), by layer
            name.
        reads: names of the values that a layer reads, by layer name, where these are others than
            that of the layer before it; `edges` has those of all layers.
        read_outs: what the outputs of those layers are multiplied with that carry scores, as the
            loss sees them, (n_target, K), by layer name; their sum is added to the last outputs.
    """

    name: str
    layers: tuple[Layer, ...]
    labels: Labels
    weights: Mapping[str, Weights]
    steps: int = 1
    learn_every: int = 0
    prototypes: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    fitted: Mapping[str, NDArray[np.int8]] = field(default_factory=dict)
    reads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    read_outs: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for layer in self.layers:
            _check_size(layer)
        _check_ends(self)
        for layer in self.layers:
            _check_inputs(self, layer)
        _check_steps(self)
        _check_last(self.layers[-1], self.labels)
        for layer in self.weighted:
            _check_weights(layer, self.weights.get(layer.name))

    @property
    def edges(self) -> Edges:
        """Values that each layer reads."""
        return Edges.of([layer.name for layer in self.layers], self.reads)

    def layer(self, name: str) -> Layer:
        """The layer of that name; StopIteration where there is none."""
        return next(layer for layer in self.layers if layer.name == name)

    def value(self, name: str) -> Value:
        """The sample, or what a layer makes."""
        if name == SAMPLE:
            return Value(name, self.layers[0].x_shapes[0])
        return Value(name, self.layer(name).y_shape)

    @property
    def frozen(self) -> frozenset[str]:
        """Names of the layers that keep their initial weights on the device."""
        return frozenset(layer.name for layer in self.weighted if not layer.learning.trainable)

    @property
    def weighted(self) -> tuple[WeightedLayer, ...]:
        """The layers with weights, first to last."""
        own = (layer.weighted for layer in self.layers)
        return tuple(layer for layer in own if layer is not None)

    @property
    def recurrent(self) -> tuple[Recurrent, ...]:
        """The recurrent layers, first to last."""
        return tuple(cast(Recurrent, layer) for layer in self.layers if layer.is_recurrent)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Names of the layers that learn from one loss, each block from its head down."""
        return blocks_of(self.layers, self.edges)

    @property
    def walk(self) -> tuple[Layer, ...]:
        """The layers that take one step of a sequence after the other (section 23).

        They are the first ones, up to the last that keeps something from step to step.
        """
        return walk_of(self.layers)

    @property
    def n_inputs(self) -> int:
        """Values in one input sample."""
        return self.steps * self.layers[0].x_count


def _check_size(layer: Layer) -> None:
    counts = {"inputs": layer.x_count, "outputs": layer.y_count}
    if layer.weighted is not None:
        counts["weights"] = math.prod(layer.weighted.weight_shapes[0])
    for what, count in counts.items():
        if count > LARGEST:
            raise SpecError(
                f"layer '{layer.name}' has too many {what}",
                where=f"[model], layer '{layer.name}'",
                found=f"{count:,}; {LARGEST:,} are allowed",
            )


def _check_ends(graph: Graph) -> None:
    for name in graph.edges.without_consumers[:-1]:
        raise SpecError(
            f"no layer reads what layer '{name}' makes",
            where=f"[model], layer '{name}'",
            help=f"name it in from of another layer, or leave it out; the net ends with "
            f"'{graph.layers[-1].name}'",
        )


def _check_inputs(graph: Graph, layer: Layer) -> None:
    inputs, shapes = graph.edges.inputs_of(layer.name), layer.x_shapes
    if len(inputs) != len(shapes):
        raise SpecError(
            f"layer '{layer.name}' reads {len(shapes)} values, but {len(inputs)} are named",
            where=f"[model], layer '{layer.name}'",
            found=", ".join(f"'{name}'" for name in inputs),
        )
    for name, shape in zip(inputs, shapes, strict=True):
        if name != SAMPLE:
            _check_pair(graph.layer(name), layer, shape)


def _check_pair(before: Layer, after: Layer, read: Shape) -> None:
    if before.y_count != math.prod(read):
        raise SpecError(
            f"layer '{after.name}' does not fit layer '{before.name}'",
            where=f"[model], layer '{after.name}'",
            found=f"{before.y_count} outputs meet {math.prod(read)} inputs",
        )
    if after.is_recurrent and not before.is_recurrent:
        raise SpecError(
            f"the recurrent layer '{after.name}' cannot follow layer '{before.name}'",
            where=f"[model], layer '{after.name}'",
            found=f"'{before.name}' ({before.kind.replace('_', ' ')}) makes no sequence of steps",
            help="recurrent layers come first, one behind the other",
        )
    if not (before.is_on_maps and after.is_on_maps):
        return
    flat = (1, 1, before.y_count)
    if read not in (before.y_shape, flat):
        raise SpecError(
            f"layer '{after.name}' reads another map than layer '{before.name}' makes",
            where=f"[model], layer '{after.name}'",
            found=f"{before.y_shape} meets {read}",
        )


def _check_steps(graph: Graph) -> None:
    if graph.steps < 1 or (graph.labels.each_step and not graph.walk):
        raise SpecError(
            "sequences have no steps" if graph.steps < 1 else "only sequences have steps to label",
            where="[data]",
            found=f"{graph.steps} steps, {len(graph.walk)} layers that walk along a sequence",
        )


def _check_last(last: Layer, labels: Labels) -> None:
    where = f"[model], layer '{last.name}'"
    if last.kind not in ("dense", "detector"):
        raise SpecError(
            f"the last layer '{last.name}' is not dense",
            where=where,
            found=last.kind,
            help="end with a dense layer: one unit for each class or label value",
        )
    if last.y_count != labels.count:
        kind = "classes" if labels.kind == "class" else "label values"
        raise SpecError(
            f"the last layer '{last.name}' has {last.y_count} units for {labels.count} {kind}",
            where=where,
            found=f"units = {last.y_count}",
            help=f"set units = {labels.count}",
        )


def _check_weights(layer: WeightedLayer, weights: Weights | None) -> None:
    if weights is None:
        return
    arrays = (weights.w, weights.b)
    for tensor, array, shape in zip("wb", arrays, layer.weight_shapes, strict=True):
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
        largest = np.abs(array).max(initial=0.0)
        if largest > _LARGEST_WEIGHT:
            raise DataError(
                f"weights '{layer.name}.{tensor}' are too large",
                where=f"[model], layer '{layer.name}'",
                found=f"up to {largest:.4g}; {_LARGEST_WEIGHT:,.0f} is allowed",
                help="beyond that nothing can be proved to stay finite: scale samples and weights",
            )
