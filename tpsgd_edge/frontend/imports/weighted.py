"""Operators that become layers with weights: dense, convolutions."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.types import Real
from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.imports.call import LARGEST_MAP, Call
from tpsgd_edge.frontend.imports.chain import (
    ZERO,
    Chain,
    ImportedLayer,
    canonical,
    extended,
    per_channel,
    places,
    with_scale_layer,
    with_scaled_samples,
)
from tpsgd_edge.frontend.imports.names import layer_name
from tpsgd_edge.graph import Shape, Weights, conv2d

_LARGEST = 65_535
Handler = Callable[[Chain, Call], Chain]
_BEHIND_LAYERS = "put BatchNormalization directly behind a layer, before its activation"
_ONE_VECTOR = (
    "a dense layer reads one vector; of recurrent layers that were taken apart into products write "
    "the file with torch.onnx.export(..., dynamo=False), or give the weights in an .npz"
)
_BEFORE_LAYERS = "leave the shift of samples out of the net, and give it samples that have it"


def dense(chain: Chain, call: Call, w: Real, b: Real) -> Chain:
    """Append a dense layer with w (units, values) and b (units,); DataError if they do not fit."""
    order = places(chain, call)
    shape = chain.order.shape
    if w.ndim != 2 or w.shape[1] != shape[-1] or shape[-1] != len(order):
        raise call.error(
            f"the weights of {call.node.op} do not fit",
            found=f"{w.shape[::-1]} for values of shape {shape}",
            help=_ONE_VECTOR if len(shape) > 2 else None,
        )
    check_lengths(call, *w.shape)
    columns = np.empty_like(w)
    columns[:, order] = w
    if chain.pending is not None:
        # Of a sequence, the numbers of the last step.
        scale, shift = chain.pending.scale[-len(order) :], chain.pending.shift[-len(order) :]
        b, columns = b + columns @ shift, columns * scale
    units = len(w)
    table = {"kind": "dense", "units": units, "activation": "linear"}
    layer = named_layer(chain, call, table, Weights(columns, b), units, units)
    return extended(chain, layer, np.arange(units).reshape(*shape[:-1], units))


def conv(chain: Chain, call: Call) -> Chain:
    """Conv in one or two dimensions."""
    return _convolved(chain, call)


def _convolved_as_it_lies(chain: Chain, call: Call) -> Chain:
    x_shape = map_shape(_framed(chain)[0], call)
    is_1d, w, groups = chain.order.ndim == 3, call.real(1, "weights"), call.integer("group", 1)
    w = w[:, :, np.newaxis] if is_1d and w.ndim == 3 else w
    if w.ndim != 4 or min(w.shape) < 1 or groups < 1 or w.shape[1] * groups != x_shape[2]:
        raise call.error(
            "the weights of Conv do not fit",
            found=f"{w.shape}, {groups} groups, for {x_shape[2]} channels",
        )
    check_lengths(call, *w.shape)
    check_kernel(call, (w.shape[3],) if is_1d else w.shape[2:])
    filters = w.shape[0]
    b = call.real(2, "bias", (filters,)) if call.has(2) else np.zeros(filters)
    is_padded = chain.has_zeros or any(call.integers("pads", ()))
    if x_shape[:2] == w.shape[2:] == (1, 1) and groups == 1 and not is_padded:
        window(call, x_shape, (1, 1), is_1d=is_1d)
        _dilation(call, is_1d=is_1d)  # one weight has no neighbours
        return _at_one_place(chain, call, w[:, :, 0, 0], b)
    return convolution(chain, call, w, b, groups=groups)


def _at_one_place(chain: Chain, call: Call, w: Real, b: Real) -> Chain:
    """A convolution of one place: a dense layer, and so it may be the last one."""
    around = chain.order.ndim - 2
    made = dense(replace(chain, order=chain.order.reshape(1, -1)), call, w, b)
    return replace(made, order=made.order.reshape(1, -1, *(1,) * around))


def convolution(
    chain: Chain, call: Call, w: Real, b: Real, *, groups: int, trains: bool = True
) -> Chain:
    """Append a convolution with the windows of the node.

    Args:
        w: (filters, channels of a group, rows, columns).
        trains: whether it learns on the device unless settings say so.

    Raises:
        DataError: weights or windows do not fit the map.
    """
    chain, zeros = _framed(chain)
    x_shape, is_1d = map_shape(chain, call), chain.order.ndim == 3
    filters, kernel = w.shape[0], (w.shape[2], w.shape[3])
    wide = (x_shape[0] + zeros[0] + zeros[2], x_shape[1] + zeros[1] + zeros[3], x_shape[2])
    dilation = _dilation(call, is_1d=is_1d)
    reach = ((kernel[0] - 1) * dilation[0] + 1, (kernel[1] - 1) * dilation[1] + 1)
    own, stride = window(call, wide, reach, is_1d=is_1d)
    padding = (own[0] + zeros[0], own[1] + zeros[1], own[2] + zeros[2], own[3] + zeros[3])
    table: dict[str, Any] = {
        "kind": "conv1d" if is_1d else "conv2d",
        "filters": filters,
        "kernel": kernel[1] if is_1d else kernel,
        "stride": stride[1] if is_1d else stride,
        "padding": (padding[1], padding[3]) if is_1d else padding,
        "groups": groups,
        "activation": "linear",
        **({} if trains else {"train": False}),
        **({} if dilation == (1, 1) else {"dilation": dilation[1] if is_1d else dilation}),
    }
    name = _name(chain, call, "conv")
    try:
        y_shape = conv2d(
            name,
            x_shape,
            filters=filters,
            kernel=kernel,
            stride=stride,
            dilation=dilation,
            padding=padding,
            groups=groups,
        ).y_shape
    except SpecError as error:
        raise call.error(error.what, found=error.found, help=error.help) from None
    check_map(call, y_shape)
    if not _can_fold(chain, padding=sum(padding)):
        chain = with_scaled_samples(chain)
    if chain.layers and not _can_fold(chain, padding=sum(padding)):
        chain = with_scale_layer(chain, call)
    w, b = _with_pending(chain, call, w, b, padding=sum(padding))
    rows = w.transpose(0, 2, 3, 1).reshape(filters, -1)
    table, count = {**table, "name": name}, math.prod(y_shape)
    layer = ImportedLayer(table, Weights(rows, b), count, filters, y_shape=y_shape)
    order = canonical(y_shape)[np.newaxis]
    return extended(chain, layer, order[:, :, 0] if is_1d else order, x_shape)


def pad(chain: Chain, call: Call) -> Chain:
    """Read Pad: zeros that the next convolution takes in; DataError if it pads otherwise."""
    ndim = chain.order.ndim
    pads = call.integers("pads", ())
    if call.has(1):
        pads = call.whole(call.array(1, "pads"), "pads")
    axes = call.whole(call.array(3, "axes"), "axes") if call.has(3) else tuple(range(ndim))
    value = call.real(2, "value").ravel() if call.has(2) else [call.number("value", 0.0)]
    mode = call.text("mode", "constant")
    count = len(axes)
    fit = len(pads) == 2 * count and len({axis % ndim for axis in axes}) == count
    if not fit or mode != "constant" or any(value) or not all(0 <= n <= 998 for n in pads):
        raise call.error(
            "Pad puts something else than zeros around the values",
            found=f"mode {mode[:20]}, pads {list(pads)[:8]}",
            help="zeros around rows and columns go into the convolution behind them",
        )
    around = np.zeros((ndim, 2), np.int64)
    for axis, before, behind in zip(axes, pads[:count], pads[count:], strict=True):
        around[axis % ndim] = before, behind
    check_map(call, (math.prod((chain.order.shape + around.sum(axis=1)).tolist()), 1, 1))
    return replace(chain, order=np.pad(chain.order, around, constant_values=ZERO))


def _framed(chain: Chain) -> tuple[Chain, tuple[int, ...]]:
    """The chain without zeros around its map, and how many were above, left, below and right."""
    if chain.order.ndim not in (3, 4) or not chain.has_zeros:
        return chain, (0, 0, 0, 0)
    is_1d = chain.order.ndim == 3
    maps = chain.order[:, :, np.newaxis] if is_1d else chain.order
    seen = (maps != ZERO).any(axis=(0, 1))
    top, below = _ends(seen.any(axis=1))
    left, right = _ends(seen.any(axis=0))
    height, width = seen.shape
    inner = maps[:, :, top : height - below, left : width - right]
    return replace(chain, order=inner[:, :, 0] if is_1d else inner), (top, left, below, right)


def _ends(seen: NDArray[np.bool_]) -> tuple[int, int]:
    """Count the lines at either end that hold nothing."""
    return int(seen.argmax()), int(seen[::-1].argmax())


def _with_pending(chain: Chain, call: Call, w: Real, b: Real, *, padding: int) -> tuple[Real, Real]:
    """Weights (filters, channels of a group, rows, columns) that scale their input themselves."""
    if chain.pending is None:
        return w, b
    channels = chain.order.shape[1]
    affine = per_channel(chain.pending, channels)
    if affine is None or not _can_fold(chain, padding=padding):
        raise call.error(
            "a scaling cannot be folded into Conv",
            found="zeros around the map, which the scaling would have to shift"
            if affine is not None
            else "numbers that differ from position to position",
            help=_BEHIND_LAYERS if chain.layers else _BEFORE_LAYERS,
        )
    # Filter f reads the channels of its group.
    per_group = w.shape[1]
    group = np.arange(len(w)) // (len(w) // (channels // per_group))
    of_filter = group[:, np.newaxis] * per_group + np.arange(per_group)
    scale, shift = affine.scale[of_filter], affine.shift[of_filter]
    return w * scale[:, :, np.newaxis, np.newaxis], b + (w.sum(axis=(2, 3)) * shift).sum(axis=1)


def _can_fold(chain: Chain, *, padding: int) -> bool:
    """Tell whether a convolution can take in what is pending: zeros around a map stay zeros."""
    if chain.pending is None:
        return True
    affine = per_channel(chain.pending, chain.order.shape[1])
    return affine is not None and not (padding and affine.shift.any())


def _is_upright(chain: Chain) -> bool:
    """Tell whether the values are a map that is one column wide and several rows high.

    A map that a layer made so is read as it is.
    """
    if chain.order.ndim != 4 or chain.steps > 1 or (chain.layers and not chain.is_lying):
        return False
    rows, columns = _framed(chain)[0].order.shape[2:]
    return bool(columns == 1 < rows)


def lying(handler: Handler) -> Handler:
    """A handler of maps that sees those which are one column wide as one row high.

    Both lie alike in memory, and layers along time read rows.
    """

    def read(chain: Chain, call: Call) -> Chain:
        return _lying(handler, chain, call) if _is_upright(chain) else handler(chain, call)

    return read


_convolved = lying(_convolved_as_it_lies)
_TURNED = ("kernel_shape", "strides", "dilations")


def _lying(handler: Handler, chain: Chain, call: Call) -> Chain:
    def turned(name: str, value: Any) -> Any:
        is_pair = isinstance(value, tuple) and len(value) == (4 if name == "pads" else 2)
        if name == "pads" and is_pair:
            return (value[1], value[0], value[3], value[2])
        return value[::-1] if name in _TURNED and is_pair else value

    node = replace(call.node, attributes=call.node.attributes.changed(turned))
    arrays = [a.swapaxes(2, 3) if a is not None and a.ndim == 4 else a for a in call.arrays]
    seen = replace(chain, order=chain.order.swapaxes(2, 3))
    made = handler(seen, replace(call, node=node, arrays=tuple(arrays)))
    made = replace(made, is_lying=True)
    return replace(made, order=made.order.swapaxes(2, 3)) if made.order.ndim == 4 else made


def check_kernel(call: Call, kernel: tuple[int, ...]) -> None:
    """Refuse an attribute that says another window than the weights have by a DataError."""
    said = call.integers("kernel_shape", kernel)
    if said != tuple(kernel):
        raise call.error(
            f"{call.node.op} says another window than its weights have",
            found=f"kernel_shape = {list(said)[:4]}, weights of {list(kernel)}",
        )


def map_shape(chain: Chain, call: Call) -> Shape:
    """Shape (height, width, channels) of the map that is read; DataError if it is no map."""
    shape = chain.order.shape
    if len(shape) not in (3, 4) or shape[0] != 1 or chain.steps > 1:
        raise call.error(
            f"{call.node.op} reads no map in one or two dimensions",
            found=f"values of shape {shape}" + (" of a sequence" if chain.steps > 1 else ""),
        )
    spatial = shape[2:] if len(shape) == 4 else (1, shape[2])
    x_shape = (spatial[0], spatial[1], shape[1])
    if (
        chain.order.size != chain.size
        or (chain.order.reshape(shape[1], *spatial) != canonical(x_shape)).any()
    ):
        raise call.error(
            f"{call.node.op} reads a map that was reordered before",
            found=f"values of shape {shape} that do not lie as rows, columns, channels",
            help="only Transpose from and to channels first can be undone",
        )
    made = chain.layers[-1].y_shape if chain.layers else None
    if made is not None and made != x_shape:
        raise call.error(
            f"{call.node.op} reads a map in another shape than the layer before makes it",
            found=f"{made[0]} x {made[1]} x {made[2]} made, {' x '.join(map(str, x_shape))} read",
            help="layers that read maps follow each other without a Reshape between",
        )
    return x_shape


def window(
    call: Call, x_shape: Shape, kernel: tuple[int, int], *, is_1d: bool
) -> tuple[tuple[int, int, int, int], tuple[int, int]]:
    """Read the zeros on all four sides and the stride; DataError if they are odd."""
    axes = 1 if is_1d else 2
    stride = call.integers("strides", (1,) * axes)
    is_apart = call.node.op != "Conv" and set(call.integers("dilations", (1,))) != {1}
    pads = call.integers("pads", (0,) * 2 * axes)
    if len(stride) != axes or not all(1 <= s <= _LARGEST for s in stride) or is_apart:
        dilations = call.integers("dilations", (1,) * axes)
        raise call.error(
            f"{call.node.op} has windows that our layers have not",
            found=f"strides = {list(stride)[:4]}, dilations = {list(dilations)[:4]}",
            help="dilations of pools must be 1",
        )
    if len(pads) != 2 * axes or not all(0 <= n <= 998 for n in pads):
        raise call.error(f"{call.node.op} has odd pads", found=f"{list(pads)[:8]}")
    lengths = x_shape[1:2] if is_1d else x_shape[:2]
    mode = call.text("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        missing = [
            max((-(-length // s) - 1) * s + k - length, 0)
            for length, s, k in zip(lengths, stride, kernel[-axes:], strict=True)
        ]
        less, more = [n // 2 for n in missing], [n - n // 2 for n in missing]
        pads = (*less, *more) if mode == "SAME_UPPER" else (*more, *less)
    elif mode == "VALID":
        pads = (0,) * 2 * axes
    elif mode != "NOTSET":
        raise call.error(f"{call.node.op} has an unknown auto_pad", found=mode[:40])
    if is_1d:
        return (0, pads[0], 0, pads[1]), (1, stride[0])
    return (pads[0], pads[1], pads[2], pads[3]), (stride[0], stride[1])


def _dilation(call: Call, *, is_1d: bool) -> tuple[int, int]:
    """Read how far rows and columns lie apart that neighbouring weights see."""
    axes = 1 if is_1d else 2
    dilations = call.integers("dilations", (1,) * axes)
    if len(dilations) != axes or not all(1 <= n <= _LARGEST for n in dilations):
        raise call.error(f"{call.node.op} has odd dilations", found=f"{list(dilations)[:4]}")
    return (1, dilations[0]) if is_1d else (dilations[0], dilations[1])


def check_map(call: Call, shape: Shape) -> None:
    """Refuse a map that is larger than any microcontroller holds by a DataError."""
    count = math.prod(shape)
    if not 0 < count <= LARGEST_MAP:
        raise call.error(
            f"{call.node.op} makes a map of absurd size",
            found=f"{count:,} values; {LARGEST_MAP:,} are allowed",
        )


def check_lengths(call: Call, *lengths: int) -> None:
    """Refuse rows and columns of weights that are longer than ours by a DataError."""
    if not all(1 <= n <= _LARGEST for n in lengths):
        raise call.error(f"{call.node.op} has weights of an absurd shape", found=f"{list(lengths)}")


def _name(chain: Chain, call: Call, kind: str) -> str:
    """A name from that of the weights, which people choose, or from the node's."""
    weights = call.node.inputs[1] if len(call.node.inputs) > 1 else ""
    own = weights.removesuffix(".weight") if weights.endswith(".weight") else call.node.name
    return layer_name(own, kind, chain.names)


def named_layer(
    chain: Chain, call: Call, table: dict[str, Any], weights: Weights, count: int, channels: int
) -> ImportedLayer:
    """The layer of a table, with a name."""
    name = _name(chain, call, str(table["kind"]))
    return ImportedLayer({**table, "name": name}, weights, count, channels)
