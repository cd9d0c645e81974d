"""Operators of TensorFlow Lite as nodes, one function for each kind."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tpsgd_edge.frontend.tflite.file import Operator
from tpsgd_edge.frontend.tflite.nodes import Nodes, option
from tpsgd_edge.frontend.tflite.recurrent import lstm

_FIRST, _LAST = (0, 3, 1, 2), (0, 2, 3, 1)
_PADDING = {0: "SAME_UPPER", 1: "VALID"}
# Activations that operators take in, by their numbers.
_FUSED: Mapping[int, tuple[str, tuple[float, ...]]] = {
    1: ("Relu", ()),
    2: ("Clip", (-1.0, 1.0)),
    3: ("Clip", (0.0, 6.0)),
    4: ("Tanh", ()),
}
# Bits of masks, and the end of any axis.
_END = (1 << 31) - 1


def _activation(nodes: Nodes, op: Operator, kind: str, bounds: tuple[float, ...], x: str) -> str:
    return nodes.node(op, kind, [x, *map(nodes.number, bounds)])


def _finish(nodes: Nodes, op: Operator, y: str) -> None:
    """Let the activation that an operator takes in follow, and name its output."""
    fused = int(option(op, "fused"))
    if fused and fused not in _FUSED:
        raise nodes.error(
            op,
            f"{op.op} has an activation that is not known here",
            found=f"number {fused}",
            help="RELU, RELU_N1_TO_1, RELU6 and TANH are taken in",
        )
    kind, bounds = _FUSED.get(fused, ("", ()))
    if not fused:
        kind, bounds = _implied(nodes, op)
    nodes.stands_for(op, _activation(nodes, op, kind, bounds, y) if kind else y)


def _implied(nodes: Nodes, op: Operator) -> tuple[str, tuple[float, ...]]:
    """The relu that integers which begin at 0 are; old converters left it to them.

    At the end of a net they only begin where no sample gave a lower value.
    """
    tensor = nodes.output(op)
    if tensor is None or tensor.steps is None or tensor.limits is None or nodes.is_last(op):
        return "", ()
    low, high = tensor.limits
    scale, zero = float(tensor.steps.scale[0]), int(tensor.steps.zero[0])
    if op.op not in _WITH_SUMS or zero != low or tensor.steps.scale.size != 1:
        return "", ()
    is_six = abs(scale * (high - zero) - 6.0) < scale
    return ("Clip", (0.0, 6.0)) if is_six else ("Relu", ())


def _channels_first(nodes: Nodes, op: Operator) -> str:
    return nodes.node(op, "Transpose", [nodes.value(op, 0)], perm=_FIRST)


def _channels_last(nodes: Nodes, op: Operator, y: str) -> str:
    return nodes.node(op, "Transpose", [y], perm=_LAST)


def _window(nodes: Nodes, op: Operator) -> dict[str, Any]:
    padding = _PADDING.get(int(option(op, "padding")))
    if padding is None:
        raise nodes.error(op, f"{op.op} has an unknown padding", found=None, help=None)
    strides = (int(option(op, "stride_h")), int(option(op, "stride_w")))
    return {"auto_pad": padding, "strides": strides}


def _conv(nodes: Nodes, op: Operator) -> None:
    """Read CONV_2D and DEPTHWISE_CONV_2D, whose filters are (filters, rows, columns, channels)."""
    w = nodes.constant(op, 1, "filters")
    if w.ndim != 4:
        raise nodes.error(op, f"{op.op} has odd filters", found=f"shape {w.shape}", help=None)
    filters = w.transpose(3, 0, 1, 2) if op.op == "DEPTHWISE_CONV_2D" else w.transpose(0, 3, 1, 2)
    shape = nodes.tensor(op, 0).shape
    channels = shape[3] if len(shape) == 4 else 1
    inputs = [
        _channels_first(nodes, op),
        nodes.held(f"filters of operator {op.index}", filters),
        *_bias(nodes, op),
    ]
    y = nodes.node(
        op,
        "Conv",
        inputs,
        group=max(channels // max(filters.shape[1], 1), 1),
        dilations=nodes.apart.dilation.get(op.index) or _dilations(op),
        **_window(nodes, op),
    )
    _finish(nodes, op, _channels_last(nodes, op, y))


def _dilations(op: Operator) -> tuple[int, int]:
    return int(option(op, "dilation_h")), int(option(op, "dilation_w"))


def _space_to_batch(nodes: Nodes, op: Operator) -> None:
    """Read the begin of a convolution with gaps: zeros around its map."""
    around = ((0, 0), *nodes.apart.pads[op.index])
    left = len(nodes.tensor(op, 0).shape) - len(around)
    before, behind = zip(*around, *[(0, 0)] * left, strict=True)
    x = nodes.value(op, 0)
    nodes.stands_for(op, nodes.node(op, "Pad", [x], pads=(*before, *behind), value=0.0))


def _batch_to_space(nodes: Nodes, op: Operator) -> None:
    """Read the end of a convolution with gaps, of which nothing is left."""
    if op.index not in nodes.apart.closed:
        raise nodes.error(
            op,
            "BATCH_TO_SPACE_ND closes what no SPACE_TO_BATCH_ND began",
            found=None,
            help="a convolution with dilation, stride 1 and padding VALID is read between them",
        )
    nodes.stands_for(op, nodes.value(op, 0))


def _bias(nodes: Nodes, op: Operator) -> list[str]:
    """The name of the bias, if there is one."""
    if not nodes.has(op, 2):
        return []
    b = nodes.bias(op, 2, 1)
    return [nodes.held(f"bias of operator {op.index}", b)]


def _fully_connected(nodes: Nodes, op: Operator) -> None:
    """Read FULLY_CONNECTED: a dense layer, or one of each step where it keeps the axes."""
    if option(op, "weights_format"):
        raise nodes.error(
            op,
            "FULLY_CONNECTED has shuffled weights",
            found=f"weights_format = {option(op, 'weights_format')}",
            help="convert the net for microcontrollers, without formats of one processor",
        )
    w, shape = nodes.constant(op, 1, "weights"), nodes.tensor(op, 0).shape
    if w.ndim != 2:
        raise nodes.error(op, f"{op.op} has odd weights", found=f"shape {w.shape}", help=None)
    rows = nodes.held(f"rows of operator {op.index}", np.array([-1, w.shape[1]]))
    x = nodes.node(op, "Reshape", [nodes.value(op, 0), rows])
    weights = nodes.held(f"weights of operator {op.index}", w)
    y = nodes.node(op, "Gemm", [x, weights, *_bias(nodes, op)], transB=1)
    if option(op, "keep_num_dims") and len(shape) > 2:
        lengths = np.array([1, *shape[1:-1], len(w)])
        y = nodes.node(op, "Reshape", [y, nodes.held(f"axes of operator {op.index}", lengths)])
    _finish(nodes, op, y)


def _pool(nodes: Nodes, op: Operator) -> None:
    kind = "MaxPool" if op.op == "MAX_POOL_2D" else "AveragePool"
    size = (int(option(op, "height")), int(option(op, "width")))
    x = _channels_first(nodes, op)
    y = nodes.node(op, kind, [x], kernel_shape=size, **_window(nodes, op))
    _finish(nodes, op, _channels_last(nodes, op, y))


def _reduce(nodes: Nodes, op: Operator) -> None:
    kind = _REDUCED[op.op]
    axes, keeps = nodes.whole(op, 1, "axes"), int(option(op, "keep_dims"))
    x = nodes.value(op, 0)
    nodes.stands_for(op, nodes.node(op, kind, [x], axes=axes, keepdims=keeps))


def _reshape(nodes: Nodes, op: Operator) -> None:
    if op.index in nodes.apart.same:
        nodes.stands_for(op, nodes.node(op, "Squeeze", [nodes.value(op, 0)], axes=(1,)))
        return
    if nodes.has(op, 1) and not nodes.is_constant(op, 1):
        shape = nodes.value(op, 1)
    else:
        # Old converters gave the list an axis more.
        asked = (
            nodes.whole(op, 1, "lengths") if nodes.has(op, 1) else op.options.get("new_shape", ())
        )
        shape = nodes.held(f"shape of operator {op.index}", np.array(asked, np.int64))
    nodes.stands_for(op, nodes.node(op, "Reshape", [nodes.value(op, 0), shape]))


def _softmax(nodes: Nodes, op: Operator) -> None:
    beta = option(op, "beta") if op.op == "SOFTMAX" else 1.0
    if beta != 1.0:
        raise nodes.error(
            op,
            "SOFTMAX has a factor",
            found=f"beta = {beta:g}",
            help="multiply the weights of the last layer by it",
        )
    kind = "Softmax" if op.op == "SOFTMAX" else "LogSoftmax"
    nodes.stands_for(op, nodes.node(op, kind, [nodes.value(op, 0)], axis=-1))


def _elementwise(nodes: Nodes, op: Operator) -> None:
    kind, bounds = _CURVES[op.op]
    nodes.stands_for(op, _activation(nodes, op, kind, bounds, nodes.value(op, 0)))


def _leaky_relu(nodes: Nodes, op: Operator) -> None:
    x, slope = nodes.value(op, 0), float(option(op, "alpha"))
    nodes.stands_for(op, nodes.node(op, "LeakyRelu", [x], alpha=slope))


def _gelu(nodes: Nodes, op: Operator) -> None:
    how = "tanh" if option(op, "approximate") else "none"
    nodes.stands_for(op, nodes.node(op, "Gelu", [nodes.value(op, 0)], approximate=how))


def _prelu(nodes: Nodes, op: Operator) -> None:
    nodes.stands_for(op, nodes.node(op, "PRelu", [nodes.value(op, 0), nodes.value(op, 1)]))


def _arithmetic(nodes: Nodes, op: Operator) -> None:
    kind = {"ADD": "Add", "SUB": "Sub", "MUL": "Mul", "DIV": "Div"}[op.op]
    _finish(nodes, op, nodes.node(op, kind, [nodes.value(op, 0), nodes.value(op, 1)]))


def _extreme(nodes: Nodes, op: Operator) -> None:
    kind = "Max" if op.op == "MAXIMUM" else "Min"
    nodes.stands_for(op, nodes.node(op, kind, [nodes.value(op, 0), nodes.value(op, 1)]))


def _square(nodes: Nodes, op: Operator) -> None:
    """Read SQUARE and SQUARED_DIFFERENCE, of which norms are made."""
    x = nodes.value(op, 0)
    if op.op == "SQUARED_DIFFERENCE":
        x = nodes.node(op, "Sub", [x, nodes.value(op, 1)])
    nodes.stands_for(op, nodes.node(op, "Mul", [x, x]))


def _root(nodes: Nodes, op: Operator) -> None:
    y = nodes.node(op, "Sqrt", [nodes.value(op, 0)])
    nodes.stands_for(op, nodes.node(op, "Reciprocal", [y]) if op.op == "RSQRT" else y)


def _concat(nodes: Nodes, op: Operator) -> None:
    parts = [nodes.value(op, place) for place in range(len(op.inputs))]
    _finish(nodes, op, nodes.node(op, "Concat", parts, axis=int(option(op, "axis"))))


def _pack(nodes: Nodes, op: Operator) -> None:
    """Read PACK: its inputs with one more axis, joined along it."""
    axis = int(option(op, "axis"))
    parts = [
        nodes.node(op, "Unsqueeze", [nodes.value(op, place)], axes=(axis,))
        for place in range(len(op.inputs))
    ]
    nodes.stands_for(op, nodes.node(op, "Concat", parts, axis=axis))


def _pad(nodes: Nodes, op: Operator) -> None:
    around = nodes.whole(op, 1, "paddings")
    value = 0.0
    if op.op == "PADV2":
        given = nodes.constant(op, 2, "values")
        value = float(given.ravel()[0]) if given.size == 1 else 1.0
    pads = (*around[::2], *around[1::2])
    nodes.stands_for(op, nodes.node(op, "Pad", [nodes.value(op, 0)], pads=pads, value=value))


def _transpose(nodes: Nodes, op: Operator) -> None:
    axes = nodes.whole(op, 1, "axes")
    nodes.stands_for(op, nodes.node(op, "Transpose", [nodes.value(op, 0)], perm=axes))


def _squeeze(nodes: Nodes, op: Operator) -> None:
    axes = op.options.get("squeeze_dims", ()) or None
    nodes.stands_for(op, nodes.node(op, "Squeeze", [nodes.value(op, 0)], axes=axes))


def _expand_dims(nodes: Nodes, op: Operator) -> None:
    axes = nodes.whole(op, 1, "axes")
    nodes.stands_for(op, nodes.node(op, "Unsqueeze", [nodes.value(op, 0)], axes=axes))


def _shape(nodes: Nodes, op: Operator) -> None:
    nodes.stands_for(op, nodes.node(op, "Shape", [nodes.value(op, 0)]))


def _strided_slice(nodes: Nodes, op: Operator) -> None:
    """Read STRIDED_SLICE: a part of some axes, of which single places lose their axis."""
    starts, ends, steps = (nodes.whole(op, place, "places") for place in (1, 2, 3))
    masks = {name: int(option(op, name)) for name in op.options}
    is_plain = not masks["ellipsis_mask"] and not masks["new_axis_mask"]
    if not is_plain or not len(starts) == len(ends) == len(steps) <= 8 or min(steps, default=1) < 1:
        raise nodes.error(
            op,
            "STRIDED_SLICE has a form that is not read",
            found=f"masks {list(masks.values())}, steps {list(steps)[:8]}",
            help="slices with a begin, an end and a step above 0 are read",
        )
    axes = range(len(starts))
    dropped = tuple(axis for axis in axes if masks["shrink_axis_mask"] >> axis & 1)
    first = [0 if masks["begin_mask"] >> axis & 1 else starts[axis] for axis in axes]
    last = [_END if masks["end_mask"] >> axis & 1 else ends[axis] for axis in axes]
    for axis in dropped:
        first[axis], last[axis] = starts[axis], starts[axis] + 1 or _END
    parts = {"starts": first, "ends": last, "steps": steps}
    held = {
        name: nodes.held(f"{name} of operator {op.index}", np.array(numbers, np.int64))
        for name, numbers in (*parts.items(), ("axes", [*axes]))
    }
    inputs = [nodes.value(op, 0), *(held[name] for name in ("starts", "ends", "axes", "steps"))]
    y = nodes.node(op, "Slice", inputs)
    nodes.stands_for(op, nodes.node(op, "Squeeze", [y], axes=dropped) if dropped else y)


def _gather(nodes: Nodes, op: Operator) -> None:
    if option(op, "batch_dims"):
        raise nodes.error(op, "GATHER takes other places of each sample", found=None, help=None)
    inputs = [nodes.value(op, 0), nodes.value(op, 1)]
    nodes.stands_for(op, nodes.node(op, "Gather", inputs, axis=int(option(op, "axis"))))


def _arg_max(nodes: Nodes, op: Operator) -> None:
    axis = nodes.whole(op, 1, "axes")
    x = nodes.value(op, 0)
    nodes.stands_for(op, nodes.node(op, "ArgMax", [x], axis=axis[0] if axis else 0, keepdims=0))


def _same(nodes: Nodes, op: Operator) -> None:
    """Read what changes how numbers are written: values stay real numbers."""
    if nodes.is_constant(op, 0):
        nodes.computed(op, nodes.constant(op, 0, "values"))
        return
    nodes.stands_for(op, nodes.node(op, "Identity", [nodes.value(op, 0)]))


_REDUCED = {
    "MEAN": "ReduceMean",
    "SUM": "ReduceSum",
    "REDUCE_MAX": "ReduceMax",
    "REDUCE_PROD": "ReduceProd",
}
# Those whose sums saturate where their outputs are whole numbers.
_WITH_SUMS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD")
_CURVES: Mapping[str, tuple[str, tuple[float, ...]]] = {
    "RELU": ("Relu", ()),
    "RELU_N1_TO_1": ("Clip", (-1.0, 1.0)),
    "RELU6": ("Clip", (0.0, 6.0)),
    "RELU_0_TO_1": ("Clip", (0.0, 1.0)),
    "TANH": ("Tanh", ()),
    "LOGISTIC": ("Sigmoid", ()),
    "ELU": ("Elu", ()),
    "HARD_SWISH": ("HardSwish", ()),
    "NEG": ("Neg", ()),
}
HANDLERS: Mapping[str, Callable[[Nodes, Operator], None]] = {
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D"), _conv),
    "FULLY_CONNECTED": _fully_connected,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": lstm,
    **dict.fromkeys(("MAX_POOL_2D", "AVERAGE_POOL_2D"), _pool),
    **dict.fromkeys(_REDUCED, _reduce),
    "RESHAPE": _reshape,
    **dict.fromkeys(("SOFTMAX", "LOG_SOFTMAX"), _softmax),
    **dict.fromkeys(_CURVES, _elementwise),
    "LEAKY_RELU": _leaky_relu,
    "GELU": _gelu,
    "PRELU": _prelu,
    **dict.fromkeys(("ADD", "SUB", "MUL", "DIV"), _arithmetic),
    **dict.fromkeys(("SQUARE", "SQUARED_DIFFERENCE"), _square),
    **dict.fromkeys(("SQRT", "RSQRT"), _root),
    **dict.fromkeys(("MAXIMUM", "MINIMUM"), _extreme),
    "CONCATENATION": _concat,
    "PACK": _pack,
    **dict.fromkeys(("PAD", "PADV2"), _pad),
    "TRANSPOSE": _transpose,
    "SQUEEZE": _squeeze,
    "EXPAND_DIMS": _expand_dims,
    "SPACE_TO_BATCH_ND": _space_to_batch,
    "BATCH_TO_SPACE_ND": _batch_to_space,
    "SHAPE": _shape,
    "STRIDED_SLICE": _strided_slice,
    "GATHER": _gather,
    "ARG_MAX": _arg_max,
    **dict.fromkeys(("QUANTIZE", "DEQUANTIZE", "CAST"), _same),
}
