"""Operators that normalize."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from tpsgd_edge.frontend.imports.call import Call, Node
from tpsgd_edge.frontend.imports.chain import (
    Chain,
    like_before,
    map_made,
    places,
    scaled,
    with_scale_layer,
)
from tpsgd_edge.frontend.imports.help import what_to_do
from tpsgd_edge.frontend.imports.inputs import laid
from tpsgd_edge.frontend.imports.norm_values import NormFound, norm_of

# ONNX Runtime's optimizer writes the last one for an RMS norm that it finds.
OPERATORS = ("LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization")
# The node that stands for a norm of several operators.
ISLAND = "Normalization"


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
    # Both broadcast to the values; `scaled` says where they do not.
    scale = call.real(1, "scale") if call.has(1) else np.ones(lengths)
    shift = call.real(2, "bias") if call.has(2) else np.zeros(lengths)
    axes = tuple(range(axis, len(shape)))
    return _normalized(
        chain, call, NormFound(axes, is_centered, call.number("epsilon", 1e-5), scale, shift)
    )


def island(chain: Chain, call: Call) -> Chain:
    """Read a normalization that is written as several operators.

    Raises:
        DataError: they make no norm of ours, or one of other values than a layer of ours has.
    """
    nodes = call.node.attributes.get("nodes", ())
    if not nodes or not all(isinstance(node, Node) for node in nodes):
        raise call.error(f"the operator {ISLAND} has no layer of ours", help=what_to_do(ISLAND))
    pairs = zip(call.node.inputs, call.arrays, strict=True)
    constants = {name: array for name, array in pairs if array is not None}
    norm = norm_of(nodes, call, constants, chain.order.shape)
    if norm is None:
        raise call.error(
            "operators with a mean and a root make no norm that a layer of ours is",
            found=", ".join(node.op for node in nodes[:12]),
            help="a norm is (x - mean) / sqrt(variance + epsilon), or x / sqrt(mean square + "
            "epsilon), then a factor and a shift; epsilon is added under the root",
        )
    return _normalized(chain, call, norm)


def _normalized(chain: Chain, call: Call, norm: NormFound) -> Chain:
    """The chain with a norm layer, whose scale and shift are left pending."""
    shape, epsilon = chain.order.shape, norm.epsilon
    if chain.pending is not None:
        chain, epsilon = _without_pending(chain, call, epsilon, is_centered=norm.centered)
    if not chain.layers:
        chain = _samples_as_they_lie(chain)
    order = np.moveaxis(places(chain, call).reshape(shape), norm.axes, range(-len(norm.axes), 0))
    over = _over(chain, order.reshape(-1, math.prod(shape[axis] for axis in norm.axes)))
    if over is None:
        raise call.error(
            f"{call.node.op} normalizes values that no layer of ours does",
            found=f"axes {', '.join(map(str, norm.axes))} of values of shape {shape}",
            help="all values of a layer, or the channels of each place, are normalized together",
        )
    table: dict[str, Any] = {"kind": "norm", "over": over, "epsilon": epsilon}
    if not norm.centered:
        table["center"] = False
    made = like_before(chain, call, table, None)
    if (norm.scale == 1).all() and not norm.shift.any():
        return made
    return scaled(made, call, norm.scale, norm.shift)


def _samples_as_they_lie(chain: Chain) -> Chain:
    """The chain before any layer, with samples in the net's own order, channels last."""
    lengths = chain.order.shape[1:]
    shape = (*(1,) * (3 - len(lengths)), *lengths)
    made = laid(chain, chain.order)
    return replace(made, input_shape=(shape[0], shape[1], shape[2])) if len(shape) == 3 else made


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


def _over(chain: Chain, rows: Any) -> str | None:
    """Name what each row of places is: all values, or the channels of one place; else None."""
    count = rows.size
    if len(rows) == 1:
        return "all"
    own = np.sort(rows, axis=1)
    channels = map_made(chain)[2]
    is_place = own.shape[1] == channels and (np.sort(own[:, 0]) == np.arange(0, count, channels))
    is_whole = (own == own[:, :1] + np.arange(own.shape[1])).all()
    return "channels" if is_whole and np.all(is_place) else None
