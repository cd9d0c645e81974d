"""Training in floating point by any of the rules."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tpsgd_edge.arithmetic.decay import DECAY
from tpsgd_edge.errors import SpecError
from tpsgd_edge.graph import Graph, Labels, WeightedLayer
from tpsgd_edge.rule.defined import check_rule
from tpsgd_edge.rule.deltas import LayerDeltas, batch_deltas
from tpsgd_edge.rule.feedback import Feedback, draw_feedback
from tpsgd_edge.rule.layers import update_sums
from tpsgd_edge.rule.losses import local_losses, read_out, with_learning_readouts
from tpsgd_edge.rule.network import FloatNetwork, first_network
from tpsgd_edge.rule.rules import Losses, RuleName, adds_scores
from tpsgd_edge.spec import LossSpec, ProjectionSpec

# The rules that use the losses of hidden layers.
_LOCAL = ("tpsgd", "tpsgd_learned", "tpsgd_carried")
# What W and what b learn from a batch.
Sums = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class _Limits:
    dead_zone: float
    error_gate: float | None
    clip_norm: float | None


@dataclass(frozen=True, slots=True)
class _Settings:
    rule: RuleName
    losses: Losses
    feedback: Feedback
    rates: tuple[float, ...]
    momentum: float
    limits: _Limits
    learn_every: int


@dataclass(frozen=True, slots=True)
class _Pace:
    epochs: int
    batch: int
    schedule: str
    final_rate: float
    seed: int
    order: Callable[[int], NDArray[np.intp]] | None = None


def train_float(
    graph: Graph,
    x: NDArray[np.floating],
    labels: NDArray[np.generic],
    *,
    rule: RuleName,
    losses: Sequence[LossSpec],
    learning_rate: float | Sequence[float],
    projection: ProjectionSpec | None = None,
    epochs: int = 10,
    batch: int = 32,
    schedule: str = "linear",
    final_rate: float = 0.01,
    momentum: float = 0.0,
    dead_zone: float = 0.0,
    error_gate: float | None = None,
    clip_norm: float | None = None,
    seed: int = 1,
    order: Callable[[int], NDArray[np.intp]] | None = None,
    after_epoch: Callable[[int, FloatNetwork], None] | None = None,
) -> FloatNetwork:
    """The trained network; the same arguments give the same network on the same machine.

    Initial weights and projections are those of a device with this seed, and the random matrices of
    the other rules come from it too. The update is the mean over a batch: with batch = 1 the rate
    is that of the device. In a sequence tpSGD learns after each step that a device learns after.

    Args:
        x: samples (n, n_in), scaled; sequences step by step.
        labels: classes (n,) or scaled vectors (n, K); of each step (n, steps) or (n, steps, K).
        losses: one for each layer with weights; rules other than tpSGD use the last one only.
        learning_rate: one for all layers, or one for each with weights; tpSGD divides that of a map
            by the mean area of the windows that its loss sees, PEPITA by the number of positions.
        schedule: constant, linear, cosine or exponential, down to `final_rate` times the rate.
        error_gate: hidden layers learn only where the class gets less than this probability.
        clip_norm: largest norm of the gradient of a batch, all layers together.
        order: indices of the samples in an epoch, from 1; drawn from the seed where not given.
        after_epoch: called with the epoch, from 1, and the network as it is then.

    Raises:
        SpecError: the rule is not defined for the network; the weights leave the finite numbers.
    """
    check_rule(graph, rule, losses)
    made = local_losses(graph, tuple(losses), projection or ProjectionSpec(), seed=seed)
    made = _own_losses(graph, made, learning_rate, rule)
    net = first_network(graph, seed=seed)
    if rule == "tpsgd_carried":
        net = replace(net, read_outs=_read_outs(graph, made))
    feedback, rates = draw_feedback(graph, rule, seed=seed), _rates(graph, learning_rate, rule)
    limits = _Limits(dead_zone, error_gate, clip_norm)
    settings = _Settings(rule, made, feedback, rates, momentum, limits, graph.learn_every)
    samples = torch.tensor(np.asarray(x, np.float32))
    targets = label_rows(labels, graph.labels).view(len(samples), -1, graph.labels.count)
    pace = _Pace(epochs, batch, schedule, final_rate, seed, order)
    with torch.inference_mode():
        for epoch in _epochs(net, samples, targets, settings, pace):
            _check_finite(net, epoch)
            if after_epoch is not None:
                after_epoch(epoch, net)
    return net


def _read_outs(graph: Graph, losses: Losses) -> tuple[Callable[[Tensor], Tensor] | None, ...]:
    """Read-outs of the hidden layers that learn."""
    return tuple(
        partial(read_out, loss)
        if loss is not None and adds_scores(layer) and layer is not graph.layers[-1]
        else None
        for layer, loss in zip(graph.layers, losses, strict=True)
    )


def label_rows(labels: NDArray[np.generic], kind: Labels) -> Tensor:
    """Labels as rows, one-hot for classes, else the vectors: (n, K), of each step (n, steps, K)."""
    shape = (len(labels), -1) if kind.each_step else (-1,)
    if kind.kind == "vector":
        return torch.tensor(np.asarray(labels, np.float32).reshape(*shape, kind.count))
    classes = torch.tensor(np.asarray(labels, np.int64).reshape(shape))
    return torch.nn.functional.one_hot(classes, kind.count).to(torch.float32)


def _rates(
    graph: Graph, learning_rate: float | Sequence[float], rule: RuleName
) -> tuple[float, ...]:
    """A rate for each layer, those without weights included.

    The rate of a map's own loss takes in 1 / area of the windows (docs/ARITHMETIC.md, section 14),
    as those of the layers do to whom it passes its error;
    PEPITA's authors take the mean over positions.
    """
    trained = graph.weighted
    rates = _each(graph, learning_rate)
    if rule in _LOCAL:
        areas = _areas(graph)
        rates = [r / areas[la.name] for r, la in zip(rates, trained, strict=True)]
    elif rule == "pepita":
        rates = [r / _positions(la) for r, la in zip(rates, trained, strict=True)]
    return _of_layers(graph, rates)


def _areas(graph: Graph) -> dict[str, float]:
    """Mean area of what each layer's error averages, below the head of a block that of the head."""
    areas = {layer.name: layer.target_area for layer in graph.weighted}
    return areas | {name: areas[block[0]] for block in graph.blocks for name in block}


def _each(graph: Graph, learning_rate: float | Sequence[float]) -> Sequence[float]:
    if isinstance(learning_rate, Sequence):
        return learning_rate
    return [learning_rate] * len(graph.weighted)


def _of_layers(graph: Graph, rates: Sequence[float]) -> tuple[float, ...]:
    given = iter(rates)
    return tuple(0.0 if la.weighted is None else next(given) for la in graph.layers)


def _own_losses(
    graph: Graph, losses: Losses, learning_rate: float | Sequence[float], rule: RuleName
) -> Losses:
    """Losses as the rule uses them, without what only tpSGD needs, which would cost memory."""
    if rule not in _LOCAL:
        return tuple(loss and replace(loss, projection=None, windows=None) for loss in losses)
    if rule != "tpsgd_learned":
        return losses
    return with_learning_readouts(losses, _of_layers(graph, _each(graph, learning_rate)))


def _epochs(
    net: FloatNetwork, x: Tensor, labels: Tensor, settings: _Settings, pace: _Pace
) -> Iterator[int]:
    """Train, and say after each epoch which one it was."""
    velocity = [
        torch.zeros_like(tensor) if settings.momentum else tensor.new_empty(0)
        for tensor in (*net.w, *net.b)
    ]
    count = math.ceil(len(x) / pace.batch)
    for epoch in range(1, pace.epochs + 1):
        batches = _batches(len(x), pace, epoch)
        for step, rows in enumerate(batches, start=(epoch - 1) * count):
            decay = DECAY[pace.schedule](step / (pace.epochs * count), pace.final_rate)
            _train_batch(net, x[rows], labels[rows], settings, decay, velocity)
        yield epoch


def _positions(layer: WeightedLayer) -> int:
    return layer.y_count // layer.n_out


def _batches(count: int, pace: _Pace, epoch: int) -> Iterator[Tensor]:
    if pace.order is None:
        order = np.random.default_rng((pace.seed, epoch)).permutation(count)
    else:
        order = pace.order(epoch)
    for start in range(0, count, pace.batch):
        yield torch.from_numpy(order[start : start + pace.batch])


def _train_batch(
    net: FloatNetwork,
    x: Tensor,
    labels: Tensor,
    settings: _Settings,
    decay: float,
    velocity: list[Tensor],
) -> None:
    parts = batch_deltas(
        net,
        x,
        labels,
        rule=settings.rule,
        losses=settings.losses,
        feedback=settings.feedback,
        error_gate=settings.limits.error_gate,
        learn_every=settings.learn_every,
        share=decay / len(x),
    )
    for changes, clip in _measured(net, parts, settings, len(x)):
        for index, change in changes:
            step = settings.rates[index] * decay * clip / len(x)
            _move(net, index, change, step, settings.momentum, velocity)


def _measured(
    net: FloatNetwork, parts: Iterable[LayerDeltas], settings: _Settings, samples: int
) -> Iterator[tuple[Iterable[tuple[int, Sums]], float]]:
    """Changes layer by layer, and what they are multiplied with.

    Where their norm is limited, a feed-forward network learns all at once at the end of a batch.
    """
    largest = settings.limits.clip_norm
    if largest is None:
        for part in parts:
            yield _changes(net, part, settings), 1.0
        return
    whole = parts if net.walk else [_joined(list(parts))]
    for part in whole:
        changes = list(_changes(net, part, settings))
        yield changes, _clip_factor([sums for _, sums in changes], largest, samples)


def _joined(parts: list[LayerDeltas]) -> LayerDeltas:
    """Join the deltas of one layer each to those of all layers."""
    own = {part.first: part for part in parts}
    places = range(max(own) + 1)
    nothing = torch.empty(0)
    inputs = [own[index].inputs[0] if index in own else nothing for index in places]
    return LayerDeltas(inputs, [own[index].deltas[0] if index in own else None for index in places])


def _changes(
    net: FloatNetwork, part: LayerDeltas, settings: _Settings
) -> Iterator[tuple[int, Sums]]:
    for place, delta in enumerate(part.deltas):
        if delta is not None:
            layer, x = net.layers[part.first + place], part.inputs[place]
            yield part.first + place, update_sums(layer, x, _outside(delta, settings))


def _move(
    net: FloatNetwork,
    index: int,
    change: Sums,
    step: float,
    momentum: float,
    velocity: list[Tensor],
) -> None:
    n = len(net.layers)
    for tensor, sums, moving in (
        (net.w[index], change[0], velocity[index]),
        (net.b[index], change[1], velocity[n + index]),
    ):
        if momentum:
            tensor.add_(moving.mul_(momentum).add_(sums, alpha=step))
        else:
            tensor.add_(sums.mul_(step))


def _outside(delta: Tensor, settings: _Settings) -> Tensor:
    """Zero in the dead zone, delta outside."""
    if settings.limits.dead_zone == 0:
        return delta
    return torch.where(delta.abs() < settings.limits.dead_zone, 0, delta)


def _clip_factor(changes: Iterable[Sums], largest: float, samples: int) -> float:
    """Factor that brings the norm of the mean change of all layers down to the largest allowed."""
    squares = [float(change.square().sum()) for pair in changes for change in pair]
    return min(1.0, largest * samples / max(math.sqrt(sum(squares)), 1e-30))


def _check_finite(net: FloatNetwork, epoch: int) -> None:
    for layer, w in zip(net.layers, net.w, strict=True):
        if not bool(torch.isfinite(w).all()):
            raise SpecError(
                f"training in floating point diverges in layer '{layer.name}'",
                where=f"epoch {epoch}",
                found="weights that are NaN or infinite",
                help="choose a smaller learning rate, or scale the data",
            )
