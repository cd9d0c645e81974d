"""Operators that become pooling layers."""

import math
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.imports.call import Call
from tpsgd_edge.frontend.imports.chain import (
    Affine,
    Chain,
    ImportedLayer,
    canonical,
    extended,
    per_channel,
)
from tpsgd_edge.frontend.imports.inputs import laid
from tpsgd_edge.frontend.imports.names import layer_name
from tpsgd_edge.frontend.imports.weighted import (
    check_map,
    convolution,
    lying,
    map_shape,
    window,
)
from tpsgd_edge.graph import Pair, Shape, pool


def pooled(chain: Chain, call: Call) -> Chain:
    """MaxPool and AveragePool, in one or two dimensions."""
    return _in_windows(chain, call)


@lying
def _in_windows(chain: Chain, call: Call) -> Chain:
    x_shape, is_1d = map_shape(chain, call), chain.order.ndim == 3
    lengths = call.integers("kernel_shape", ())
    if len(lengths) != chain.order.ndim - 2 or not all(1 <= n <= 65_535 for n in lengths):
        raise call.error(f"{call.node.op} has odd windows", found=f"{list(lengths)[:4]}")
    kernel = (1, lengths[0]) if is_1d else (lengths[0], lengths[1])
    padding, stride = window(call, x_shape, kernel, is_1d=is_1d)
    if call.node.op == "AveragePool" and _counts_zeros(call, padding):
        return _padded_average(chain, call, x_shape[2], kernel)
    ceil_mode = bool(call.integer("ceil_mode", 0)) and _is_open(call)
    kind = "max_pool" if call.node.op == "MaxPool" else "avg_pool"
    edges = {"padding": padding, "ceil_mode": ceil_mode}
    return _pool(chain, call, kind, x_shape, kernel, stride, **edges)


def _is_open(call: Call) -> bool:
    """Tell whether pads are given as numbers: only these leave rows over, which ceil_mode takes."""
    return call.text("auto_pad", "NOTSET") in ("NOTSET", "VALID")


def _counts_zeros(call: Call, padding: tuple[int, ...]) -> bool:
    """Tell whether an average counts zeros around its map; what ceil_mode adds is never counted."""
    if not call.integer("count_include_pad", 0) or not any(padding):
        return False
    if call.integer("ceil_mode", 0) and _is_open(call):
        raise call.error(
            "AveragePool counts some of what lies outside of its map",
            found="count_include_pad = 1 and ceil_mode = 1",
            help="set one of them to 0",
        )
    return True


def _padded_average(chain: Chain, call: Call, channels: int, kernel: Pair) -> Chain:
    """An average that counts the zeros around its map: a convolution of each channel."""
    area = kernel[0] * kernel[1]
    check_map(call, (*kernel, channels))
    w = np.full((channels, 1, *kernel), 1 / area)
    return convolution(chain, call, w, np.zeros(channels), groups=channels, trains=False)


def pooled_globally(chain: Chain, call: Call) -> Chain:
    """GlobalAveragePool and GlobalMaxPool."""
    return _globally(chain, call)


@lying
def _globally(chain: Chain, call: Call) -> Chain:
    x_shape = map_shape(chain, call)
    if x_shape[:2] == (1, 1):
        return chain
    is_max = call.node.op in ("GlobalMaxPool", "ReduceMax")
    kind = "max_pool" if is_max else "global_avg_pool"
    return _pool(chain, call, kind, x_shape, x_shape[:2], (1, 1))


def over_map(chain: Chain, call: Call) -> Chain:
    """Read ReduceMean and ReduceMax over the whole map, wherever its channels lie: a global pool.

    Raises:
        DataError: they reduce other axes.
    """
    axes = call.integers("axes", ())
    if call.has(1):
        axes = call.whole(call.array(1, "axes"), "axes")
    keeps = call.integer("keepdims", 1)
    does_nothing = call.integer("noop_with_empty_axes", 0)
    if not axes and does_nothing:
        return chain
    ndim = chain.order.ndim
    axes = axes or tuple(range(ndim))
    channels = set(range(1, ndim)) - {axis % ndim for axis in axes}
    if ndim not in (3, 4) or len(channels) != 1 or 0 in {axis % ndim for axis in axes}:
        op = call.node.op
        raise call.error(
            f"{op} is no global pooling",
            found=f"axes = {list(axes)[:8]} of values of shape {chain.order.shape}",
            help=f"the {'mean' if op == 'ReduceMean' else 'maximum'} over rows and columns, "
            "of each channel, has a layer",
        )
    axis = channels.pop()
    chain = replace(chain, order=np.moveaxis(chain.order, axis, 1))
    chain = laid(chain, np.moveaxis(chain.order, 1, -1))
    made = pooled_globally(chain, call)
    if keeps:
        return replace(made, order=np.moveaxis(made.order, 1, axis))
    return replace(made, order=made.order.reshape(made.order.shape[:2]))


def _pool(
    chain: Chain,
    call: Call,
    kind: str,
    x_shape: Shape,
    kernel: Pair,
    stride: Pair,
    **edges: Any,
) -> Chain:
    name = layer_name(call.node.name, "pool", chain.names)
    mode: Literal["max", "average"] = "max" if kind == "max_pool" else "average"
    try:
        made_pool = pool(name, mode, x_shape, kernel, stride, **edges)
    except SpecError as error:
        raise call.error(error.what, found=error.found, help=error.help) from None
    y_shape = made_pool.y_shape
    check_map(call, y_shape)
    table: dict[str, Any] = {"kind": kind, "name": name}
    if kind != "global_avg_pool":
        table |= {"size": kernel, "stride": stride}
    if made_pool.is_cut:
        table |= edges
    layer = ImportedLayer(table, None, math.prod(y_shape), y_shape[2], y_shape=y_shape)
    order = canonical(y_shape)[np.newaxis]
    made = extended(chain, layer, order[:, :, 0] if chain.order.ndim == 3 else order, x_shape)
    return replace(made, pending=_passed(chain, call, mode, y_shape))


def _passed(chain: Chain, call: Call, mode: str, y_shape: Shape) -> Affine | None:
    """Factor and shift that are still to be folded behind the pooling."""
    if chain.pending is None:
        return None
    affine = per_channel(chain.pending, y_shape[2])
    if affine is None or (mode == "max" and (affine.scale < 0).any()):
        raise call.error(
            f"a scaling before {call.node.op} cannot be folded",
            found="numbers that differ from position to position"
            if affine is None
            else "factors below zero, which make the largest value the smallest",
            help="put BatchNormalization directly behind a layer, before its activation",
        )
    positions = y_shape[0] * y_shape[1]
    return Affine(np.tile(affine.scale, positions), np.tile(affine.shift, positions))
