"""How large errors are under backpropagation before training, in real numbers (section 18)."""

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.expression import compile_expression
from tpsgd_edge.arithmetic.random import Purpose, stream, uniform
from tpsgd_edge.arithmetic.types import Real
from tpsgd_edge.graph import Conv2d, Graph, Layer, Pair, Pool, TrainedLayer
from tpsgd_edge.graph.activation import DERIVATIVE
from tpsgd_edge.graph.first_weights import initial_bound, initial_weights
from tpsgd_edge.graph.forward import forward
from tpsgd_edge.spec import LossSpec

# Samples that show how large errors are.
SAMPLES = 64


def error_reach(
    graph: Graph, x: Real, labels: NDArray[np.generic], loss: LossSpec, seed: int
) -> tuple[float, ...]:
    """The largest error of each layer's outputs, but for the last layer's.

    It is 0 where no error comes: behind layers that do not train, which come first.

    Args:
        x: samples after the data's own scaling, shape (n, n_in).
        labels: classes (n,), or scaled vectors (n, K).
        loss: of the last layer.
    """
    x, labels = x[:SAMPLES], labels[:SAMPLES]
    outputs = list(forward(graph, x, seed))
    e = _output_error(outputs[-1], labels, loss)
    reach: list[float] = []
    for index in range(len(graph.layers) - 1, 0, -1):
        if not any(_learns(graph, layer) for layer in graph.layers[:index]):
            return (*[0.0] * index, *reach)
        e = _below(graph, index, e, outputs[index - 1], outputs[index], seed)
        reach.insert(0, float(np.abs(e).max()))
    return tuple(reach)


def _learns(graph: Graph, layer: Layer) -> bool:
    return not isinstance(layer, Pool) and layer.name not in graph.frozen


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
    "dead_zone": lambda wanted, y, loss: wanted - y - _limited(wanted, y, loss),
    "cross_entropy": lambda wanted, y, _: wanted - y,
    "custom": lambda wanted, y, loss: compile_expression(loss.expression or "")(wanted - y),
}


def _below(graph: Graph, index: int, e: Real, x: Real, y: Real, seed: int) -> Real:
    """Errors of a layer's inputs from those of its outputs."""
    layer = graph.layers[index]
    if isinstance(layer, Pool):
        return _below_pool(layer, e, x, y)
    w = _passing_weights(graph, layer, index, seed)
    delta = e * DERIVATIVE[layer.activation](y, *layer.numbers)
    return _below_conv2d(layer, delta, w) if isinstance(layer, Conv2d) else delta @ w


def _passing_weights(graph: Graph, layer: TrainedLayer, index: int, seed: int) -> Real:
    """First weights; those that start at zero as large as others do."""
    if layer.name in graph.weights or initial_bound(graph, index) > 0:
        return initial_weights(graph, index, seed).w
    drawn = uniform(stream(seed, Purpose.WEIGHTS, index), layer.n_out * layer.n_in)
    return np.asarray(drawn.reshape(layer.n_out, layer.n_in) / math.sqrt(layer.n_in))


def _below_conv2d(layer: Conv2d, delta: Real, w: Real) -> Real:
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


def _below_pool(layer: Pool, e: Real, x: Real, y: Real) -> Real:
    errors, largest = (v.reshape(len(e), *layer.y_shape) for v in (e, y))
    maps, below = x.reshape(len(e), *layer.x_shape), _framed(layer, (0, 0), len(e))
    for _, _, down, across in _places(layer):
        is_max = maps[:, down, across] == largest
        share = is_max if layer.mode == "max" else 1 / math.prod(layer.kernel)
        below[:, down, across] += share * errors
    return below.reshape(len(e), -1)


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
