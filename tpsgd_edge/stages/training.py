"""Training runs with the generated code: epochs, learning curve, scores."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.frontend.anomaly import ANOMALY
from tpsgd_edge.frontend.data import Dataset
from tpsgd_edge.frontend.split import epoch_order
from tpsgd_edge.quantize import QuantizedModel, quantize_inputs, quantize_labels
from tpsgd_edge.quantize.model import (
    QuantizedWeighted,
)
from tpsgd_edge.quantize.samples import read_outputs
from tpsgd_edge.stages.detection import auroc
from tpsgd_edge.toolchain.device import Device

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Samples:
    """A data set in the formats of a model; `y_test` stays as the data set has it.

    `source_domain` is the one of the source domain, where it is another one.
    """

    x: Array
    labels: Array
    x_test: Array
    y_test: Array
    source_domain: "Samples | None" = None


@dataclass(frozen=True, slots=True)
class Score:
    """Score of outputs against labels.

    `value` is the share of right answers, R^2, or of a detector AUROC; `confusion` (K, K) has true
    classes in rows.
    """

    value: float
    confusion: NDArray[np.int64] | None


@dataclass(frozen=True, slots=True)
class Training:
    """Result of a training run: scores on the test set before the first and after each epoch.

    `seen` says before each score how many samples there were.
    `state` is a copy of the state struct at the end, `outputs` are those for the test set then.
    `source_scores` are those on the test set of the source domain, before the
    first and after the last epoch; empty where it comes from no other.
    """

    scores: tuple[Score, ...]
    seconds: float
    steps: int
    state: bytes
    source_scores: tuple[Score, ...] = ()
    seen: tuple[int, ...] = ()
    outputs: Array = field(default_factory=lambda: np.zeros(0))


def quantize_samples(model: QuantizedModel, dataset: Dataset) -> Samples:
    """The data set as the model takes it."""
    return Samples(
        quantize_inputs(model, dataset.x_train),
        quantize_labels(model, dataset.y_train),
        quantize_inputs(model, dataset.x_test),
        dataset.y_test,
        None
        if dataset.source_domain is None
        else quantize_samples(model, _tests_of(dataset.source_domain)),
    )


def _tests_of(dataset: Dataset) -> Dataset:
    """Nobody trains on it again."""
    return replace(dataset, x_train=dataset.x_train[:0], y_train=dataset.y_train[:0])


def train(
    device: Device,
    model: QuantizedModel,
    samples: Samples,
    *,
    epochs: int,
    progress: Progress,
    stage: str = "training",
    begin: bytes | None = None,
    stretches: Sequence[NDArray[np.intp]] | None = None,
) -> Training:
    """Train for whole epochs, in an order drawn from the seed.

    Args:
        stretches: indices (n,) of samples that are trained on instead, a score after each part.
        begin: the state struct to begin with; the initial state where not given.
    """
    device.init()
    if begin is not None:
        device.load_state(begin)
    outputs = device.outputs(samples.x_test)
    scores = [score(model, outputs, samples.y_test)]
    source_domain = (
        [] if samples.source_domain is None else [_score_on(device, model, samples.source_domain)]
    )
    seconds = 0.0
    count = len(samples.x)
    if stretches is None:
        stretches = [epoch_order(model.seed, epoch, count) for epoch in range(epochs)]
    for part, order in enumerate(stretches):
        progress(stage, part, len(stretches))
        start = time.perf_counter()
        device.train(samples.x, samples.labels, order=order)
        seconds += time.perf_counter() - start
        outputs = device.outputs(samples.x_test)
        scores.append(score(model, outputs, samples.y_test))
    progress(stage, len(stretches), len(stretches))
    if samples.source_domain is not None:
        source_domain.append(_score_on(device, model, samples.source_domain))
    steps, state = sum(map(len, stretches)), device.state()
    seen = tuple(np.cumsum([0, *map(len, stretches)]).tolist())
    return Training(tuple(scores), seconds, steps, state, tuple(source_domain), seen, outputs)


def _score_on(device: Device, model: QuantizedModel, samples: Samples) -> Score:
    return score(model, device.outputs(samples.x_test), samples.y_test)


def score(model: QuantizedModel, outputs: Array, y: Array) -> Score:
    """Score outputs of the model, shape (n, n_out), against labels of the data set.

    Where each step has a label, every step counts: outputs (n, T, n_out).
    """
    if model.labels.kind == "class":
        predicted = outputs.argmax(axis=-1).ravel()
        y = np.ravel(y)
        count = model.labels.count
        pairs = np.asarray(y, np.int64) * count + predicted
        confusion = np.bincount(pairs, minlength=count * count).reshape(count, count)
        if model.detectors:
            return Score(auroc(outputs[:, ANOMALY], y), confusion)
        return Score(float(np.mean(predicted == y)) if len(y) else float("nan"), confusion)
    predicted_values = read_outputs(model, outputs).reshape(-1, model.n_out)
    values = np.asarray(y, np.float64).reshape(predicted_values.shape)
    residual = ((values - predicted_values) ** 2).sum()
    spread = ((values - values.mean(axis=0)) ** 2).sum()
    return Score(float(1 - residual / spread) if spread > 0 else float("nan"), None)


def metric_of(model: QuantizedModel) -> Literal["accuracy", "r2", "auroc"]:
    """Name the metric of a model's scores."""
    if model.detectors:
        return "auroc"
    return "accuracy" if model.labels.kind == "class" else "r2"


def with_frozen_hidden_layers(model: QuantizedModel) -> QuantizedModel:
    """The same model with a learning rate of 0 in all hidden layers.

    They stay at random while the last layer learns: the distance to them is what hidden
    layers learn.
    """
    *hidden, last = model.layers
    still = (layer.with_units(tuple(map(_still, layer.units))) for layer in hidden)
    return replace(model, layers=(*still, last))


def _still(layer: QuantizedWeighted) -> QuantizedWeighted:
    return replace(layer, learning=replace(layer.learning, steps=layer.learning.steps.still))
