"""Layers as operators of TensorFlow Lite, one function for each kind. Maps lie as ours do."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.tflite.writer import TfliteWriter
from tpsgd_edge.graph import Add, Concat, Conv2d, Dense, Pool, Shape, Weights

_SAME, _VALID = 0, 1
# Activations that operators take in.
_FUSED = {"linear": 0, "relu": 1, "hard_tanh": 2, "relu6": 3}
_SINGLE: Mapping[str, tuple[str, dict[str, Any]]] = {
    "tanh": ("TANH", {}),
    "sigmoid": ("LOGISTIC", {}),
    "hard_swish": ("HARD_SWISH", {}),
    "gelu": ("GELU", {"approximate": 0}),
    "gelu_tanh": ("GELU", {"approximate": 1}),
}
_LOWEST = np.array(-3.4e38)


def flat(writer: TfliteWriter, x: int, name: str) -> int:
    """The values as rows (samples, n), in our order."""
    shape = writer.shape_of(x)
    return x if len(shape) == 2 else _shaped(writer, x, (int(np.prod(shape)),), f"{name}/flat")


def as_map(writer: TfliteWriter, x: int, shape: Shape, name: str) -> int:
    """The values as a map (samples, height, width, channels)."""
    return x if writer.shape_of(x) == (1, *shape) else _shaped(writer, x, shape, f"{name}/map")


def _shaped(writer: TfliteWriter, x: int, lengths: tuple[int, ...], name: str) -> int:
    asked = writer.constant(f"{name}/shape", np.array([-1, *lengths]))
    return writer.op("RESHAPE", [x, asked], name, (1, *lengths), new_shape=[-1, *lengths])


def refuse(name: str, what: str) -> NoReturn:
    """Say that a layer has no operators in TensorFlow Lite.

    Raises:
        SpecError: always.
    """
    raise SpecError(
        f"layer '{name}' cannot be written as TensorFlow Lite",
        where=f"[model], layer '{name}'",
        found=what,
        help="ONNX has it: --onnx",
    )


def _fused(activation: str) -> int:
    return _FUSED.get(activation, 0)


def _activated(writer: TfliteWriter, layer: Dense | Conv2d | Add, z: int) -> int:
    """The layer's outputs, made from its sums `z`, which have an activation that is fused."""
    name, activation, shape = layer.name, layer.activation, writer.shape_of(z)

    def op(kind: str, inputs: list[int], ending: str, **options: Any) -> int:
        return writer.op(kind, inputs, f"{name}/{ending}", shape, **options)

    def number(value: float) -> int:
        return writer.constant(f"{name}/{value:.9g}", np.array(value))

    if activation in _FUSED:
        return z
    if activation in _SINGLE:
        kind, options = _SINGLE[activation]
        return op(kind, [z], kind.lower(), **options)
    if activation == "leaky_relu":
        return op("LEAKY_RELU", [z], "leaky_relu", alpha=layer.numbers[0])
    if activation == "elu" and layer.numbers == (1.0,):
        return op("ELU", [z], "elu")
    if activation == "silu":
        return op("MUL", [z, op("LOGISTIC", [z], "logistic")], "silu")
    if activation == "hard_sigmoid":
        slope, shift = layer.numbers
        scaled = op("MUL", [z, number(slope)], "scaled")
        moved = op("ADD", [scaled, number(shift)], "moved", fused=_FUSED["relu"])
        return op("MINIMUM", [moved, number(1.0)], "hard_sigmoid")
    refuse(name, f"activation {activation}")


def _dense(writer: TfliteWriter, layer: Dense, weights: Weights | None, x: int) -> int:
    assert weights is not None
    w = writer.constant(f"{layer.name}/MatMul", weights.w)
    b = writer.constant(f"{layer.name}/BiasAdd", weights.b)
    inputs, shape = [flat(writer, x, layer.name), w, b], (1, layer.n_out)
    fused = _fused(layer.activation)
    z = writer.op("FULLY_CONNECTED", inputs, layer.name, shape, fused=fused)
    return _activated(writer, layer, z)


def _conv2d(writer: TfliteWriter, layer: Conv2d, weights: Weights | None, x: int) -> int:
    assert weights is not None
    x = as_map(writer, x, layer.x_shape, layer.name)
    x, padding = _padded(writer, layer, layer.reach, x)
    filters = weights.w.reshape(layer.n_out, *layer.kernel, -1)
    is_depthwise = 1 < layer.groups == layer.x_shape[2]
    if is_depthwise:
        filters = filters.transpose(3, 1, 2, 0)
    w = writer.constant(f"{layer.name}/Conv2D", filters)
    b = writer.constant(f"{layer.name}/BiasAdd", weights.b)
    multiplier = {"multiplier": layer.n_out // layer.groups} if is_depthwise else {}
    z = writer.op(
        "DEPTHWISE_CONV_2D" if is_depthwise else "CONV_2D",
        [x, w, b],
        layer.name,
        (1, *layer.y_shape),
        padding=padding,
        stride_h=layer.stride[0],
        stride_w=layer.stride[1],
        dilation_h=layer.dilation[0],
        dilation_w=layer.dilation[1],
        fused=_fused(layer.activation),
        **multiplier,
    )
    return _activated(writer, layer, z)


def _padding_is_same(layer: Conv2d | Pool, reach: Sequence[int]) -> bool:
    """Tell whether windows reach over the edges as TensorFlow's SAME lays them."""
    for axis in (0, 1):
        length, stride = layer.x_shape[axis], layer.stride[axis]
        count = -(-length // stride)
        missing = max((count - 1) * stride + reach[axis] - length, 0)
        if layer.y_shape[axis] != count or layer.padding[axis] != missing // 2:
            return False
    return True


def _around(layer: Conv2d | Pool, reach: Sequence[int]) -> list[tuple[int, int]]:
    """Rows and columns that windows reach over the edges, before and behind."""
    made = []
    for axis in (0, 1):
        before, length = layer.padding[axis], layer.x_shape[axis]
        last = (layer.y_shape[axis] - 1) * layer.stride[axis] + reach[axis]
        made.append((before, max(0, last - before - length)))
    return made


def _padded(
    writer: TfliteWriter, layer: Conv2d | Pool, reach: Sequence[int], x: int
) -> tuple[int, int]:
    """The map with what is around it, and the padding that is left to the operator."""
    around = _around(layer, reach)
    if not any(map(any, around)):
        return x, _VALID
    if _padding_is_same(layer, reach):
        return x, _SAME
    if layer.kind == "average_pool":
        refuse(layer.name, f"an average that leaves out what is outside of its map: {around}")
    pads = writer.constant(f"{layer.name}/paddings", np.array([(0, 0), *around, (0, 0)]))
    height, width, channels = layer.x_shape
    shape = (1, height + sum(around[0]), width + sum(around[1]), channels)
    name = f"{layer.name}/pad"
    if layer.kind == "conv2d":
        return writer.op("PAD", [x, pads], name, shape), _VALID
    lowest = writer.constant(f"{layer.name}/lowest", _LOWEST)
    return writer.op("PADV2", [x, pads, lowest], name, shape), _VALID


def _pool(writer: TfliteWriter, layer: Pool, weights: Weights | None, x: int) -> int:
    x = as_map(writer, x, layer.x_shape, layer.name)
    x, padding = _padded(writer, layer, layer.kernel, x)
    op = "MAX_POOL_2D" if layer.mode == "max" else "AVERAGE_POOL_2D"
    return writer.op(
        op,
        [x],
        layer.name,
        (1, *layer.y_shape),
        padding=padding,
        stride_h=layer.stride[0],
        stride_w=layer.stride[1],
        height=layer.kernel[0],
        width=layer.kernel[1],
    )


def _add(writer: TfliteWriter, layer: Add, values: Sequence[int]) -> int:
    """The sum of several tensors, and what is made of it."""
    shape, name = layer.y_shape, layer.name
    maps = [as_map(writer, x, shape, f"{name}/{i}") for i, x in enumerate(values)]
    z = maps[0]
    for i, x in enumerate(maps[1:], 1):
        fused = _fused(layer.activation) if i == len(maps) - 1 else 0
        z = writer.op("ADD", [z, x], f"{name}/{i}", (1, *shape), fused=fused)
    return _activated(writer, layer, z)


def _concat(writer: TfliteWriter, layer: Concat, values: Sequence[int]) -> int:
    """Several maps as one, by their channels."""
    shapes = zip(values, layer.x_shapes, strict=True)
    maps = [as_map(writer, x, shape, f"{layer.name}/{i}") for i, (x, shape) in enumerate(shapes)]
    return writer.op("CONCATENATION", maps, layer.name, (1, *layer.y_shape), axis=3)


Make = Callable[[TfliteWriter, Any, Weights | None, int], int]

# By the layer's kind.
MAKE: Mapping[str, Make] = {
    "dense": _dense,
    "conv2d": _conv2d,
    "max_pool": _pool,
    "average_pool": _pool,
}
# Of layers that read several values.
JOIN: Mapping[str, Callable[[TfliteWriter, Any, Sequence[int]], int]] = {
    "add": _add,
    "concat": _concat,
}
