"""One run, carried out in this process. Needs torch."""

import math
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypedDict, cast

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.comparison.runs import OURS, RANDOM, Result, Run
from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.data import Dataset, label_scaling, load_dataset
from tpsgd_edge.frontend.fitted import with_fitted_projections
from tpsgd_edge.frontend.network import build_graph, dataset_scaling
from tpsgd_edge.frontend.order import sample_order
from tpsgd_edge.graph import Graph, with_extra_classes
from tpsgd_edge.rule.defined import check_rule
from tpsgd_edge.rule.measure import StepCost, one_thread, step_cost
from tpsgd_edge.rule.network import FloatNetwork, first_network
from tpsgd_edge.rule.rules import RuleName
from tpsgd_edge.rule.train import train_float
from tpsgd_edge.spec import (
    LossSpec,
    ProjectionSpec,
    Spec,
    error_gate,
)

# One in so many training samples is held out of trials.
_HELD_OUT = 5


@dataclass(frozen=True, slots=True)
class _Samples:
    """Scaled samples and labels, of training and of the set that scores are taken on."""

    graph: Graph
    x: NDArray[np.float32]
    y: NDArray[Any]
    x_test: NDArray[np.float32]
    y_test: NDArray[Any]
    dataset: Dataset


@dataclass(frozen=True, slots=True)
class _Source:
    """A spec as a key."""

    digest: str
    folder: Path
    spec: Spec = field(compare=False)


class _Settings(TypedDict):
    rule: RuleName
    losses: list[LossSpec]
    learning_rate: list[float]
    projection: ProjectionSpec
    batch: int
    schedule: str
    final_rate: float
    dead_zone: float
    error_gate: float | None
    seed: int


def execute(spec: Spec, run: Run) -> Result:
    """Train, score before the first and after each epoch, and measure a step.

    Raises:
        TpsgdError: the data are at fault, or the rule is not defined for the network.
    """
    one_thread()
    spec = spec.model_copy(update={"seed": run.seed})
    samples = _samples(_Source(spec.digest, spec.folder, spec), is_trial=run.is_trial)
    graph, x, y = samples.graph, samples.x, samples.y
    settings = _settings(spec, run, graph)
    check_rule(graph, settings["rule"], settings["losses"])
    clock = _Clock(samples)
    clock.after_epoch(0, first_network(graph, seed=run.seed))
    learn = partial(train_float, graph, **settings)
    order = None if run.order == "shuffled" else partial(_order, run, samples.dataset)
    # Where the weights leave the finite numbers, a score is missing.
    with suppress(SpecError):
        learn(x, y, epochs=run.epochs, after_epoch=clock.after_epoch, order=order)
    cost = None if run.is_trial else _cost(learn, graph, x[: run.batch], y[: run.batch])
    seen = run.epochs * len(x)
    return Result(
        run=run,
        metric="accuracy" if graph.labels.kind == "class" else "r2",
        scores=tuple(clock.scores),
        seconds=round(sum(clock.seconds), 3),
        samples=seen,
        macs=None if cost is None else round(cost.macs * seen / len(x[: run.batch])),
        step_bytes=None if cost is None else cost.peak_bytes,
    )


def _order(run: Run, dataset: Dataset, epoch: int) -> NDArray[np.intp]:
    return sample_order(run.order, dataset, run.seed, epoch - 1)


def _cost(
    learn: "partial[FloatNetwork]", graph: Graph, x: NDArray[np.float32], y: NDArray[Any]
) -> StepCost:
    rows = y.size if graph.labels.kind == "class" else y.size // graph.labels.count
    data_bytes = 4 * (x.size + rows * graph.labels.count)
    return step_cost(lambda after: learn(x, y, epochs=2, after_epoch=after), data_bytes=data_bytes)


def _settings(spec: Spec, run: Run, graph: Graph) -> _Settings:
    """Rates are of one sample, as in the spec: a batch learns the sum of its samples."""
    layers = [layer.learning for layer in graph.weighted]
    rates = [run.ratio * layer.rate for layer in layers]
    if run.rate is not None:
        rates = [run.rate * run.ratio] * (len(layers) - 1) + [run.rate]
    rates = [rate if layer.trainable else 0.0 for rate, layer in zip(rates, layers, strict=True)]
    is_tpsgd = run.rule in OURS
    return _Settings(
        rule=cast(RuleName, "last_layer" if run.rule == RANDOM else run.rule),
        losses=[layer.first_loss for layer in layers],
        learning_rate=[rate * run.batch for rate in rates],
        projection=spec.projection,
        batch=run.batch,
        schedule=spec.rule.schedule,
        final_rate=spec.rule.final_rate,
        dead_zone=spec.rule.dead_zone if is_tpsgd else 0.0,
        error_gate=error_gate(spec, graph.labels.kind) if is_tpsgd else None,
        seed=run.seed,
    )


@dataclass(frozen=True, slots=True)
class _Clock:
    """Scores after each epoch, and the processor time that training took."""

    samples: _Samples
    scores: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)

    def after_epoch(self, epoch: int, net: FloatNetwork) -> None:
        if epoch > 0:
            self.seconds.append(time.process_time() - self.ends[-1])
        score = _score(net, self.samples)
        if not math.isfinite(score):
            raise SpecError("the outputs have left the finite numbers")
        self.scores.append(score)
        self.ends.append(time.process_time())


def _score(net: FloatNetwork, samples: _Samples) -> float:
    """The share of right answers, or R^2."""
    outputs, y = net.outputs(samples.x_test), samples.y_test
    if samples.graph.labels.kind == "class":
        return float(np.mean(outputs.argmax(axis=-1) == y))
    predicted = outputs.reshape(-1, outputs.shape[-1])
    values = y.reshape(predicted.shape)
    spread = ((values - values.mean(axis=0)) ** 2).sum()
    return float(1 - ((values - predicted) ** 2).sum() / spread) if spread > 0 else 0.0


# Runs follow each other seed by seed.
@lru_cache(maxsize=1)
def _samples(source: _Source, *, is_trial: bool) -> _Samples:
    spec = source.spec
    dataset = load_dataset(spec)
    mean, std = dataset_scaling(spec, dataset)
    dataset = _held_out(dataset) if is_trial else dataset
    graph = with_fitted_projections(spec, build_graph(spec, dataset), dataset, from_nothing=True)
    graph = with_extra_classes(graph, spec.model.extra_classes)
    y, y_test = dataset.y_train, dataset.y_test
    if graph.labels.kind == "vector":
        centre, spread = label_scaling(spec, dataset.first.y_train)
        y, y_test = (y - centre) / spread, (y_test - centre) / spread
    x, x_test = (
        ((part - mean) / std).astype(np.float32) for part in (dataset.x_train, dataset.x_test)
    )
    return _Samples(graph, x, y, x_test, y_test, dataset)


def _held_out(dataset: Dataset) -> Dataset:
    """The end of the training set takes the place of the test set."""
    x, y = dataset.x_train, dataset.y_train
    kept = len(x) - max(1, len(x) // _HELD_OUT)
    places = None if dataset.places is None else dataset.places[:kept]
    dataset = replace(dataset, x_train=x[:kept], y_train=y[:kept], places=places)
    return replace(dataset, x_test=x[kept:], y_test=y[kept:])
