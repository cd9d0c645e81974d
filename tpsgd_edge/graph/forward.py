"""A net with its initial weights, in real numbers: what ranges values take, what losses see."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tpsgd_edge.arithmetic.types import Real
from tpsgd_edge.graph.activation import ACTIVATION
from tpsgd_edge.graph.attention_layer import attended
from tpsgd_edge.graph.detector import Detector
from tpsgd_edge.graph.graph import Graph, Weights
from tpsgd_edge.graph.initial_weights import initial_weights
from tpsgd_edge.graph.joins import Add, Concat
from tpsgd_edge.graph.layers import (
    Conv2d,
    Dense,
    Gated,
    Pool,
    Recurrent,
    WeightedLayer,
    window_bounds,
)
from tpsgd_edge.graph.memory import Memory, memory_of, remembered
from tpsgd_edge.graph.norm import Norm, normalized
from tpsgd_edge.graph.recurrent import Gru, Lstm, Rnn
from tpsgd_edge.spec.edges import SAMPLE

# Maps are large: this many samples show their range.
_MAP_SAMPLES = 64


def forward(graph: Graph, x: Real, seed: int) -> Iterator[Real]:
    """Outputs of each layer with its initial weights, shape (samples, values).

    Of a recurrent layer come the activations c of all steps (samples * steps, n_out): its outputs
    are averages of them. What follows the walk along a sequence runs at the last step.

    Args:
        x: samples after the data's own scaling, shape (n, n_in).
    """
    if any(layer.kind != "dense" for layer in graph.layers):
        x = x[:_MAP_SAMPLES]
    for c, states in through_time(graph, x, seed):
        yield c
        x = states[:, -1]
    yield from behind(graph, x, seed)


def outputs(graph: Graph, x: Real, seed: int) -> Iterator[Real]:
    """Outputs of each layer, at the last step of a sequence, shape (samples, values)."""
    for _, states in through_time(graph, x, seed):
        x = states[:, -1]
        yield x
    yield from behind(graph, x, seed)


def through_time(graph: Graph, x: Real, seed: int) -> Iterator[tuple[Real, Real]]:
    """Yield activations (n * steps, n_out) and outputs (n, steps, n_out) of each walking layer.

    Steps are those at which the layer hands on.
    """
    sequence = x.reshape(len(x), graph.steps, -1)
    for index, layer in enumerate(graph.walk):
        if isinstance(layer, Recurrent):
            c, sequence = _run(layer, sequence, initial_weights(graph, index, seed))
        elif (memory := memory_of(layer)) is not None:
            sequence = remembered(memory, sequence)
            c = sequence.reshape(-1, layer.y_count)
        else:
            c = _output(graph, index, [sequence.reshape(-1, layer.x_count)], seed)
            sequence = c.reshape(len(x), -1, layer.y_count)
        yield c, sequence


def behind(graph: Graph, x: Real, seed: int) -> Iterator[Real]:
    """Outputs of the layers behind the walk, for x (n, values) that the first one reads."""
    edges, walk = graph.edges, graph.walk
    values: dict[str, Real] = {walk[-1].name if walk else SAMPLE: x}
    total: Any = 0.0
    for index, layer in enumerate(graph.layers[len(walk) :], len(walk)):
        inputs = edges.inputs_of(layer.name)
        value = _output(graph, index, [values[name] for name in inputs], seed)
        values[layer.name] = value
        if layer.weighted is not None and layer.name in graph.read_outs:
            total = total + seen_by_loss(layer.weighted, value) @ graph.read_outs[layer.name]
        yield value + total if layer is graph.layers[-1] else value
        for name in inputs:
            if edges.consumers_of(name)[-1] == layer.name:
                del values[name]


def _output(graph: Graph, index: int, inputs: Sequence[Real], seed: int) -> Real:
    """Compute outputs (n, y_count) of a layer that is not recurrent from inputs (n, values)."""
    layer = graph.layers[index]
    if layer.weighted is None:
        return _JOINED[layer.kind](layer, inputs)
    weights, own, x = initial_weights(graph, index, seed), layer.weighted, inputs[0]
    y = ACTIVATION[own.activation](_SUMS[layer.kind](layer, x, weights), *own.numbers)
    return y + x if layer.residual else y


def _added(layer: Add, inputs: Sequence[Real]) -> Real:
    return ACTIVATION[layer.activation](sum(inputs[1:], inputs[0]), *layer.numbers)


def _side_by_side(layer: Concat, inputs: Sequence[Real]) -> Real:
    maps = zip(inputs, layer.x_shapes, strict=True)
    joined = [part.reshape(len(part), *shape) for part, shape in maps]
    return np.concatenate(joined, axis=3).reshape(len(inputs[0]), -1)


def _pooled(layer: Pool, inputs: Sequence[Real]) -> Real:
    return pooled(layer, inputs[0])


def _remembered(layer: Memory, inputs: Sequence[Real]) -> Real:
    x = inputs[0].reshape(len(inputs[0]), layer.length, layer.channels)
    return remembered(layer, x)[:, -1]


def _normalized(layer: Norm, inputs: Sequence[Real]) -> Real:
    return normalized(layer, inputs[0])


# Outputs of layers without weights, by kind.
_JOINED: dict[str, Callable[[Any, Sequence[Real]], Real]] = {
    "add": _added,
    "concat": _side_by_side,
    "attention": attended,
    "memory": _remembered,
    "norm": _normalized,
    "max_pool": _pooled,
    "average_pool": _pooled,
}


def _dense_sums(_layer: Dense, x: Real, weights: Weights) -> Real:
    return np.asarray(x @ weights.w.T + weights.b)


def _conv2d_sums(layer: Conv2d, x: Real, weights: Weights) -> Real:
    return np.asarray(_convolve(layer, x, weights.w) + np.tile(weights.b, _positions(layer)))


def _odd(layer: Detector, x: Real, weights: Weights) -> Real:
    """Threshold and score of a detector that has learned nothing: no threshold yet."""
    rest = x - x @ weights.w.T @ weights.w if layer.has_units else x
    score = np.sqrt(np.mean(rest**2, axis=1))
    return np.stack([np.zeros_like(score), score], axis=1)


# Pre-activations (n, y_count) of layers that are not recurrent, by kind.
_SUMS: dict[str, Callable[[Any, Real, Weights], Real]] = {
    "dense": _dense_sums,
    "conv2d": _conv2d_sums,
    "detector": _odd,
}


def _run(layer: Recurrent, x: Real, weights: Weights) -> tuple[Real, Real]:
    """Activations c of all steps (n * steps, n_out), and states h (n, steps, n_out)."""
    zero, step = np.zeros((len(x), layer.n_out)), _STEP[layer.kind]
    seen, states = [], []
    now = _At(zero, zero)
    for t in range(x.shape[1]):
        c, now = step(layer, x[:, t], now, weights)
        seen.append(c)
        states.append(now.h)
    return np.concatenate(seen), np.stack(states, axis=1)


class _At(NamedTuple):
    """Output h and cell (n, n_out) of a layer after a timestep; only an lstm changes its cell."""

    h: Real
    cell: Real


def _rnn_step(layer: Rnn, x: Real, at: _At, weights: Weights) -> tuple[Real, _At]:
    z = np.concatenate([x, at.h], axis=1) @ weights.w.T + weights.b
    c = ACTIVATION[layer.activation](z, *layer.numbers)
    return c, at._replace(h=at.h + np.array(layer.unit_leaks) * (c - at.h))


def _gated_sums(layer: Gated, x: Real, h: Real, weights: Weights) -> tuple[Real, Real]:
    """Sums (n, gates n_out) over the input, and over the own output."""
    a = x @ weights.w[:, : layer.n_x].T + weights.b[0]
    return a, h @ weights.w[:, layer.n_x :].T + weights.b[1]


def _gru_step(layer: Gru, x: Real, at: _At, weights: Weights) -> tuple[Real, _At]:
    n, h = layer.n_out, at.h
    a, u = _gated_sums(layer, x, h, weights)
    gates = ACTIVATION["sigmoid"](a[:, : 2 * n] + u[:, : 2 * n])
    r, z = gates[:, :n], gates[:, n:]
    k = r * u[:, 2 * n :]
    if layer.reset_before:
        k = (r * h) @ weights.w[2 * n :, layer.n_x :].T + weights.b[1, 2 * n :]
    c = np.tanh(a[:, 2 * n :] + k)
    return c, at._replace(h=c + z * (h - c))


def _lstm_step(layer: Lstm, x: Real, at: _At, weights: Weights) -> tuple[Real, _At]:
    n = layer.n_out
    a, u = _gated_sums(layer, x, at.h, weights)
    gates = ACTIVATION["sigmoid"]((a + u)[:, : 3 * n])
    c = np.tanh((a + u)[:, 3 * n :])
    cell = gates[:, n : 2 * n] * at.cell + gates[:, :n] * c
    if layer.cell_clip is not None:
        cell = np.clip(cell, -layer.cell_clip, layer.cell_clip)
    return c, _At(gates[:, 2 * n :] * np.tanh(cell), cell)


_STEP: dict[str, Callable[[Any, Real, _At, Weights], tuple[Real, _At]]] = {
    "rnn": _rnn_step,
    "gru": _gru_step,
    "lstm": _lstm_step,
}


def _positions(layer: Conv2d) -> int:
    return layer.y_shape[0] * layer.y_shape[1]


def _convolve(layer: Conv2d, x: Real, w: Real) -> Real:
    """Pre-activations without biases, shape (n, y_count)."""
    (rows, columns, channels), (out_rows, out_columns, filters) = layer.x_shape, layer.y_shape
    (top, left), (kh, kw), groups = layer.padding, layer.reach, layer.groups
    # Rows and columns of zeros behind the map: enough for the last window.
    below = max(0, (out_rows - 1) * layer.stride[0] + kh - top - rows)
    right = max(0, (out_columns - 1) * layer.stride[1] + kw - left - columns)
    padded = np.pad(
        x.reshape(len(x), rows, columns, channels), ((0, 0), (top, below), (left, right), (0, 0))
    )
    windows = _windows(padded, layer.reach, layer.stride)[:, :out_rows, :out_columns]
    windows = windows[..., :: layer.dilation[0], :: layer.dilation[1]]
    parts = []
    for group in range(groups):
        inputs = slice(group * channels // groups, (group + 1) * channels // groups)
        outputs = slice(group * filters // groups, (group + 1) * filters // groups)
        patches = windows[:, :, :, inputs].transpose(0, 1, 2, 4, 5, 3)
        flat = patches.reshape(*patches.shape[:3], -1)
        parts.append(flat @ w[outputs].T)
    return np.concatenate(parts, axis=3).reshape(len(x), -1)


def pooled(layer: Pool, x: Real) -> Real:
    """Outputs of a pool (n, y_count) of maps (n, x_count)."""
    maps = x.reshape(len(x), *layer.x_shape)
    if layer.mode == "max":
        pooled = _pool_windows(layer, maps, -np.inf).max(axis=(4, 5))
    else:
        inside = _pool_windows(layer, np.ones((1, *layer.x_shape)), 0).sum(axis=(4, 5))
        pooled = _pool_windows(layer, maps, 0).sum(axis=(4, 5)) / inside
    return np.asarray(pooled.reshape(len(x), -1), np.float64)


def _pool_windows(layer: Pool, maps: Real, outside: float) -> Real:
    """Windows of maps, with a number for what lies outside of the map."""
    edges = zip(layer.padding, layer.behind, strict=True)
    around = np.pad(maps, ((0, 0), *edges, (0, 0)), constant_values=outside)
    rows, columns, _ = layer.y_shape
    return _windows(around, layer.kernel, layer.stride)[:, :rows, :columns]


def seen_by_loss(layer: WeightedLayer, y: Real) -> Real:
    """Means over the windows of a map (sections 14, 16); outputs of other layers as they are."""
    if not isinstance(layer, Conv2d):
        return y
    seen = y if layer.pool is None else pooled(layer.pool, y)
    values = seen.reshape(len(y), *layer.seen_shape)
    for axis, windows in zip((1, 2), layer.windows, strict=True):
        bounds = np.array(window_bounds(layer.seen_shape[axis - 1], windows))
        lengths = np.diff(bounds).reshape(-1, *[1] * (3 - axis))
        values = np.add.reduceat(values, bounds[:-1], axis=axis) / lengths
    return values.reshape(len(y), -1)


def _windows(maps: Real, kernel: tuple[int, int], stride: tuple[int, int]) -> Real:
    """Windows of maps (n, h, w, c), shape (n, oh, ow, c, kh, kw)."""
    windows = sliding_window_view(maps, kernel, axis=(1, 2))
    return np.asarray(windows[:, :: stride[0], :: stride[1]])
