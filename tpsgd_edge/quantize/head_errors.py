"""Errors of layers that pass them on, before training, in real numbers (sections 18 and 26)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.expression import compile_expression
from tpsgd_edge.arithmetic.projection import UNIT
from tpsgd_edge.arithmetic.types import Real
from tpsgd_edge.graph import Conv2d, Dense, WeightedLayer, window_bounds
from tpsgd_edge.graph.forward import pooled, seen_by_loss
from tpsgd_edge.quantize.maps_backward import pool_input_gradient
from tpsgd_edge.quantize.model import QuantizedWeighted, Target, TargetF32
from tpsgd_edge.spec import LossSpec
from tpsgd_edge.spec.loss import LABEL_SPACE


@dataclass(frozen=True, slots=True)
class Head:
    """A layer that learns from its own loss and hands its error down.

    Attributes:
        layer: in real numbers.
        made: in the numbers of the device: with projection and targets.
        label_scale: real value of the largest label.
    """

    layer: WeightedLayer
    made: QuantizedWeighted
    label_scale: float


def head_error(head: Head, y: Real, labels: NDArray[np.generic]) -> Real:
    """Errors (n, y_count) of outputs y (n, y_count); on a map without the factor 1 / area.

    Args:
        labels: classes (n,), or scaled vectors (n, K).
    """
    rows, loss = _rows(labels, head), head.layer.learning.loss
    if head.made.is_last:
        return np.asarray(_ERROR[loss.kind](rows, y, loss), np.float64)
    seen = seen_by_loss(head.layer, y)
    if loss.kind in LABEL_SPACE:
        e = _of_label_space(head, seen, rows)
    else:
        e = _ERROR[loss.kind](_targets(head, rows), seen, loss)
    return _SPREAD[head.layer.kind](head.layer, e, y)


def _rows(labels: NDArray[np.generic], head: Head) -> Real:
    if labels.ndim > 1:
        return labels.astype(float)
    projection = head.made.projection
    count = head.layer.n_out if projection is None else projection.values.shape[1]
    return np.asarray(np.eye(count)[labels.astype(int)])


def _of_label_space(head: Head, seen: Real, rows: Real) -> Real:
    projection, loss = head.made.projection, head.layer.learning.loss
    assert projection is not None
    p = projection.values * UNIT[projection.kind]
    v = seen @ p / (math.sqrt(head.layer.n_target) * loss.temperature)
    q = rows - (_softmax(v) if loss.kind == "projected_cross_entropy" else v)
    return np.asarray(q @ p.T)


def _targets(head: Head, rows: Real) -> Real:
    """Targets (n, n_target) of label rows (n, K)."""
    projection, target = head.made.projection, head.made.loss.target
    assert projection is not None
    if isinstance(target, TargetF32):
        return np.asarray(target.mid + rows @ projection.values.T * target.mult)
    assert isinstance(target, Target)
    projected = rows / head.label_scale @ projection.values.T * (target.mult / 2.0**target.shift)
    full_scale = head.made.y_scale * (2**7 if head.made.y_type == "s8" else 2**15)
    return np.asarray((target.mid + projected) * (full_scale / 2**15))


def _of_units(_layer: Dense, e: Real, _y: Real) -> Real:
    return e


def _of_map(layer: Conv2d, e: Real, y: Real) -> Real:
    """Errors of windows (n, n_target) at the units (n, y_count) that they see."""
    seen = e.reshape(len(e), *layer.windows, -1)
    for axis in (0, 1):
        bounds = window_bounds(layer.seen_shape[axis], layer.windows[axis])
        seen = np.repeat(seen, np.diff(bounds), axis=axis + 1)
    flat = seen.reshape(len(e), -1)
    if layer.pool is None:
        return flat
    return pool_input_gradient(layer.pool, flat, y, pooled(layer.pool, y))


def _softmax(v: Real) -> Real:
    powers = np.exp(v - v.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _limited(wanted: Real, y: Real, loss: LossSpec) -> Real:
    return np.clip(wanted - y, -loss.delta, loss.delta)


# e from targets, outputs and settings; losses in label space are of others.
_ERROR: dict[str, Callable[[Real, Real, LossSpec], Real]] = {
    "softmax_cross_entropy": lambda wanted, y, _: wanted - _softmax(y),
    "l2": lambda wanted, y, _: wanted - y,
    "l1": lambda wanted, y, _: np.sign(wanted - y),
    "huber": _limited,
    "epsilon_insensitive": lambda wanted, y, loss: wanted - y - _limited(wanted, y, loss),
    "cross_entropy": lambda wanted, y, _: wanted - y,
    "custom": lambda wanted, y, loss: compile_expression(loss.expression or "")(wanted - y),
}
# Errors of units from those that the loss sees, by kind of layer.
_SPREAD: dict[str, Callable[[Any, Real, Real], Real]] = {"dense": _of_units, "conv2d": _of_map}
