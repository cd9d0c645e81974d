"""Layers as ONNX operators, one function for each kind.

Other tools keep maps channels first: weights and the order of flat maps are turned here, once.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.types import Real
from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.exports.activation import activated
from tpsgd_edge.frontend.exports.held import Held
from tpsgd_edge.frontend.exports.memories import memory
from tpsgd_edge.frontend.exports.norms import norm
from tpsgd_edge.frontend.exports.writer import Lengths, OnnxWriter
from tpsgd_edge.frontend.onnx_activations import IN_RNN, OPERATORS
from tpsgd_edge.graph import Add, Concat, Conv2d, Dense, Gated, Gru, Lstm, Pool, Rnn, Shape, Weights


def flat(writer: OnnxWriter, held: Held, name: str) -> tuple[Held, NDArray[np.intp] | slice]:
    """The values as rows (samples, n), and where each of the n lies in our order, shape (n,)."""
    if held.shape is None:
        return held, slice(None)
    h, w, c = held.shape
    order = np.arange(h * w * c).reshape(h, w, c).transpose(2, 0, 1).ravel()
    return Held(writer.node("Flatten", [held.name], f"{name}/flat", axis=1)), order


def _as_map(writer: OnnxWriter, held: Held, shape: Shape, name: str) -> Held:
    """The values as a map, whatever they lie in."""
    if held.shape == shape:
        return held
    if held.shape is not None:
        rows = writer.node("Transpose", [held.name], f"{name}/last", perm=[0, 2, 3, 1])
        held = Held(rows)
    return map_of(writer, held, shape, name)


def map_of(writer: OnnxWriter, held: Held, shape: Shape, name: str) -> Held:
    """Values in our order as a map channels first."""
    lengths = writer.constant(f"{name}/shape", np.array([-1, *shape]))
    rows = writer.node("Reshape", [held.name, lengths], f"{name}/map")
    return Held(writer.node("Transpose", [rows], f"{name}/first", perm=[0, 3, 1, 2]), shape)


def _weights(writer: OnnxWriter, name: str, w: Real, b: Real) -> list[str]:
    return [writer.constant(f"{name}.weight", w), writer.constant(f"{name}.bias", b)]


def _dense(writer: OnnxWriter, layer: Dense, weights: Weights | None, held: Held) -> Held:
    assert weights is not None
    rows, order = flat(writer, held, layer.name)
    inputs = [rows.name, *_weights(writer, layer.name, weights.w[:, order], weights.b)]
    z = writer.node("Gemm", inputs, f"{layer.name}/z", transB=1)
    return Held(activated(writer, layer, z))


def _conv2d(writer: OnnxWriter, layer: Conv2d, weights: Weights | None, held: Held) -> Held:
    assert weights is not None
    x = _as_map(writer, held, layer.x_shape, layer.name)
    filters = weights.w.reshape(layer.n_out, *layer.kernel, -1).transpose(0, 3, 1, 2)
    lengths = zip(layer.x_shape, layer.y_shape, layer.reach, layer.stride, strict=False)
    # Zeros behind the map: enough for the last window.
    behind = [
        max(0, (n_out - 1) * stride + kernel - before - n_in)
        for (n_in, n_out, kernel, stride), before in zip(lengths, layer.padding, strict=False)
    ]
    apart: dict[str, Any] = {}
    if layer.dilation != (1, 1):
        apart["dilations"] = list(layer.dilation)
    z = writer.node(
        "Conv",
        [x.name, *_weights(writer, layer.name, filters, weights.b)],
        f"{layer.name}/z",
        kernel_shape=list(layer.kernel),
        strides=list(layer.stride),
        pads=[*layer.padding, *behind],
        group=layer.groups,
        **apart,
    )
    return Held(activated(writer, layer, z), layer.y_shape)


def _pool(writer: OnnxWriter, layer: Pool, weights: Weights | None, held: Held) -> Held:
    x = _as_map(writer, held, layer.x_shape, layer.name)
    op = "MaxPool" if layer.mode == "max" else "AveragePool"
    windows: dict[str, Any] = {"kernel_shape": list(layer.kernel), "strides": list(layer.stride)}
    if layer.is_cut:
        windows["pads"] = [*layer.padding, *layer.behind]
    return Held(writer.node(op, [x.name], f"{layer.name}/y", **windows), layer.y_shape)


def _rnn(writer: OnnxWriter, layer: Rnn, weights: Weights | None, held: Held) -> Held:
    """RNN of ONNX where every leak is 1, else Scan over the steps. Both make all steps."""
    assert weights is not None
    name = layer.name
    if set(layer.leaks) != {1.0} or layer.activation not in IN_RNN.values():
        return _leaky(writer, layer, weights, held)
    inputs = [
        held.name,
        writer.constant(f"{name}.weight", weights.w[np.newaxis, :, : layer.n_x]),
        writer.constant(f"{name}.recurrence", weights.w[np.newaxis, :, layer.n_x :]),
        writer.constant(f"{name}.bias", np.concatenate([weights.b, 0 * weights.b])[np.newaxis]),
    ]
    how: dict[str, Any] = {"activations": [OPERATORS[layer.activation].name]}
    for key, number in zip(("alpha", "beta"), layer.numbers, strict=False):
        how[f"activation_{key}"] = [number]
    y = writer.node("RNN", inputs, f"{name}/y", hidden_size=layer.n_out, **how)
    axis = writer.constant("/axis_1", np.array([1]))
    return Held(writer.node("Squeeze", [y, axis], f"{name}/h"))


def _leaky(writer: OnnxWriter, layer: Rnn, weights: Weights, held: Held) -> Held:
    """Write h += leak * (f(W [x; h] + b) - h) at each timestep, from a state of zeros."""
    name, units = layer.name, layer.n_out
    w_b = _weights(writer, name, weights.w, weights.b)
    leak = writer.constant(f"{name}.leak", np.array(layer.unit_leaks))
    lengths = writer.node("Shape", [held.name], f"{name}/count", start=1, end=2)
    width = writer.constant(f"{name}/units", np.array([units]))
    shape = writer.node("Concat", [lengths, width], f"{name}/shape", axis=0)
    start = writer.node("ConstantOfShape", [shape], f"{name}/start")

    step, x, h = writer.inside(), f"{name}/x", f"{name}/h"
    both = step.node("Concat", [x, h], f"{name}/both", axis=1)
    z = step.node("Gemm", [both, *w_b], f"{name}/z", transB=1)
    way = step.node("Sub", [activated(step, layer, z), h], f"{name}/way")
    part = step.node("Mul", [way, leak], f"{name}/part")
    after = step.node("Add", [h, part], f"{name}/after")
    seen = step.node("Identity", [after], f"{name}/seen")
    inputs: dict[str, Lengths] = {h: ("n", units), x: ("n", layer.n_x)}
    body = step.body(f"{name}/step", inputs, [after, seen])
    scan: dict[str, Any] = {"outputs": 2, "body": body, "num_scan_inputs": 1}
    return Held(writer.node("Scan", [start, held.name], f"{name}/last", **scan) + "/1")


def _gru(writer: OnnxWriter, layer: Gru, weights: Weights | None, held: Held) -> Held:
    """GRU of ONNX, which has the update gate first. It makes all steps."""
    reset = int(not layer.reset_before)
    return _gated(writer, layer, "GRU", weights, held, (1, 0, 2), linear_before_reset=reset)


def _lstm(writer: OnnxWriter, layer: Lstm, weights: Weights | None, held: Held) -> Held:
    """LSTM of ONNX, which has the output gate second. It makes all steps.

    Raises:
        DataError: its cells have a bound, which ONNX cannot say.
    """
    if layer.cell_clip is not None:
        raise DataError(
            f"the cells of layer '{layer.name}' have a bound, which ONNX cannot say",
            where=f"[model], layer '{layer.name}'",
            found=f"cell_clip = {layer.cell_clip:g}",
            help="leave cell_clip out where the cells never come near it",
        )
    return _gated(writer, layer, "LSTM", weights, held, (0, 2, 1, 3))


def _gated(
    writer: OnnxWriter,
    layer: Gated,
    op: str,
    weights: Weights | None,
    held: Held,
    order: tuple[int, ...],
    **how: Any,
) -> Held:
    """An operator that makes all steps, with our gates in this order."""
    assert weights is not None
    name, n = layer.name, layer.n_out
    rows = np.arange(layer.gates * n).reshape(layer.gates, n)[[*order]].ravel()
    w = weights.w[rows]
    inputs = [
        held.name,
        writer.constant(f"{name}.weight", w[np.newaxis, :, : layer.n_x]),
        writer.constant(f"{name}.recurrence", w[np.newaxis, :, layer.n_x :]),
        writer.constant(f"{name}.bias", weights.b[:, rows].reshape(1, -1)),
    ]
    y = writer.node(op, inputs, f"{name}/y", hidden_size=n, **how)
    axis = writer.constant("/axis_1", np.array([1]))
    return Held(writer.node("Squeeze", [y, axis], f"{name}/h"))


def _add(writer: OnnxWriter, layer: Add, values: Sequence[Held]) -> Held:
    """The sum of several tensors, and what is made of it."""
    shape, name = _common_shape(values, layer.y_shape), layer.name
    held = [_laid(writer, value, shape, f"{name}/{i}").name for i, value in enumerate(values)]
    z = held[0]
    for i, value in enumerate(held[1:]):
        z = writer.node("Add", [z, value], f"{name}/z{i or ''}")
    return Held(activated(writer, layer, z), shape)


def _concat(writer: OnnxWriter, layer: Concat, values: Sequence[Held]) -> Held:
    """Several tensors as one: maps by their channels, vectors one behind the other."""
    shape, name = _common_shape(values, None), layer.name
    places = zip(values, layer.x_shapes, strict=True)
    held = [
        _laid(writer, value, own if shape else None, f"{name}/{i}").name
        for i, (value, own) in enumerate(places)
    ]
    return Held(writer.node("Concat", held, f"{name}/y", axis=1), layer.y_shape if shape else None)


def _common_shape(values: Sequence[Held], shape: Shape | None) -> Shape | None:
    """Shape in which joined values lie: that of a map if one of them is a map."""
    return next((shape or value.shape for value in values if value.shape is not None), None)


def _laid(writer: OnnxWriter, held: Held, shape: Shape | None, name: str) -> Held:
    return held if shape is None else _as_map(writer, held, shape, name)


Make = Callable[[OnnxWriter, Any, Weights | None, Held], Held]

# By the layer's kind.
MAKE: Mapping[str, Make] = {
    "dense": _dense,
    "conv2d": _conv2d,
    "rnn": _rnn,
    "gru": _gru,
    "lstm": _lstm,
    "memory": memory,
    "norm": norm,
    "max_pool": _pool,
    "average_pool": _pool,
}
# Of layers that read several values.
JOIN: Mapping[str, Callable[[OnnxWriter, Any, Sequence[Held]], Held]] = {
    "add": _add,
    "concat": _concat,
}
