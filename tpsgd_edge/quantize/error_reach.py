"""Size of errors under backpropagation before training, in real numbers (section 18)."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.expression import compile_expression
from tpsgd_edge.arithmetic.random import Purpose, stream, uniform
from tpsgd_edge.arithmetic.types import Real
from tpsgd_edge.graph import Conv2d, Dense, Graph, Pair, Pool, WeightedLayer
from tpsgd_edge.graph.activation import DERIVATIVE
from tpsgd_edge.graph.forward import forward
from tpsgd_edge.graph.initial_weights import initial_bound, initial_weights
from tpsgd_edge.spec import LossSpec

# Samples that show how large errors are.
SAMPLES = 64


def error_reach(
    graph: Graph, x: Real, labels: NDArray[np.generic], seed: int
) -> Mapping[str, float]:
    """The largest error of each value that errors of backpropagation come to, by its name.

    They come to no layers below the first that learns.

    Args:
        x: samples after the data's own scaling, shape (n, n_in).
        labels: classes (n,), or scaled vectors (n, K).
    """
    x, labels = x[:SAMPLES], labels[:SAMPLES]
    names, edges = [layer.name for layer in graph.layers], graph.edges
    values = dict(zip(names, forward(graph, x, seed), strict=True))
    learns = {layer.name for layer in graph.weighted if layer.learning.trainable}
    value, reach = names[-1], dict[str, float]()
    e = _output_error(values[value], labels, graph.weighted[-1].learning.loss)
    while learns & edges.up_to(edges.input_of(value)):
        before = edges.input_of(value)
        e = _input_gradient(graph, names.index(value), e, values[before], values[value], seed)
        reach[before], value = float(np.abs(e).max()), before
    return reach


def _output_error(y: Real, labels: NDArray[np.generic], loss: LossSpec) -> Real:
    wanted = np.eye(y.shape[1])[labels.astype(int)] if labels.ndim == 1 else labels.astype(float)
    return np.asarray(_ERROR[loss.kind](wanted, y, loss), np.float64)


def _less_softmax(wanted: Real, y: Real, _: LossSpec) -> Real:
    powers = np.exp(y - y.max(axis=1, keepdims=True))
    return np.asarray(wanted - powers / powers.sum(axis=1, keepdims=True))


def _limited(wanted: Real, y: Real, loss: LossSpec) -> Real:
    return np.clip(wanted - y, -loss.delta, loss.delta)


# e of the last layer, (n, K), from targets, outputs and settings; projected losses are of others.
_ERROR: dict[str, Callable[[Real, Real, LossSpec], Real]] = {
    "softmax_cross_entropy": _less_softmax,
    "l2": lambda wanted, y, _: wanted - y,
    "l1": lambda wanted, y, _: np.sign(wanted - y),
    "huber": _limited,
    "epsilon_insensitive": lambda wanted, y, loss: wanted - y - _limited(wanted, y, loss),
    "cross_entropy": lambda wanted, y, _: wanted - y,
    "custom": lambda wanted, y, loss: compile_expression(loss.expression or "")(wanted - y),
}


def _input_gradient(graph: Graph, index: int, e: Real, x: Real, y: Real, seed: int) -> Real:
    """Errors of a layer's inputs from those of its outputs."""
    layer = graph.layers[index]
    if layer.weighted is None:
        return _BACKWARD_UNTRAINED[layer.kind](layer, e, x, y)
    own = layer.weighted
    w = _backward_weights(graph, own, index, seed)
    delta = e * DERIVATIVE[own.activation](y, *own.numbers)
    return _BACKWARD[own.kind](own, delta, w)


def _backward_weights(graph: Graph, layer: WeightedLayer, index: int, seed: int) -> Real:
    """Initial weights; those that start at zero as large as others do."""
    if layer.name in graph.weights or initial_bound(graph, index) > 0:
        return initial_weights(graph, index, seed).w
    drawn = uniform(stream(seed, Purpose.WEIGHTS, index), layer.n_out * layer.n_in)
    return np.asarray(drawn.reshape(layer.n_out, layer.n_in) / math.sqrt(layer.n_in))


def _dense_input_gradient(_layer: Dense, delta: Real, w: Real) -> Real:
    return np.asarray(delta @ w)


def _conv2d_input_gradient(layer: Conv2d, delta: Real, w: Real) -> Real:
    channels, filters = layer.x_shape[2] // layer.groups, layer.n_out // layer.groups
    deltas = delta.reshape(len(delta), *layer.y_shape)
    taps = w.reshape(layer.n_out, *layer.kernel, channels)
    (rows, columns, _), (top, left) = layer.x_shape, layer.padding
    e = _framed(layer, layer.padding, len(delta))
    for i, j, down, across in _places(layer):
        for group in range(layer.groups):
            outputs = slice(group * filters, (group + 1) * filters)
            inputs = slice(group * channels, (group + 1) * channels)
            e[:, down, across, inputs] += deltas[..., outputs] @ taps[outputs, i, j]
    return e[:, top : top + rows, left : left + columns].reshape(len(delta), -1)


def _pool_input_gradient(layer: Pool, e: Real, x: Real, y: Real) -> Real:
    errors, largest = (v.reshape(len(e), *layer.y_shape) for v in (e, y))
    maps, e_x = x.reshape(len(e), *layer.x_shape), _framed(layer, (0, 0), len(e))
    for _, _, down, across in _places(layer):
        is_max = maps[:, down, across] == largest
        share = is_max if layer.mode == "max" else 1 / math.prod(layer.kernel)
        e_x[:, down, across] += share * errors
    return e_x.reshape(len(e), -1)


def _framed(layer: Conv2d | Pool, padding: Pair, count: int) -> Real:
    """A map of zeros for each sample, as large as the windows reach."""
    rows, columns = (
        max(padding[k] + layer.x_shape[k], (layer.y_shape[k] - 1) * layer.stride[k] + size)
        for k, size in enumerate(layer.kernel)
    )
    return np.zeros((count, rows, columns, layer.x_shape[2]))


def _places(layer: Conv2d | Pool) -> Iterator[tuple[int, int, slice, slice]]:
    """Each place in a window, and the rows and columns of the map that windows have there."""
    (rows, columns, _), (down, right) = layer.y_shape, layer.stride
    for i, j in itertools.product(*map(range, layer.kernel)):
        yield i, j, slice(i, i + rows * down, down), slice(j, j + columns * right, right)


# Errors of inputs by kind of layer, from deltas and weights, or from errors, inputs and outputs.
# They do not pass through branches and recurrent layers.
_BACKWARD: dict[str, Callable[[Any, Real, Real], Real]] = {
    "dense": _dense_input_gradient,
    "conv2d": _conv2d_input_gradient,
}
_BACKWARD_UNTRAINED: dict[str, Callable[[Any, Real, Real, Real], Real]] = {
    "max_pool": _pool_input_gradient,
    "average_pool": _pool_input_gradient,
}
