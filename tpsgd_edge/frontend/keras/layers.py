"""Layers of Keras as nodes, one function for each class."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.frontend.keras.activations import activated
from tpsgd_edge.frontend.keras.nodes import KerasLayer, Nodes

_PADDING = {"same": "SAME_UPPER", "valid": "VALID"}
_LAST = "channels_last"


def _check_last(nodes: Nodes, layer: KerasLayer) -> None:
    if layer.config.get("data_format", _LAST) not in (_LAST, None):
        raise nodes.error(
            layer,
            "the layer has its channels first",
            f"data_format = {layer.config['data_format']!r:.40}",
            "build the net with channels last, as Keras does by default",
        )


def _bias(nodes: Nodes, layer: KerasLayer, place: int, count: int) -> list[str]:
    if not layer.config.get("use_bias", True):
        return []
    return [nodes.constant(layer, "bias", nodes.weight(layer, place, count))]


def _dense(nodes: Nodes, layer: KerasLayer, x: str) -> str:
    """Read Dense: of vectors, or of each step or place."""
    kernel = nodes.weight(layer, 0, None, None)
    bias = _bias(nodes, layer, 1, kernel.shape[1])
    if layer.ndim == 2:
        w = nodes.constant(layer, "kernel", kernel)
        return activated(nodes, layer, nodes.node(layer, "Gemm", [x, w, *bias]))
    w = nodes.constant(layer, "kernel", kernel.T.reshape(*kernel.T.shape, *(1,) * (layer.ndim - 2)))
    y = nodes.node(layer, "Conv", [nodes.turned(layer, x, layer.ndim), w, *bias])
    return activated(nodes, layer, nodes.turned(layer, y, layer.ndim, back=True))


def _convolved(
    nodes: Nodes, layer: KerasLayer, x: str, filters: Array, bias: list[str], groups: int
) -> str:
    """The values behind a convolution with filters (filters, channels, ...)."""
    _check_last(nodes, layer)
    axes = filters.ndim - 2
    strides = nodes.lengths(layer, "strides", axes)
    dilations = nodes.lengths(layer, "dilation_rate", axes)
    padding = layer.config.get("padding")
    how: dict[str, Any]
    if padding == "causal" and axes == 1:
        how = {"pads": ((filters.shape[2] - 1) * dilations[0], 0)}
    elif padding in ("same", "valid"):
        how = {"auto_pad": _PADDING[padding]}
    else:
        help = 'padding = "same", "valid" or, along time, "causal"'  # noqa: A001
        raise nodes.error(layer, "the padding is not known here", f"{padding!r:.40}", help)
    w = nodes.constant(layer, f"kernel{len(nodes.made)}", filters)
    x = nodes.turned(layer, x, filters.ndim)
    y = nodes.node(
        layer, "Conv", [x, w, *bias], strides=strides, dilations=dilations, group=groups, **how
    )
    return nodes.turned(layer, y, filters.ndim, back=True)


def _conv(nodes: Nodes, layer: KerasLayer, x: str) -> str:
    axes = int(layer.kind[4])
    kernel = nodes.weight(layer, 0, *(None,) * (axes + 2))
    filters = np.moveaxis(kernel, (-1, -2), (0, 1))
    bias = _bias(nodes, layer, 1, len(filters))
    groups = nodes.setting(layer, "groups", int, 1)
    return activated(nodes, layer, _convolved(nodes, layer, x, filters, bias, groups))


def _by_channel(kernel: Array) -> Array:
    """Filters (channels * multiplier, 1, ...) from Keras' (..., channels, multiplier)."""
    moved = np.moveaxis(kernel, (-2, -1), (0, 1))
    return moved.reshape(-1, 1, *moved.shape[2:])


def _depthwise(nodes: Nodes, layer: KerasLayer, x: str) -> str:
    axes = int(layer.kind[-2])
    kernel = nodes.weight(layer, 0, *(None,) * (axes + 2))
    filters = _by_channel(kernel)
    bias = _bias(nodes, layer, 1, len(filters))
    y = _convolved(nodes, layer, x, filters, bias, kernel.shape[-2])
    return activated(nodes, layer, y)


def _separable(nodes: Nodes, layer: KerasLayer, x: str) -> str:
    """Read SeparableConv: a depthwise convolution, and one of single places behind it."""
    axes = int(layer.kind[-2])
    kernel = nodes.weight(layer, 0, *(None,) * (axes + 2))
    pointwise = nodes.weight(layer, 1, *(None,) * (axes + 2))
    x = _convolved(nodes, layer, x, _by_channel(kernel), [], kernel.shape[-2])
    filters = np.moveaxis(pointwise, (-1, -2), (0, 1))
    w = nodes.constant(layer, "pointwise", filters)
    bias = _bias(nodes, layer, 2, len(filters))
    y = nodes.node(layer, "Conv", [nodes.turned(layer, x, axes + 2), w, *bias])
    return activated(nodes, layer, nodes.turned(layer, y, axes + 2, back=True))


def _pool(nodes: Nodes, layer: KerasLayer, x: str) -> str:
    _check_last(nodes, layer)
    axes, op = int(layer.kind[-2]), "MaxPool" if layer.kind.startswith("Max") else "AveragePool"
    padding = _PADDING.get(str(layer.config.get("padding")))
    if padding is None:
        found = f"{layer.config.get('padding')!r:.40}"
        raise nodes.error(layer, "the padding is not known here", found, '"same" or "valid"')
    size = nodes.lengths(layer, "pool_size", axes)
    strides = nodes.lengths(layer, "strides", axes) if layer.config.get("strides") else size
    x = nodes.turned(layer, x, axes + 2)
    y = nodes.node(layer, op, [x], kernel_shape=size, strides=strides, auto_pad=padding)
    return nodes.turned(layer, y, axes + 2, back=True)


def _pool_globally(nodes: Nodes, layer: KerasLayer, x: str) -> str:
    _check_last(nodes, layer)
    op = "ReduceMax" if layer.kind.startswith("GlobalMax") else "ReduceMean"
    axes = tuple(range(1, int(layer.kind[-2]) + 1))
    keeps = int(bool(layer.config.get("keepdims", False)))
    return nodes.node(layer, op, [x], axes=axes, keepdims=keeps)


def _batch_normalization(nodes: Nodes, layer: KerasLayer, x: str) -> str:
    axis = layer.config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    if axis not in (-1, layer.ndim - 1):
        help = "normalize the channels, which are last"  # noqa: A001
        raise nodes.error(layer, "the layer normalizes other values", f"axis = {axis!r:.40}", help)
    arrays = iter(range(len(layer.weights)))
    one = (None,)
    gamma = nodes.weight(layer, next(arrays, 9), *one) if layer.config.get("scale", True) else 1.0
    beta = nodes.weight(layer, next(arrays, 9), *one) if layer.config.get("center", True) else 0.0
    mean, variance = (nodes.weight(layer, next(arrays, 9), *one) for _ in "mv")
    factor = gamma / np.sqrt(variance.astype(np.float64) + layer.config.get("epsilon", 1e-3))
    return _scaled(nodes, layer, x, factor, beta - mean * factor)


def _scaled(nodes: Nodes, layer: KerasLayer, x: str, factor: Array, shift: Array) -> str:
    by, more = (np.asarray(values, np.float64) for values in (factor, shift))
    x = nodes.node(layer, "Mul", [x, nodes.constant(layer, "factor", by)])
    return nodes.node(layer, "Add", [x, nodes.constant(layer, "shift", more)])


def _normalization(nodes: Nodes, layer: KerasLayer, x: str) -> str:
    """Read LayerNormalization and RMSNormalization over the last axis."""
    axis = layer.config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list | tuple) and len(axis) == 1 else axis
    if axis not in (-1, layer.ndim - 1):
        help = "the values of each place are normalized: axis = -1"  # noqa: A001
        raise nodes.error(layer, "the layer normalizes other values", f"axis = {axis!r:.40}", help)
    given = [np.asarray(w, np.float64) for w in layer.weights]
    is_scaled = layer.kind == "RMSNormalization" or bool(layer.config.get("scale", True))
    if given and not is_scaled:
        given = [np.ones(given[0].shape), *given]
    names = ("scale", "shift")
    held = [nodes.constant(layer, name, w) for name, w in zip(names, given, strict=False)]
    epsilon = float(layer.config.get("epsilon") or 1e-7)
    return nodes.node(layer, layer.kind, [x, *held], axis=-1, epsilon=epsilon)


def _rescaling(nodes: Nodes, layer: KerasLayer, x: str) -> str:
    scale, offset = (np.asarray(layer.config.get(name), float) for name in ("scale", "offset"))
    return _scaled(nodes, layer, x, scale, offset)


def _flatten(nodes: Nodes, layer: KerasLayer, x: str) -> str:
    _check_last(nodes, layer)
    return nodes.node(layer, "Flatten", [x], axis=1)


def _reshape(nodes: Nodes, layer: KerasLayer, x: str) -> str:
    asked = nodes.setting(layer, "target_shape", list)
    shape = nodes.constant(layer, "shape", np.array([1, *asked]))
    return nodes.node(layer, "Reshape", [x, shape])


def _permute(nodes: Nodes, layer: KerasLayer, x: str) -> str:
    dims = nodes.setting(layer, "dims", list)
    return nodes.node(layer, "Transpose", [x], perm=(0, *dims))


def _pad(nodes: Nodes, layer: KerasLayer, x: str) -> str:
    _check_last(nodes, layer)
    around = nodes.setting(layer, "padding", list)
    pairs = [around] if layer.kind == "ZeroPadding1D" else [*around]
    before, behind = ([0, *(int(pair[i]) for pair in pairs), 0] for i in (0, 1))
    return nodes.node(layer, "Pad", [x], pads=(*before, *behind), value=0.0)


def _same(nodes: Nodes, layer: KerasLayer, x: str) -> str:
    return nodes.node(layer, "Identity", [x])


def _check_recurrent(nodes: Nodes, layer: KerasLayer) -> None:
    for name in ("return_state", "go_backwards"):
        if layer.config.get(name):
            help = "one direction, without the state as an output"  # noqa: A001
            raise nodes.error(layer, "the layer reads its steps in a way of its own", name, help)


def _recurrent(
    nodes: Nodes,
    layer: KerasLayer,
    x: str,
    op: str,
    bias: Array,
    *,
    in_order: Callable[[Array], Array] = lambda rows: rows,
    **attributes: Any,
) -> str:
    """The outputs of all steps, or of the last one.

    Args:
        in_order: rows of weights in the order of ONNX.
    """
    _check_recurrent(nodes, layer)
    kernel, own = (nodes.weight(layer, place, None, None) for place in (0, 1))
    arrays = {"kernel": in_order(kernel.T), "recurrent": in_order(own.T), "bias": bias}
    held = [nodes.constant(layer, name, array[np.newaxis]) for name, array in arrays.items()]
    sequences = bool(layer.config.get("return_sequences"))
    y = nodes.node(
        layer, op, [x, *held], 1 if sequences else 2, hidden_size=len(own), layout=1, **attributes
    )
    return nodes.node(layer, "Squeeze", [y], axes=(2,) if sequences else (1,))


def _simple_rnn(nodes: Nodes, layer: KerasLayer, x: str) -> str:
    name = layer.config.get("activation")
    known = {"tanh": "Tanh", "relu": "Relu", "sigmoid": "Sigmoid"}
    if name not in known:
        help = f"one of {', '.join(known)}"  # noqa: A001
        raise nodes.error(layer, "SimpleRNN has another activation", f"{name!r:.40}", help)
    units = nodes.weight(layer, 1, None, None).shape[0]
    has_bias = layer.config.get("use_bias", True)
    own = nodes.weight(layer, 2, units) if has_bias else np.zeros(units)
    bias = np.concatenate([own, np.zeros(units)])
    return _recurrent(nodes, layer, x, "RNN", bias, activations=(known[name],))


def _gru(nodes: Nodes, layer: KerasLayer, x: str) -> str:
    """Read GRU: Keras has its gates in the order of ONNX, the update gate first."""
    _check_gated(nodes, layer)
    rows = 3 * nodes.weight(layer, 1, None, None).shape[0]
    is_after = bool(layer.config.get("reset_after", True))
    bias = np.zeros(2 * rows)
    if layer.config.get("use_bias", True):
        own = nodes.weight(layer, 2, *((2, rows) if is_after else (rows,))).ravel()
        bias[: own.size] = own
    return _recurrent(nodes, layer, x, "GRU", bias, linear_before_reset=int(is_after))


def _lstm(nodes: Nodes, layer: KerasLayer, x: str) -> str:
    """Read LSTM: Keras has the output gate last, ONNX has it second."""
    _check_gated(nodes, layer)
    rows = 4 * nodes.weight(layer, 1, None, None).shape[0]
    bias = np.zeros(2 * rows)
    if layer.config.get("use_bias", True):
        bias[:rows] = _output_second(nodes.weight(layer, 2, rows))
    return _recurrent(nodes, layer, x, "LSTM", bias, in_order=_output_second)


def _output_second(values: Array) -> Array:
    """Rows of input gate, forget gate, candidate and output gate in the order of ONNX."""
    take, keep, candidate, show = np.split(values, 4)
    return np.concatenate([take, show, keep, candidate])


def _check_gated(nodes: Nodes, layer: KerasLayer) -> None:
    given = (layer.config.get("activation"), layer.config.get("recurrent_activation"))
    if given != ("tanh", "sigmoid"):
        help = "tanh, and sigmoid in the gates"  # noqa: A001
        raise nodes.error(layer, f"{layer.kind} has other activations", f"{given!r:.60}", help)


def _activation(nodes: Nodes, layer: KerasLayer, x: str) -> str:
    return activated(nodes, layer, x)


def _relu(nodes: Nodes, layer: KerasLayer, x: str) -> str:
    """Read ReLU with its bounds and its slope."""
    slope = float(layer.config.get("negative_slope") or 0.0)
    most, threshold = layer.config.get("max_value"), float(layer.config.get("threshold") or 0.0)
    if threshold or (slope and most is not None):
        help = "a threshold of 0, and a slope or a largest value"  # noqa: A001
        found = f"threshold {threshold:g}, negative_slope {slope:g}, max_value {most}"
        raise nodes.error(layer, "ReLU has a form that is not read", found, help)
    if most is not None:
        bounds = [
            nodes.constant(layer, n, np.array(v)) for n, v in (("a", 0.0), ("b", float(most)))
        ]
        return nodes.node(layer, "Clip", [x, *bounds])
    return nodes.node(layer, "LeakyRelu", [x], alpha=slope)


def _leaky_relu(nodes: Nodes, layer: KerasLayer, x: str) -> str:
    slope = layer.config.get("negative_slope", layer.config.get("alpha", 0.3))
    return nodes.node(layer, "LeakyRelu", [x], alpha=float(slope))


def _elu(nodes: Nodes, layer: KerasLayer, x: str) -> str:
    return nodes.node(layer, "Elu", [x], alpha=float(layer.config.get("alpha", 1.0)))


def _softmax(nodes: Nodes, layer: KerasLayer, x: str) -> str:
    return nodes.node(layer, "Softmax", [x], axis=nodes.setting(layer, "axis", int, -1))


Handler = Callable[[Nodes, KerasLayer, str], str]
HANDLERS: Mapping[str, Handler] = {
    "Dense": _dense,
    **dict.fromkeys(("Conv1D", "Conv2D"), _conv),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _depthwise),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), _separable),
    **{f"{mode}Pooling{axes}D": _pool for mode in ("Max", "Average") for axes in (1, 2)},
    **{f"Global{m}Pooling{axes}D": _pool_globally for m in ("Max", "Average") for axes in (1, 2)},
    "BatchNormalization": _batch_normalization,
    **dict.fromkeys(("LayerNormalization", "RMSNormalization"), _normalization),
    "Rescaling": _rescaling,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    **dict.fromkeys(("ZeroPadding1D", "ZeroPadding2D"), _pad),
    **dict.fromkeys(
        (
            *("Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianDropout"),
            *("GaussianNoise", "AlphaDropout", "ActivityRegularization", "Identity"),
        ),
        _same,
    ),
    "SimpleRNN": _simple_rnn,
    "GRU": _gru,
    "LSTM": _lstm,
    "Activation": _activation,
    "ReLU": _relu,
    "LeakyReLU": _leaky_relu,
    "ELU": _elu,
    "Softmax": _softmax,
}
