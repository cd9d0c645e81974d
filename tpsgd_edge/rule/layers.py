"""Layer kinds in torch: forward pass, gradient of the input, sums of the update.

Values are rows (batch, count); a map is flattened as in docs/ARITHMETIC.md, section 14, which is
torch's channels-last order. A recurrent layer reads v = [x; own last output] of one step, as a
dense layer; `cells.py` and `sequence.py` carry it through time. Functions that need the weights
take them as rows (n_out, n_in).
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.grad import conv2d_input, conv2d_weight

from tpsgd_edge.graph import (
    Add,
    Concat,
    Conv2d,
    Dense,
    Gated,
    Gru,
    Layer,
    Lstm,
    Pool,
    Rnn,
    Shape,
    WeightlessLayer,
    is_adaptor,
)
from tpsgd_edge.rule.attention import attention_forward, attention_gradients
from tpsgd_edge.rule.memories import memory_forward, memory_gradient
from tpsgd_edge.rule.norms import norm_forward, norm_gradient


@dataclass(frozen=True, slots=True)
class LayerKind:
    """The functions of one kind.

    Attributes:
        forward: (layer, x, w, b) -> z; for pooling, y.
        input_gradient: (layer, x, w, dJ/dz) -> dJ/dx.
        update: (layer, x, delta) -> sums over batch and positions of delta x^T and of delta.
    """

    forward: Callable[[Any, Tensor, Tensor, Tensor], Tensor]
    input_gradient: Callable[[Any, Tensor, Tensor, Tensor], Tensor]
    update: Callable[[Any, Tensor, Tensor], tuple[Tensor, Tensor]]


def forward(layer: Layer, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """Pre-activations z of a layer with weights, outputs of pooling: (batch, y_count)."""
    z = LAYERS[layer.kind].forward(layer, x, w, b)
    return z + x if is_adaptor(layer) else z


def input_gradient(layer: Layer, x: Tensor, w: Tensor, grad: Tensor) -> Tensor:
    """dJ/dx (batch, x_count) from dJ/dz (batch, y_count); for backpropagation only."""
    lower = LAYERS[layer.kind].input_gradient(layer, x, w, grad)
    return lower + grad if is_adaptor(layer) else lower


def _sum(_layer: Add, values: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(values)).sum(dim=0)


def _side_by_side(layer: Concat, values: Sequence[Tensor]) -> Tensor:
    maps = zip(values, layer.x_shapes, strict=True)
    return torch.cat([x.view(len(x), *shape) for x, shape in maps], dim=3).flatten(1)


def _sum_gradients(layer: Add, values: Sequence[Tensor], grad: Tensor) -> list[Tensor]:
    return [grad] * layer.count


def _split(layer: Concat, values: Sequence[Tensor], grad: Tensor) -> list[Tensor]:
    channels = [shape[2] for shape in layer.x_shapes]
    maps = torch.split(grad.view(len(grad), *layer.y_shape), channels, dim=3)
    return [part.flatten(1) for part in maps]


@dataclass(frozen=True, slots=True)
class JoinKind:
    """A kind of layer that reads several values.

    Attributes:
        forward: joins them, before the activation: (batch, y_count).
        input_gradients: dJ/dx (batch, x_count) of each from the values and dJ/dz (batch, y_count).
    """

    forward: Callable[[Any, Sequence[Tensor]], Tensor]
    input_gradients: Callable[[Any, Sequence[Tensor], Tensor], list[Tensor]]


JOINS: dict[str, JoinKind] = {
    "add": JoinKind(_sum, _sum_gradients),
    "concat": JoinKind(_side_by_side, _split),
    "attention": JoinKind(attention_forward, attention_gradients),
}
"""One entry for each kind that reads several values."""


def update_sums(layer: Layer, x: Tensor, delta: Tensor) -> tuple[Tensor, Tensor]:
    """Sums of delta x^T (n_out, n_in) and delta (n_out,) over a batch; delta is (batch, y_count).

    Not divided by the number of positions: the learning rate takes that in.
    """
    return LAYERS[layer.kind].update(layer, x, delta)


def _dense_forward(layer: Dense | Rnn, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    return torch.addmm(b, x, w.T)


def _dense_gradient(layer: Dense | Rnn, x: Tensor, w: Tensor, grad: Tensor) -> Tensor:
    return grad @ w


def _dense_update(layer: Dense | Rnn, x: Tensor, delta: Tensor) -> tuple[Tensor, Tensor]:
    return delta.T @ x, delta.sum(dim=0)


def _rnn_update(layer: Rnn, x: Tensor, delta: Tensor) -> tuple[Tensor, Tensor]:
    """Sums for inputs (batch, n_in), or for traces (batch, groups, n_in), one for each group."""
    if x.ndim == 2:
        return _dense_update(layer, x, delta)
    ends = itertools.pairwise(layer.group_bounds)
    parts = [delta[:, start:end].T @ x[:, group] for group, (start, end) in enumerate(ends)]
    return torch.cat(parts), delta.sum(dim=0)


def _lstm_update(layer: Lstm, v: Tensor, delta: Tensor) -> tuple[Tensor, Tensor]:
    """Sums for inputs v (batch, n_in) and deltas (batch, 8 n_out), as in `cells.py`."""
    of_x, of_h = delta.chunk(2, dim=1)
    w = torch.cat((of_x.T @ v[:, : layer.n_x], of_h.T @ v[:, layer.n_x :]), dim=1)
    return w, torch.stack((of_x.sum(dim=0), of_h.sum(dim=0)))


def _gru_update(layer: Gru, v: Tensor, delta: Tensor) -> tuple[Tensor, Tensor]:
    """Sums for inputs v (batch, n_in + n_out) and deltas (batch, 6 n_out), as in `cells.py`."""
    of_x, of_h = delta.chunk(2, dim=1)
    x, h, scaled = v[:, : layer.n_x], v[:, layer.n_x : layer.n_in], v[:, layer.n_in :]
    gates = 2 * layer.n_out
    own = torch.cat((of_h[:, :gates].T @ h, of_h[:, gates:].T @ scaled))
    return torch.cat((of_x.T @ x, own), dim=1), torch.stack((of_x.sum(dim=0), of_h.sum(dim=0)))


def _in_time(layer: Gated, *tensors: Tensor) -> Tensor:
    raise TypeError(f"layer '{layer.name}' does more at a step than one product: see cells.py")


def _conv_forward(layer: Conv2d, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    padded = functional.pad(_map(x, layer.x_shape), _zeros(layer))
    how: dict[str, Any] = {"dilation": layer.dilation, "groups": layer.groups}
    y = functional.conv2d(padded, _filters(layer, w), b, layer.stride, **how)
    return _flat(y)


def _conv_gradient(layer: Conv2d, x: Tensor, w: Tensor, grad: Tensor) -> Tensor:
    left, right, top, bottom = _zeros(layer)
    rows, columns, channels = layer.x_shape
    size = [len(grad), channels, top + rows + bottom, left + columns + right]
    maps = _map(grad, layer.y_shape)
    how: dict[str, Any] = {"dilation": layer.dilation, "groups": layer.groups}
    full: Tensor = conv2d_input(  # type: ignore[no-untyped-call]
        size, _filters(layer, w), maps, layer.stride, **how
    )
    return _flat(full[:, :, top : top + rows, left : left + columns])


def _conv_update(layer: Conv2d, x: Tensor, delta: Tensor) -> tuple[Tensor, Tensor]:
    padded = functional.pad(_map(x, layer.x_shape), _zeros(layer))
    size = [layer.n_out, layer.x_shape[2] // layer.groups, *layer.kernel]
    maps = _map(delta, layer.y_shape)
    how: dict[str, Any] = {"dilation": layer.dilation, "groups": layer.groups}
    dw: Tensor = conv2d_weight(  # type: ignore[no-untyped-call]
        padded, size, maps, layer.stride, **how
    )
    return dw.permute(0, 2, 3, 1).reshape(layer.n_out, layer.n_in), maps.sum(dim=(0, 2, 3))


def _pool_forward(layer: Pool, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    maps = _around(layer, _map(x, layer.x_shape))
    if layer.mode == "max":
        return _flat(functional.max_pool2d(maps, layer.kernel, layer.stride))
    return _flat(functional.avg_pool2d(maps, layer.kernel, layer.stride) / _inside(layer, x))


def _pool_gradient(layer: Pool, x: Tensor, w: Tensor, grad: Tensor) -> Tensor:
    maps, upper = _around(layer, _map(x, layer.x_shape)), _map(grad, layer.y_shape)
    lower = torch.zeros_like(maps, memory_format=torch.contiguous_format)
    if layer.mode == "max":
        _, at = functional.max_pool2d(maps, layer.kernel, layer.stride, return_indices=True)
        lower.flatten(2).scatter_add_(2, at.flatten(2), upper.flatten(2))
    else:
        share = upper / (layer.kernel[0] * layer.kernel[1]) / _inside(layer, x)
        for row, column in itertools.product(*map(range, layer.kernel)):
            lower[_shifted(layer, row, column)] += share
    (top, left), (rows, columns, _) = layer.padding, layer.x_shape
    return _flat(lower[:, :, top : top + rows, left : left + columns])


def _around(layer: Pool, maps: Tensor) -> Tensor:
    """The maps with what no window counts around them."""
    if not layer.is_cut:
        return maps
    (top, left), (bottom, right) = layer.padding, layer.behind
    least = -math.inf if layer.mode == "max" else 0.0
    return functional.pad(maps, (left, right, top, bottom), value=least)


def _inside(layer: Pool, like: Tensor) -> Tensor | float:
    """The share of each window that lies inside of the map."""
    if not layer.is_cut:
        return 1.0
    ones = _around(layer, like.new_ones((1, 1, *layer.x_shape[:2])))
    return functional.avg_pool2d(ones, layer.kernel, layer.stride)


def _shifted(layer: Pool, row: int, column: int) -> tuple[slice, ...]:
    """Index of element (row, column) of every window in the map."""
    (down, across), (rows, columns, _) = layer.stride, layer.y_shape
    return (
        slice(None),
        slice(None),
        slice(row, row + down * (rows - 1) + 1, down),
        slice(column, column + across * (columns - 1) + 1, across),
    )


def _pool_update(layer: WeightlessLayer, x: Tensor, delta: Tensor) -> tuple[Tensor, Tensor]:
    raise TypeError(f"layer '{layer.name}' has no weights")


def _map(values: Tensor, shape: Shape) -> Tensor:
    """Rows as maps (batch, channels, height, width), without a copy."""
    return values.view(len(values), *shape).permute(0, 3, 1, 2)


def _flat(maps: Tensor) -> Tensor:
    return maps.permute(0, 2, 3, 1).reshape(len(maps), -1)


def _filters(layer: Conv2d, w: Tensor) -> Tensor:
    channels = layer.x_shape[2] // layer.groups
    return w.view(layer.n_out, *layer.kernel, channels).permute(0, 3, 1, 2)


def _zeros(layer: Conv2d) -> tuple[int, int, int, int]:
    """Zeros to the left, to the right, above and below the map, as torch lists them."""
    behind = []
    for axis in (0, 1):
        read = (layer.y_shape[axis] - 1) * layer.stride[axis] + layer.reach[axis]
        behind.append(max(0, read - layer.x_shape[axis] - layer.padding[axis]))
    return layer.padding[1], behind[1], layer.padding[0], behind[0]


LAYERS: dict[str, LayerKind] = {
    "dense": LayerKind(_dense_forward, _dense_gradient, _dense_update),
    "rnn": LayerKind(_dense_forward, _dense_gradient, _rnn_update),
    "gru": LayerKind(_in_time, _in_time, _gru_update),
    "lstm": LayerKind(_in_time, _in_time, _lstm_update),
    "conv2d": LayerKind(_conv_forward, _conv_gradient, _conv_update),
    "memory": LayerKind(memory_forward, memory_gradient, _pool_update),
    "norm": LayerKind(norm_forward, norm_gradient, _pool_update),
    "max_pool": LayerKind(_pool_forward, _pool_gradient, _pool_update),
    "average_pool": LayerKind(_pool_forward, _pool_gradient, _pool_update),
}
"""One entry for each `kind` of a graph's layers."""
