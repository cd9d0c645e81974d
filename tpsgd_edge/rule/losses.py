"""Local losses in torch: what each layer is told to change (docs/ARITHMETIC.md, sections 6 and 12).

Labels are rows here, shape (batch, K): the label vectors, or one-hot rows for classes, so that P y*
is one matrix product for both. The loss of a map sees it averaged over windows: (batch, n_target).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from tpsgd_edge.arithmetic.activations import FACTS, Numbers
from tpsgd_edge.arithmetic.expression import compile_expression
from tpsgd_edge.arithmetic.projection import READOUT_FACTOR, UNIT, WIDE, draw_projection
from tpsgd_edge.arithmetic.random import Purpose, stream
from tpsgd_edge.graph import Graph, WeightedLayer
from tpsgd_edge.rule.activations import slope_of
from tpsgd_edge.rule.windows import Windows, make_windows
from tpsgd_edge.spec import LossSpec, ProjectionSpec

# Under these losses f'(z) cancels.
_MATCHES_ACTIVATION = frozenset({"softmax_cross_entropy", "cross_entropy"})


@dataclass(frozen=True, slots=True)
class LocalLoss:
    """One layer's loss and all it needs.

    Attributes:
        projection: P with entries of variance 1, or prototypes, shape (n_target, K); None in the
            last layer.
        mid, mult: a target is mid + mult * (P y*), in the last layer mid + mult * y*.
        gain: 1 / (sqrt(n_target) * temperature), the g of the losses in label space.
        windows: of a map; None where the loss sees the units themselves.
        readout_rate: at which the projection itself learns from a sample; 0 where it is fixed.
        numbers: settings of the activation.
    """

    kind: str
    activation: str
    projection: Tensor | None
    mid: float
    mult: float
    gain: float
    delta: float
    expression: str | None
    windows: Windows | None = None
    readout_rate: float = 0.0
    numbers: Numbers = ()


def local_losses(
    graph: Graph,
    specs: tuple[LossSpec, ...],
    projection: ProjectionSpec,
    *,
    seed: int,
    dtype: torch.dtype = torch.float32,
) -> tuple[LocalLoss | None, ...]:
    """The loss of each layer, with the projections that a device with this seed has.

    `specs` has one entry for each layer with weights; what comes back also has a None for each
    layer without.

    Raises:
        ValueError: `specs` has another length.
    """
    if len(specs) != len(graph.weighted):
        raise ValueError(f"{len(specs)} losses for {len(graph.weighted)} layers with weights")
    given = iter(specs)
    return tuple(
        _local_loss(graph, index, next(given), projection, seed=seed, dtype=dtype)
        if layer.weighted is not None
        else None
        for index, layer in enumerate(graph.layers)
    )


def with_learning_readouts(
    losses: tuple[LocalLoss | None, ...], rates: tuple[float, ...]
) -> tuple[LocalLoss | None, ...]:
    """The losses, those in label space with projections that learn from now on.

    Args:
        rates: of each layer, from a sample.
    """
    return tuple(
        replace(loss, projection=loss.projection.clone(), readout_rate=READOUT_FACTOR * rate)
        if loss is not None and loss.projection is not None and loss.kind in LABEL_SPACE
        else loss
        for loss, rate in zip(losses, rates, strict=True)
    )


def local_delta(
    loss: LocalLoss,
    y: Tensor,
    labels: Tensor,
    activation: Tensor | None = None,
    share: Tensor | float = 0.0,
    total: Tensor | None = None,
) -> Tensor:
    """Compute delta = e * f'(z), (batch, y_count): the layer's W learns along delta x^T.

    On a map, e is that of the unit's window and f'(z) the unit's own. `activation` is f(z) where
    the output y is not. A read-out that learns does it here, behind the error, at `share` of its
    rate: of the batch, or of each row (batch, 1). `total` has the scores (batch, K) of all layers
    so far, where these are carried.
    """
    e = local_error(loss, _seen(loss, y), labels, share, total)
    if loss.windows is not None:
        e = loss.windows.spread(e, y)
    if loss.kind in _MATCHES_ACTIVATION:
        return e
    return e * slope_of(loss.activation, y if activation is None else activation, loss.numbers)


def read_out(loss: LocalLoss, y: Tensor) -> Tensor:
    """Scores (batch, K) that a loss in label space reads out of the outputs y (batch, y_count)."""
    return loss.gain * (_seen(loss, y) @ _projection(loss))


def local_error(
    loss: LocalLoss,
    y: Tensor,
    labels: Tensor,
    share: Tensor | float = 0.0,
    total: Tensor | None = None,
) -> Tensor:
    """Compute e (batch, n_target) of each value that the loss sees, units or averages of a map.

    For a loss that matches the activation, e already is delta. `share` and `total` as for
    `local_delta`.
    """
    if loss.kind not in LABEL_SPACE:
        return _ERROR[loss.kind](loss, y, labels)
    p = _projection(loss)
    q = LABEL_SPACE[loss.kind](loss.gain * (y @ p) if total is None else total, labels)
    e = q @ p.T
    if loss.readout_rate:
        p.add_(y.T @ (q * share), alpha=loss.readout_rate)
    return e


def _seen(loss: LocalLoss, y: Tensor) -> Tensor:
    return y if loss.windows is None else loss.windows.averaged(y)


def target(loss: LocalLoss, labels: Tensor) -> Tensor:
    """Targets P y* (batch, n_target) of labels (batch, K), in the range of the activation."""
    projected = labels if loss.projection is None else labels @ loss.projection.T
    return loss.mid + loss.mult * projected


def _local_loss(
    graph: Graph,
    index: int,
    spec: LossSpec,
    projection: ProjectionSpec,
    *,
    seed: int,
    dtype: torch.dtype,
) -> LocalLoss:
    layer = graph.layers[index].weighted
    if layer is None:
        raise TypeError(f"layer '{graph.layers[index].name}' has no weights")
    p, mid, mult = None, *_output_target(layer, graph.labels.kind, projection)
    if index < len(graph.layers) - 1:
        shape = (layer.n_target, graph.labels.count)
        kind, whole = "fitted", graph.fitted.get(layer.name)
        if whole is None:
            kind = projection.random_kind
            whole = draw_projection(kind, stream(seed, Purpose.PROJECTION, index), shape)
        p = torch.tensor(whole * UNIT[kind], dtype=dtype)
        mid, mult = _hidden_target(layer, graph, kind, projection.scale)
        if layer.name in graph.prototypes:
            p, mid, mult = torch.tensor(graph.prototypes[layer.name], dtype=dtype), 0.0, 1.0
    return LocalLoss(
        kind=spec.kind,
        activation=layer.activation,
        projection=p,
        mid=mid,
        mult=mult,
        gain=1 / (math.sqrt(layer.n_target) * spec.temperature),
        delta=spec.delta,
        expression=spec.expression,
        windows=make_windows(layer, dtype),
        numbers=layer.numbers,
    )


def _hidden_target(
    layer: WeightedLayer, graph: Graph, kind: str, scale: float
) -> tuple[float, float]:
    centre, half = FACTS[layer.activation].targets
    # The largest sign and ternary entries, and two deviations of a gaussian, reach as far.
    entry = 0.5 if kind in WIDE else 1 / UNIT[kind]
    spread = math.sqrt(graph.labels.count) if graph.labels.kind == "vector" else 1.0
    return centre, half * scale * entry / spread


def _output_target(layer: WeightedLayer, labels: str, spec: ProjectionSpec) -> tuple[float, float]:
    if labels == "vector" or not FACTS[layer.activation].is_bounded:
        return 0.0, 1.0
    centre, half = FACTS[layer.activation].targets
    reach = half * spec.scale
    return centre - reach, 2 * reach


def _softmax_cross_entropy(loss: LocalLoss, y: Tensor, labels: Tensor) -> Tensor:
    return labels - torch.softmax(y, dim=1)


def _projected_cross_entropy(v: Tensor, labels: Tensor) -> Tensor:
    return labels - torch.softmax(v, dim=1)


def _projected_l2(v: Tensor, labels: Tensor) -> Tensor:
    return labels - v


def _projection(loss: LocalLoss) -> Tensor:
    if loss.projection is None:
        raise ValueError(f"the last layer has no projection for the loss {loss.kind!r}")
    return loss.projection


def _residual(loss: LocalLoss, y: Tensor, labels: Tensor) -> Tensor:
    return target(loss, labels) - y


def _l1(loss: LocalLoss, y: Tensor, labels: Tensor) -> Tensor:
    return _residual(loss, y, labels).sign()


def _huber(loss: LocalLoss, y: Tensor, labels: Tensor) -> Tensor:
    return _residual(loss, y, labels).clamp(-loss.delta, loss.delta)


def _dead_zone(loss: LocalLoss, y: Tensor, labels: Tensor) -> Tensor:
    return torch.nn.functional.softshrink(_residual(loss, y, labels), loss.delta)


def _custom(loss: LocalLoss, y: Tensor, labels: Tensor) -> Tensor:
    r = _residual(loss, y, labels).to(torch.float64).numpy()
    values = compile_expression(loss.expression or "")(r)
    return torch.from_numpy(np.broadcast_to(values, r.shape).copy()).to(y.dtype)


_ERROR: dict[str, Callable[[LocalLoss, Tensor, Tensor], Tensor]] = {
    "softmax_cross_entropy": _softmax_cross_entropy,
    "l2": _residual,
    "l1": _l1,
    "huber": _huber,
    "epsilon_insensitive": _dead_zone,
    "cross_entropy": _residual,
    "custom": _custom,
}
# q, the error of the labels, from what is read out (batch, K).
LABEL_SPACE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "projected_cross_entropy": _projected_cross_entropy,
    "projected_l2": _projected_l2,
}
