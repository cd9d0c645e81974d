"""Operators that normalize."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from tpsgd_edge.frontend.imports.call import Call
from tpsgd_edge.frontend.imports.chain import (
    Chain,
    like_before,
    map_made,
    places,
    scaled,
    with_scale_layer,
)
from tpsgd_edge.frontend.imports.inputs import laid


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
        chain = _samples_as_they_lie(chain)
    order = places(chain, call).reshape(shape)
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
    made = like_before(chain, call, table, None)
    scale = call.real(1, "scale", lengths) if call.has(1) else np.ones(lengths)
    shift = call.real(2, "bias", lengths) if call.has(2) else np.zeros(lengths)
    return made if (scale == 1).all() and not shift.any() else scaled(made, call, scale, shift)


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
