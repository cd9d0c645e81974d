"""Operators that normalize, and scalings that no layer takes in: layers of their own."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from tpsgd_edge.frontend.imports.call import Call
from tpsgd_edge.frontend.imports.chain import (
    Affine,
    Chain,
    ImportedLayer,
    extended,
    per_channel,
    places,
    scaled,
)
from tpsgd_edge.frontend.imports.inputs import laid
from tpsgd_edge.frontend.imports.names import layer_name
from tpsgd_edge.graph import Shape, Weights


def layer_normalization(chain: Chain, call: Call) -> Chain:
    """Read LayerNormalization and RMSNormalization: a norm layer; scale and shift are left pending.

    Raises:
        DataError: it normalizes other values than all of a layer, or the channels of each place.
    """
    call.integer("stash_type", 1)
    shape = chain.order.shape
    axis = call.integer("axis", -1) % len(shape)
    lengths = shape[axis:]
    is_centered = call.node.op == "LayerNormalization"
    epsilon = call.number("epsilon", 1e-5)
    if chain.pending is not None:
        chain, epsilon = _without_pending(chain, call, epsilon, is_centered=is_centered)
    if not chain.layers:
        chain = laid(chain, chain.order)
    order = _all_places(chain, call)
    over = _over(chain, order.reshape(-1, math.prod(lengths)))
    if over is None:
        raise call.error(
            f"{call.node.op} normalizes values that no layer of ours does",
            found=f"axes from {axis} on of values of shape {shape}",
            help="all values of a layer, or the channels of each place, are normalized together",
        )
    table: dict[str, Any] = {"kind": "norm", "over": over, "epsilon": epsilon}
    if not is_centered:
        table["center"] = False
    made = _with_layer(chain, call, table, None, "norm", order)
    scale = call.real(1, "scale", lengths) if call.has(1) else np.ones(lengths)
    shift = call.real(2, "bias", lengths) if call.has(2) else np.zeros(lengths)
    return made if (scale == 1).all() and not shift.any() else scaled(made, call, scale, shift)


def with_scale_layer(chain: Chain, call: Call) -> Chain:
    """The chain with a layer for what is pending: a convolution of one place for each channel.

    Raises:
        DataError: the numbers differ from place to place.
    """
    channels = _map_shape(chain)[2]
    affine = Affine(np.ones(channels), np.zeros(channels))
    if chain.pending is not None:
        by_channel = per_channel(chain.pending, channels)
        if by_channel is None:
            raise call.error(
                "a scaling differs from place to place",
                help="scale by channel, or put the scaling directly behind a dense layer",
            )
        affine = by_channel
    table = {"kind": "conv2d", "filters": channels, "kernel": 1, "groups": "depthwise"}
    weights = Weights(affine.scale.reshape(-1, 1), affine.shift)
    made = {**table, "activation": "linear"}
    return _with_layer(chain, call, made, weights, "scale", _all_places(chain, call))


def _without_pending(
    chain: Chain, call: Call, epsilon: float, *, is_centered: bool
) -> tuple[Chain, float]:
    """The chain without a scaling that is one for all values: only epsilon sees it."""
    assert chain.pending is not None
    scale, shift = chain.pending.scale, chain.pending.shift
    is_one = (scale == scale[0]).all() and (shift == shift[0]).all()
    if is_one and scale[0] > 0 and (is_centered or not shift[0]):
        return replace(chain, pending=None), epsilon / float(scale[0]) ** 2
    return with_scale_layer(chain, call), epsilon


def _all_places(chain: Chain, call: Call) -> Any:
    """Where the values lie, in the tensor's shape; of a sequence those of its last step."""
    return places(chain, call).reshape(chain.order.shape)


def _over(chain: Chain, rows: Any) -> str | None:
    """What each row of places is: all values, or the channels of one place; else None."""
    count = rows.size
    if len(rows) == 1:
        return "all"
    own = np.sort(rows, axis=1)
    channels = _map_shape(chain)[2]
    is_place = own.shape[1] == channels and (np.sort(own[:, 0]) == np.arange(0, count, channels))
    is_whole = (own == own[:, :1] + np.arange(own.shape[1])).all()
    return "channels" if is_whole and np.all(is_place) else None


def _map_shape(chain: Chain) -> Shape:
    """The map that the last layer makes."""
    if not chain.layers:
        return chain.input_shape
    last = chain.layers[-1]
    return last.y_shape or (1, 1, last.y_count)


def _with_layer(
    chain: Chain, call: Call, table: dict[str, Any], weights: Weights | None, kind: str, order: Any
) -> Chain:
    """The chain with a layer whose values lie as those of the one before."""
    shape = _map_shape(chain)
    name = layer_name(f"{call.node.name}/{kind}" if call.node.name else "", kind, chain.names)
    count = math.prod(shape)
    layer = ImportedLayer({**table, "name": name}, weights, count, shape[2], y_shape=shape)
    return extended(chain, layer, order, shape)
