"""The net as far as it is read: its layers, where its values lie, and what waits to be folded.

Other tools keep maps channels first, ours are channels last. Instead of a rule for each operator
that reorders, `Chain.order` says for each value of the tensor that the net holds now where it lies
in the flat output of our last layer. Transpose, Reshape and Flatten move these places as they would
move the values, and whoever reads the tensor finds out what its weights must be reordered to.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.types import Array, Real
from tpsgd_edge.frontend.imports.call import Call
from tpsgd_edge.frontend.imports.names import layer_name
from tpsgd_edge.graph import SAMPLE, Shape, Weights

Order = NDArray[np.int64]
ZERO = -1


@dataclass(frozen=True, slots=True)
class ImportedLayer:
    """A layer as a table of a spec, its weights, its output map, and what it reads.

    `y_shape` is the height, width and channels of a map that it makes.
    """

    table: Mapping[str, Any]
    weights: Weights | None
    y_count: int
    channels: int
    reads: tuple[str, ...] = ()
    y_shape: Shape | None = None

    @property
    def kind(self) -> str:
        """The layer kind of the spec."""
        return str(self.table["kind"])

    @property
    def name(self) -> str:
        """The layer's name."""
        return str(self.table["name"])


@dataclass(frozen=True, slots=True)
class Affine:
    """scale * value + shift for each value of a flat output; a layer is still to take it in."""

    scale: Real
    shift: Real


@dataclass(frozen=True, slots=True)
class Chain:
    """The layers up to one tensor of the net; the last of them makes it.

    A net that branches has a chain for each tensor. Where a layer reads several values, it stands
    behind all layers that these depend on.

    Attributes:
        order: int64, shaped as the net's own tensor with one sample: places in the flat output of
            the last layer; of a recurrent layer, in its outputs of all steps. `ZERO` is a zero that
            Pad put there.
        second: the same for the second output of the last node, where it has one.
        steps: of the sequence that the last layer makes; 1 where it makes none.
        pending: what is to be folded into the next layer.
        grid: scale and zero point of QuantizeLinear, which made the values, and whose
            DequantizeLinear is to come.
        samples: places of our samples' values in the net's own input; None where they are the same.
        bounds: of Max and Min, an activation that is still to be given to a layer.
        are_whole: whether the samples are whole numbers, and no scale made real ones of them yet.
        before_steps: the net before the steps of a file gave its last layer an activation, since
            they begin at 0 or are few; None where the layer has its own, if any.
        has_few_steps: whether the file has fewer steps for some values than 8 bits.
        scaling: of the samples, before the first layer; None where the layer took it in.
        sealed: how many of the layers make other tensors too, and so stay as they are.
        taken: names of layers that are not in this chain.
        is_lying: whether our map is one row high where the net's own is one column wide.
    """

    order: Order
    input_shape: Shape
    layers: tuple[ImportedLayer, ...] = ()
    second: Order | None = None
    steps: int = 1
    pending: Affine | None = None
    grid: tuple[float, float] | None = None
    samples: Order | None = None
    bounds: tuple[float, float] | None = None
    are_whole: bool = False
    before_steps: "Chain | None" = None
    has_few_steps: bool = False
    scaling: Affine | None = None
    sealed: int = 0
    taken: frozenset[str] = frozenset()
    is_lying: bool = False

    @property
    def size(self) -> int:
        """Values of the flat output that `order` points into."""
        if not self.layers:
            return math.prod(self.input_shape)
        return self.steps * self.layers[-1].y_count

    @property
    def has_zeros(self) -> bool:
        """Tell whether Pad put zeros around the values, which a convolution is to take in."""
        return bool((self.order == ZERO).any())

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the layers."""
        return (*(layer.name for layer in self.layers), *self.taken)

    @property
    def end(self) -> str:
        """The name of the value that a next layer reads."""
        return self.layers[-1].name if self.layers else SAMPLE


def canonical(shape: Shape) -> Order:
    """Places of a map channels first, shape (channels, height, width), that lies channels last."""
    return np.arange(int(np.prod(shape))).reshape(shape).transpose(2, 0, 1)


def with_scaled_samples(chain: Chain) -> Chain:
    """The chain before any layer with what is pending as a scaling of the samples themselves.

    So it goes where the first layer cannot take it in: where zeros are around a map, or where it
    differs from place to place.
    """
    pending = chain.pending
    if chain.layers or pending is None or not (pending.scale > 0).all():
        return chain
    return replace(chain, pending=None, scaling=pending)


def spread(chain: Chain, call: Call, values: Array) -> Real:
    """Constants of the net's tensor in our order, shape (size,); 0 where it has none.

    Raises:
        DataError: they do not broadcast to the tensor.
    """
    try:
        full = np.broadcast_to(values, chain.order.shape)
    except ValueError:
        raise call.error(
            f"{call.node.op} has constants that do not fit",
            found=f"shape {values.shape} for values of shape {chain.order.shape}",
        ) from None
    flat = np.zeros(chain.size)
    flat[chain.order.ravel()] = full.ravel()
    return flat


def scaled(chain: Chain, call: Call, scale: Array, shift: Array) -> Chain:
    """Scale the chain's values by `scale` and `shift` them; their shapes broadcast to it.

    Both are folded into the layer before, or left pending.
    """
    affine = Affine(spread(chain, call, scale), spread(chain, call, shift))
    chain = replace(chain, before_steps=None)
    before = chain.pending
    if before is not None:
        shifted = affine.scale * before.shift + affine.shift
        return replace(chain, pending=Affine(affine.scale * before.scale, shifted))
    return _folded_back(chain, affine) or replace(chain, pending=affine)


def _folded_back(chain: Chain, affine: Affine) -> Chain | None:
    """The chain whose last layer with weights takes the numbers in; None where it cannot."""
    index = open_layer(chain)
    by_channel = None if index is None else per_channel(affine, chain.layers[-1].channels)
    if index is None or by_channel is None or chain.layers[index].weights is None:
        return None
    kinds = [layer.kind for layer in chain.layers[index + 1 :]]
    if "max_pool" in kinds and (by_channel.scale < 0).any():
        return None
    layer = chain.layers[index]
    assert layer.weights is not None
    w = layer.weights.w * by_channel.scale[:, np.newaxis]
    b = layer.weights.b * by_channel.scale + by_channel.shift
    return _replaced(chain, index, replace(layer, weights=Weights(w, b)))


def per_channel(affine: Affine, channels: int) -> Affine | None:
    """The numbers of each channel; None where they differ from position to position."""
    scale, shift = affine.scale.reshape(-1, channels), affine.shift.reshape(-1, channels)
    if (scale != scale[0]).any() or (shift != shift[0]).any():
        return None
    return Affine(scale[0], shift[0])


def open_layer(chain: Chain) -> int | None:
    """The last layer that can have an activation, where it has none yet and makes no other tensor.

    It has weights, or adds.
    """
    index = last_active(chain)
    if index is None or index < chain.sealed:
        return None
    return index if chain.layers[index].table["activation"] == "linear" else None


def last_active(chain: Chain) -> int | None:
    """The last layer with weights, or the sum that comes after it."""
    for index in reversed(range(len(chain.layers))):
        layer = chain.layers[index]
        if layer.weights is not None or layer.kind == "add":
            return index
        if layer.kind in ("concat", "norm"):
            return None
    return None


def activated(chain: Chain, call: Call, activation: str, **settings: Any) -> Chain:
    """The chain whose last layer with weights has an activation, with what settings it needs.

    Raises:
        DataError: it has one already, or something lies between that the activation cannot pass.
    """
    if chain.layers and (chain.pending is not None or chain.layers[-1].kind == "norm"):
        chain = with_scale_layer(chain, call)
    index = open_layer(chain)
    if index is None:
        at = last_active(chain)
        last = None if at is None else chain.layers[at]
        if last is not None and activation == last.table["activation"] == "relu":
            return chain
        raise call.error(
            f"{call.node.op} has no layer that could take it in",
            found=_why_closed(last),
            help=_OF_ONE_WAY
            if last is not None and last.table["activation"] == "linear"
            else "each layer with weights has one activation",
        )
    if chain.layers[index].kind == "add" and activation not in ("relu", "relu6"):
        raise call.error(
            f"{call.node.op} of a sum has no layer of ours",
            found=f"layer '{chain.layers[index].name}' adds",
            help="a sum may have Relu, or Clip from 0 to 6; others stand before it",
        )
    between = [la.kind for la in chain.layers[index + 1 :] if la.kind != "max_pool"]
    if between or chain.pending is not None:
        raise call.error(
            f"{call.node.op} stands apart from the layer before it",
            found=f"{between[0]} between" if between else "a scaling between that cannot be folded",
            help="put the activation directly behind the layer; it may then need training again",
        )
    layer = chain.layers[index]
    table = {**layer.table, "activation": activation, **settings}
    made = _replaced(chain, index, replace(layer, table=table))
    return replace(made, before_steps=None)


# An activation of one of several ways that leave a layer.
_OF_ONE_WAY = (
    "an activation stands before the place where ways part; x * Sigmoid(x) is read where it is "
    "Swish, HardSwish or Gelu"
)


def _why_closed(last: ImportedLayer | None) -> str:
    if last is None:
        return "nothing with weights before it"
    activation = last.table["activation"]
    if activation == "linear":
        return f"what layer '{last.name}' makes is read elsewhere without it"
    return f"layer '{last.name}' already has the activation '{activation}'"


def _replaced(chain: Chain, index: int, layer: ImportedLayer) -> Chain:
    return replace(chain, layers=(*chain.layers[:index], layer, *chain.layers[index + 1 :]))


def extended(
    chain: Chain, layer: ImportedLayer, order: Order, x_shape: Shape | None = None
) -> Chain:
    """The chain with one more layer, whose output lies as `order` says.

    Of the first layer, `x_shape` is the map that it reads: samples have that shape.
    """
    if x_shape is not None and not chain.layers:
        chain = replace(chain, input_shape=x_shape)
    layer = replace(layer, reads=(chain.end,))
    return replace(
        chain,
        layers=(*chain.layers, layer),
        order=order,
        second=None,
        steps=1,
        pending=None,
        before_steps=None,
    )


def map_made(chain: Chain) -> Shape:
    """The map that the last layer makes, or the sample is."""
    if not chain.layers:
        return chain.input_shape
    last = chain.layers[-1]
    return last.y_shape or (1, 1, last.y_count)


def like_before(
    chain: Chain, call: Call, table: Mapping[str, Any], weights: Weights | None
) -> Chain:
    """The chain with a layer whose values lie as those of the one before."""
    shape, kind = map_made(chain), str(table["kind"]) if weights is None else "scale"
    name = layer_name(f"{call.node.name}/{kind}" if call.node.name else "", kind, chain.names)
    named = {**table, "name": name}
    layer = ImportedLayer(named, weights, math.prod(shape), shape[2], y_shape=shape)
    return extended(chain, layer, places(chain, call).reshape(chain.order.shape), shape)


def with_scale_layer(chain: Chain, call: Call) -> Chain:
    """The chain with a layer for what is pending: a convolution of one place for each channel.

    Raises:
        DataError: the numbers differ from place to place.
    """
    channels = map_made(chain)[2]
    affine: Affine | None = Affine(np.ones(channels), np.zeros(channels))
    if chain.pending is not None:
        affine = per_channel(chain.pending, channels)
    if affine is None:
        raise call.error(
            "a scaling differs from place to place",
            help="scale by channel, or put the scaling directly behind a dense layer",
        )
    table = {"kind": "conv2d", "filters": channels, "kernel": 1, "groups": "depthwise"}
    weights = Weights(affine.scale.reshape(-1, 1), affine.shift)
    return like_before(chain, call, {**table, "activation": "linear"}, weights)


def places(chain: Chain, call: Call) -> Order:
    """Places (size,) of the values that the next layer reads as a vector.

    Raises:
        DataError: they are not all values of the layer before, or not those of the last step.
    """
    order, count = chain.order.ravel(), chain.size // chain.steps
    order = order - (chain.steps - 1) * count
    if len(order) != count or (np.sort(order) != np.arange(count)).any():
        has_steps = chain.steps > 1
        raise call.error(
            f"{call.node.op} reads other values than the layer before makes",
            found=f"values of shape {chain.order.shape}, {count:,} made"
            + (" at the last step" if has_steps else ""),
            help="what follows recurrent layers reads their output at the last step"
            if has_steps
            else "every value of a layer goes to the next one",
        )
    return order
