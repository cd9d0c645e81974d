"""Each kind of layer that a spec can name, as a layer of the graph."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from tpsgd_edge.arithmetic.activations import FACTS, Numbers
from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.layout import by
from tpsgd_edge.graph import (
    Conv2d,
    Dense,
    Detector,
    Gru,
    Layer,
    Lstm,
    Memory,
    Norm,
    Padding,
    Pair,
    Rnn,
    Shape,
    add,
    attention,
    concat,
    conv2d,
    pool,
)
from tpsgd_edge.graph.detector import usual_units
from tpsgd_edge.graph.memory import usual_gains
from tpsgd_edge.spec import (
    AdaptorSpec,
    Conv1dSpec,
    Conv2dSpec,
    DenseSpec,
    DetectorSpec,
    GlobalAvgPoolSpec,
    GruSpec,
    LayerSpec,
    LstmSpec,
    MemorySpec,
    NormSpec,
    PoolSpec,
    RnnSpec,
    WeightedSpec,
)
from tpsgd_edge.spec.leaks import MOST_LEAKS

# The spec's layer, its name, the shape of what it reads, and its activation.
_Make = Callable[[Any, str, Shape, str], Layer | None]


def make_layer(
    layer: LayerSpec, name: str, shapes: Sequence[Shape], activation: str
) -> Layer | None:
    """Make the layer of the graph.

    Args:
        shapes: of the values that it reads.

    Returns:
        None for a layer that only gives its input another shape.

    Raises:
        SpecError: it cannot read a value of such a shape.
    """
    if layer.reads_several:
        return _JOIN[layer.kind](layer, name, shapes)
    return _MAKE[layer.kind](layer, name, shapes[0], activation)


def _make_dense(layer: DenseSpec, name: str, shape: Shape, activation: str) -> Layer:
    numbers = _numbers(layer, activation)
    return Dense(name, math.prod(shape), layer.units, activation, numbers=numbers)


def _numbers(layer: WeightedSpec, activation: str) -> Numbers:
    """The settings of a layer's activation, those that are not given at their defaults."""
    defaults = FACTS[activation].settings or {}
    given = {key: getattr(layer, key) for key in defaults}
    return tuple(defaults[key] if value is None else value for key, value in given.items())


def _make_rnn(layer: RnnSpec, name: str, shape: Shape, activation: str) -> Layer:
    return Rnn(
        name,
        n_x=_step_values(name, shape),
        n_out=layer.units,
        leaks=layer.leak[: layer.units],
        activation=activation,
        has_traces=layer.learns_from == "trace",
        input_gain=layer.input_gain,
        recurrent_gain=layer.recurrent_gain,
        bias_range=layer.bias_range,
        numbers=_numbers(layer, activation),
    )


def _make_gru(layer: GruSpec, name: str, shape: Shape, activation: str) -> Layer:
    n_x = _step_values(name, shape)
    return Gru(name, n_x, layer.units, reset_before=layer.reset == "before")


def _make_lstm(layer: LstmSpec, name: str, shape: Shape, activation: str) -> Layer:
    return Lstm(name, _step_values(name, shape), layer.units, layer.cell_clip)


def _step_values(name: str, shape: Shape) -> int:
    """Values that a recurrent layer reads at one step."""
    if shape[0] != 1:
        raise SpecError(
            f"layer '{name}' needs sequences: maps that are one row high",
            where=f"[model], layer '{name}'",
            found=f"a map of {by(shape)}",
            help="set data.input_shape = [1, steps, values of one step]",
        )
    return shape[2]


def _make_memory(layer: MemorySpec, name: str, shape: Shape, activation: str) -> Layer:
    channels, length = _step_values(name, shape), shape[1]
    leaks, cosines = layer.leak or (), layer.cosines or 0
    if not leaks and not cosines:
        leaks = tuple(2.0**-k for k in range(min(MOST_LEAKS, length.bit_length())))
    gains = usual_gains(len(leaks), cosines, length, channels)
    return Memory(
        name,
        shape,
        length,
        leaks,
        cosines,
        differences=layer.differences and bool(leaks),
        every=layer.every,
        mids=(0.0,) * len(gains),
        gains=gains,
    )


def _make_detector(layer: DetectorSpec, name: str, shape: Shape, activation: str) -> Layer:
    n_in = math.prod(shape)
    units = 0 if layer.method == "statistics" else layer.units or usual_units(n_in)
    if units > n_in or (units == n_in and units > 1):
        raise SpecError(
            f"the detector '{name}' has as many units as inputs: it would reconstruct everything",
            where=f"[model], layer '{name}', units",
            found=f"{units} units for {n_in} inputs",
            help=f"set units = {usual_units(n_in)}, or leave it out",
        )
    return Detector(name, n_in, units, layer.false_alarms)


def _make_norm(layer: NormSpec, name: str, shape: Shape, activation: str) -> Layer:
    made = Norm(name, shape, layer.over == "all", layer.center, layer.epsilon)
    if made.group_size == 1:
        raise SpecError(
            f"layer '{name}' normalizes single values: nothing would be left of them",
            where=f"[model], layer '{name}'",
            found=f"a map of {by(shape)}",
            help='set over = "all", or data.input_shape where the samples have more channels',
        )
    return made


def _make_adaptor(layer: AdaptorSpec, name: str, shape: Shape, activation: str) -> Layer:
    if shape[:2] == (1, 1):
        return Dense(name, shape[2], shape[2], activation, residual=True)
    made = conv2d(
        name,
        shape,
        filters=shape[2],
        kernel=(1, 1),
        stride=(1, 1),
        padding="valid",
        groups=1,
        target_pool=layer.target_pool,
        activation=activation,
    )
    return replace(made, residual=True)


def _make_conv2d(layer: Conv2dSpec, name: str, shape: Shape, activation: str) -> Layer:
    return _convolution(
        layer, shape, layer.kernel, layer.stride, layer.dilation, layer.padding, activation
    )


def _make_conv1d(layer: Conv1dSpec, name: str, shape: Shape, activation: str) -> Layer:
    if shape[0] != 1:
        raise SpecError(
            f"layer '{name}' needs sequences: maps that are one row high",
            where=f"[model], layer '{name}'",
            found=f"a map of {by(shape)}",
            help='use kind = "conv2d", or set data.input_shape = [1, steps, channels]',
        )
    padding = layer.padding
    if padding == "causal":
        padding = (0, (layer.kernel - 1) * layer.dilation, 0, 0)
    kernel, stride, dilation = (1, layer.kernel), (1, layer.stride), (1, layer.dilation)
    return _convolution(layer, shape, kernel, stride, dilation, padding, activation)


def _convolution(
    layer: Conv1dSpec | Conv2dSpec,
    shape: Shape,
    kernel: Pair,
    stride: Pair,
    dilation: Pair,
    padding: Padding,
    activation: str,
) -> Conv2d:
    return conv2d(
        layer.name,
        shape,
        filters=layer.filters,
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        padding=padding,
        groups=layer.groups,
        target_pool=layer.target_pool,
        activation=activation,
        numbers=_numbers(layer, activation),
    )


def _make_pool(layer: PoolSpec, name: str, shape: Shape, activation: str) -> Layer:
    size = _on_map(layer.size, shape)
    stride = size if layer.stride is None else _on_map(layer.stride, shape)
    return pool(
        name,
        "max" if layer.kind == "max_pool" else "average",
        shape,
        size,
        stride,
        padding=_around(layer.padding, shape),
        ceil_mode=layer.ceil_mode,
    )


def _around(padding: Literal["valid", "same"] | tuple[int, ...], shape: Shape) -> Padding:
    """Rows above, columns to the left, rows below, columns to the right of a map."""
    if isinstance(padding, str):
        return padding
    if len(padding) == 1:
        rows, columns = _on_map(padding[0], shape) if padding[0] else (0, 0)
        rows = 0 if shape[0] == 1 else rows
        return rows, columns, rows, columns
    above, left, below, right = padding * (4 // len(padding))
    return above, left, below, right


def _make_global_pool(layer: GlobalAvgPoolSpec, name: str, shape: Shape, activation: str) -> Layer:
    return pool(name, "average", shape, shape[:2], (1, 1))


def _on_map(lengths: int | Pair, shape: Shape) -> Pair:
    """Rows and columns of a pooling window; of one number columns only, on a map of one row."""
    if isinstance(lengths, tuple):
        return lengths
    return (1 if shape[0] == 1 else lengths, lengths)


_JOIN: Mapping[str, Callable[[Any, str, Sequence[Shape]], Layer]] = {
    "add": lambda layer, name, shapes: add(name, list(shapes), layer.activation),
    "concat": lambda layer, name, shapes: concat(name, list(shapes)),
    "attention": lambda layer, name, shapes: attention(name, shapes, layer.heads),
}
_MAKE: Mapping[str, _Make] = {
    "dense": _make_dense,
    "adaptor": _make_adaptor,
    "conv2d": _make_conv2d,
    "conv1d": _make_conv1d,
    "rnn": _make_rnn,
    "gru": _make_gru,
    "lstm": _make_lstm,
    "memory": _make_memory,
    "detector": _make_detector,
    "norm": _make_norm,
    "max_pool": _make_pool,
    "avg_pool": _make_pool,
    "global_avg_pool": _make_global_pool,
    "flatten": lambda layer, name, shape, activation: None,
}
