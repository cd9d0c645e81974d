"""Training in floating point by any of the rules."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tpsgd_edge.errors import SpecError
from tpsgd_edge.graph import Graph, Labels, TrainedLayer
from tpsgd_edge.rule.layers import update_sums
from tpsgd_edge.rule.lessons import Lesson, lessons
from tpsgd_edge.rule.losses import local_losses
from tpsgd_edge.rule.network import FloatNetwork, first_network
from tpsgd_edge.rule.rules import Losses, RuleName
from tpsgd_edge.spec import LossSpec, ProjectionSpec

# Factor on the learning rate at a share 0..1 of the training, given the factor at its end.
_SCHEDULE: dict[str, Callable[[float, float], float]] = {
    "constant": lambda share, final: 1.0,
    "linear": lambda share, final: 1 - (1 - final) * share,
    "cosine": lambda share, final: final + (1 - final) * (1 + math.cos(math.pi * share)) / 2,
    "exponential": lambda share, final: float(final**share),
}


@dataclass(frozen=True, slots=True)
class _Settings:
    rule: RuleName
    losses: Losses
    rates: tuple[float, ...]
    momentum: float
    dead_zone: float
    error_gate: float | None
    clip_norm: float | None
    learn_every: int


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
    after_epoch: Callable[[int, FloatNetwork], None] | None = None,
) -> FloatNetwork:
    """The trained network; the same arguments give the same network on the same machine.

    First weights and projections are those of a device with this seed. The update is the mean over
    a batch, so with batch = 1 the rate is that of the device. In a sequence tpSGD learns after each
    step that a device learns after, backpropagation from the sum over all labels.

    Args:
        x: samples (n, n_in), scaled; sequences step by step.
        labels: classes (n,) or scaled vectors (n, K); of each step (n, steps) or (n, steps, K).
        losses: one for each layer with weights; backprop and last_layer use the last one only.
        learning_rate: one for all layers, or one for each layer with weights. tpSGD divides that
            of a map by the mean area of the windows whose averages its loss sees.
        schedule: constant, linear, cosine or exponential, down to `final_rate` times the rate.
        error_gate: hidden layers learn only where the class gets less than this probability.
        clip_norm: largest norm of the gradient of a batch, all layers together.
        after_epoch: called with the epoch, from 1, and the network as it is then.

    Raises:
        SpecError: the weights leave the finite numbers.
    """
    net = first_network(graph, seed=seed)
    made = local_losses(graph, tuple(losses), projection or ProjectionSpec(), seed=seed)
    rates = _rates(graph, learning_rate, rule)
    every = graph.learn_every
    settings = _Settings(rule, made, rates, momentum, dead_zone, error_gate, clip_norm, every)
    samples = torch.tensor(np.asarray(x, np.float32))
    targets = label_rows(labels, graph.labels).view(len(samples), -1, graph.labels.count)
    velocity = [torch.zeros_like(tensor) for tensor in (*net.w, *net.b)]
    steps = epochs * math.ceil(len(samples) / batch)
    step = 0
    with torch.inference_mode():
        for epoch in range(1, epochs + 1):
            for chosen in _batches(len(samples), batch, seed=seed, epoch=epoch):
                decay = _SCHEDULE[schedule](step / steps, final_rate)
                _train_batch(net, samples[chosen], targets[chosen], settings, decay, velocity)
                step += 1
            _check_finite(net, epoch)
            if after_epoch is not None:
                after_epoch(epoch, net)
    return net


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

    The rate of a map's own loss takes in 1 / area of the windows (docs/ARITHMETIC.md, section 14).
    """
    trained = graph.trained
    rates = learning_rate if isinstance(learning_rate, Sequence) else [learning_rate] * len(trained)
    if rule == "tpsgd":
        rates = [r * la.n_target / la.y_count for r, la in zip(rates, trained, strict=True)]
    given = iter(rates)
    return tuple(next(given) if isinstance(la, TrainedLayer) else 0.0 for la in graph.layers)


def _batches(count: int, batch: int, *, seed: int, epoch: int) -> Iterator[Tensor]:
    order = np.random.default_rng((seed, epoch)).permutation(count)
    for start in range(0, count, batch):
        yield torch.from_numpy(order[start : start + batch])


def _train_batch(
    net: FloatNetwork,
    x: Tensor,
    labels: Tensor,
    settings: _Settings,
    decay: float,
    velocity: list[Tensor],
) -> None:
    for lesson in lessons(
        net,
        x,
        labels,
        rule=settings.rule,
        losses=settings.losses,
        error_gate=settings.error_gate,
        learn_every=settings.learn_every,
    ):
        _learn(net, lesson, settings, decay, velocity, len(x))


def _learn(
    net: FloatNetwork,
    lesson: Lesson,
    settings: _Settings,
    decay: float,
    velocity: list[Tensor],
    samples: int,
) -> None:
    changes = {
        index: update_sums(net.layers[index], lesson.inputs[index], _outside(delta, settings))
        for index, delta in enumerate(lesson.deltas)
        if delta is not None
    }
    clip = _clip_factor(changes.values(), settings.clip_norm, samples)
    n = len(net.layers)
    for index, (dw, db) in changes.items():
        step = settings.rates[index] * decay * clip / samples
        for tensor, change, moving in (
            (net.w[index], dw, velocity[index]),
            (net.b[index], db, velocity[n + index]),
        ):
            moving.mul_(settings.momentum).add_(change, alpha=step)
            tensor.add_(moving)


def _outside(delta: Tensor, settings: _Settings) -> Tensor:
    """Zero in the dead zone, delta outside."""
    return torch.where(delta.abs() < settings.dead_zone, 0, delta)


def _clip_factor(
    changes: Iterable[tuple[Tensor, Tensor]], largest: float | None, samples: int
) -> float:
    """What brings the norm of the mean change of all layers down to the largest allowed."""
    if largest is None:
        return 1.0
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
