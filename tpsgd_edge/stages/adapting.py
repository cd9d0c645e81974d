"""Trials of ways to adapt a net that has learned before."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.data import NO_NOTES, DataNotes, Dataset, load_dataset
from tpsgd_edge.frontend.defaults import with_defaults
from tpsgd_edge.frontend.imports.source import with_source
from tpsgd_edge.frontend.split import epoch_order
from tpsgd_edge.graph import Graph
from tpsgd_edge.memory import MemoryPlan
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.spec import (
    AdaptorSpec,
    LayerSpec,
    Spec,
    WeightedSpec,
    check_device_can,
    finds_anomalies,
    past_adaptors,
)
from tpsgd_edge.stages.facts import largest_class
from tpsgd_edge.stages.preparation import (
    Prepared,
    prepare,
    trained_graph,
)
from tpsgd_edge.stages.running import on_host
from tpsgd_edge.stages.strategies import Strategy, own_layers, strategies_of
from tpsgd_edge.stages.training import Progress, score
from tpsgd_edge.toolchain.device import Device
from tpsgd_edge.toolchain.scratch import scratch_folder


def save_weights(graph: Graph, path: Path) -> None:
    """The weights of a net as `model.weights_file` reads them."""
    arrays: dict[str, Any] = {}
    for name, weights in graph.weights.items():
        arrays |= {f"{name}.w": weights.w, f"{name}.b": weights.b}
    np.savez(path, **arrays)


def spec_of(spec: Spec, strategy: Strategy, weights: Path) -> Spec:
    """The spec of a net that adapts by this strategy, from the weights in a file."""
    layers = layers_of(spec, strategy)
    origins: dict[str, Any] = {"source": None, "settings": {}, "adaptors": (), "pretrain": None}
    model = spec.model.model_copy(
        update={"layers": layers, **origins, "weights_file": str(weights.resolve())}
    )
    rule = spec.rule.model_copy(
        update={
            "kind": "backprop" if strategy.targets == "backprop" else "tpsgd",
            "learning_rate": strategy.rate,
            "output_learning_rate": None,
            "loss": None,
        }
    )
    return spec.model_copy(update={"model": model, "rule": rule})


def layers_of(spec: Spec, strategy: Strategy) -> tuple[LayerSpec, ...]:
    """The layers of a net that adapts by this strategy."""
    layers: list[LayerSpec] = []
    edges, before = spec.model.edges, _before_adaptors(spec)
    called = {name: f"{name}_adaptor" for name in strategy.adaptors}
    for key, layer in zip(spec.model.keys, spec.model.layers, strict=True):
        if isinstance(layer, AdaptorSpec):
            continue
        weighted = layer.weighted
        own = layer if weighted is None else _with_training_flags(weighted, strategy)
        if layer.reads is not None:
            inputs = [before.get(value, value) for value in edges.inputs_of(key)]
            own = own.model_copy(update={"reads": past_adaptors(inputs, called)})
        layers.append(own)
        if layer.name in strategy.adaptors:
            name = f"{layer.name}_adaptor"
            layers.append(AdaptorSpec(kind="adaptor", name=name, projection=_projection(strategy)))
    return tuple(layers)


def _before_adaptors(spec: Spec) -> dict[str, str]:
    """Adaptors that a spec has, and the values that they read."""
    edges, before = spec.model.edges, dict[str, str]()
    for key, layer in zip(spec.model.keys, spec.model.layers, strict=True):
        if isinstance(layer, AdaptorSpec):
            value = edges.input_of(key)
            before[key] = before.get(value, value)
    return before


def training_ram(plan: MemoryPlan) -> int:
    """Bytes of RAM that training takes, without the stack: state, arena, stream."""
    return plan.state.size + plan.training.size + sum(b.n_bytes for b in plan.stream)


def learn(device: Device, prepared: Prepared, x: Array, y: Array, *, epochs: int) -> None:
    """Train from the initial state for whole epochs on x (n, n_in) and labels y (n, ...)."""
    model = prepared.model
    inputs, labels = quantize_inputs(model, x), quantize_labels(model, y)
    device.init()
    for epoch in range(epochs):
        device.train(inputs, labels, order=epoch_order(model.seed, epoch, len(inputs)))


def score_on(device: Device, prepared: Prepared, x: Array, y: Array) -> float:
    """Score the device's answers to samples x (n, n_in) with labels y (n, ...)."""
    model = prepared.model
    return score(model, device.outputs(quantize_inputs(model, x)), y).value


def cross_validated(
    device: Device, prepared: Prepared, dataset: Dataset, *, epochs: int, folds: int
) -> float:
    """The metric on samples of the training set that were left out of training, each of them once.

    Mean over the folds.
    """
    scores = []
    for fold in range(folds):
        left_out = np.arange(len(dataset.x_train)) % folds == fold
        learn(
            device, prepared, dataset.x_train[~left_out], dataset.y_train[~left_out], epochs=epochs
        )
        scores.append(
            score_on(device, prepared, dataset.x_train[left_out], dataset.y_train[left_out])
        )
    return float(np.mean(scores))


def _projection(strategy: Strategy) -> Literal["prototype", "random", "fitted"] | None:
    return None if strategy.targets == "backprop" else strategy.targets


def _with_training_flags(layer: WeightedSpec, strategy: Strategy) -> Any:
    trains, is_passed = layer.name in strategy.trains, layer.name in strategy.passed
    has_target = trains and not is_passed and layer.name != strategy.trains[-1]
    own: dict[str, Any] = {
        "train": trains,
        "learning_rate": None,
        "loss": None,
        "projection": _projection(strategy) if has_target else None,
        "error": "passed" if is_passed else "own",
    }
    return layer.model_copy(update=own)


@dataclass(frozen=True, slots=True)
class Trial:
    """Result of trying one strategy.

    Attributes:
        ram: bytes that training takes, without the stack.
        score: on samples that were left out of training.
        source_domain: score there after learning all samples; None if there is none.
        refused: why it was not tried; then there are no scores.
    """

    strategy: Strategy
    ram: int | None = None
    score: float = math.nan
    source_domain: float | None = None
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Trials:
    """All trials, the scores of the net as it came, and share and name of a class."""

    spec: Spec
    samples: int
    before: float
    source_before: float | None
    trials: tuple[Trial, ...]
    data: DataNotes = NO_NOTES
    largest: tuple[float, str] = (0.0, "")


def try_strategies(spec: Spec, rates: Sequence[float], folds: int, progress: Progress) -> Trials:
    """Adapt the net of a spec by each strategy to samples of its training set.

    Raises:
        TpsgdError: the net has not learned before, or has no classes to learn.
    """
    check_device_can(spec)
    if finds_anomalies(spec.model):
        raise SpecError(
            "a detector needs no strategy: it learns whatever is normal where it is",
            where=f"{spec.source}, [model], layer '{spec.model.layers[-1].name}'",
            help="simulate tells how well it does on the samples of the spec",
        )
    if not spec.model.has_first_weights:
        raise SpecError(
            "there is nothing to adapt yet: the net has not learned anything",
            where=f"{spec.source}, [model]",
            found="initial weights that are drawn from the seed",
            help="give model.source, model.weights_file or [model.pretrain]",
        )
    spec = with_source(spec)
    dataset = load_dataset(spec)
    spec, dataset = with_defaults(spec, dataset)
    if dataset.labels.kind == "vector" or len(dataset.x_train) < folds:
        raise SpecError(
            "adapt chooses by right answers: it needs classes, and a few samples",
            where=f"{spec.source}, [data]",
            found=f"{len(dataset.x_train)} samples, labels: {dataset.labels.kind}",
        )
    with scratch_folder() as folder:
        weights = folder / "net.npz"
        save_weights(trained_graph(spec, dataset), weights)
        before = _before(
            spec_of(spec, Strategy(_last(spec), "prototype", rates[0]), weights), dataset
        )
        strategies = strategies_of(spec, rates)
        trials = []
        for done, strategy in enumerate(strategies):
            progress("adapting", done, len(strategies))
            trials.append(_try(spec, strategy, weights, dataset, folds))
        progress("adapting", len(strategies), len(strategies))
    largest = largest_class(dataset.y_train, dataset.class_names)
    return Trials(spec, len(dataset.x_train), *before, tuple(trials), dataset.said, largest)


def _before(spec: Spec, dataset: Dataset) -> tuple[float, float | None]:
    prepared = prepare(spec, dataset)
    with on_host(prepared) as device:
        here = score_on(device, prepared, dataset.x_train, dataset.y_train)
        return here, _source_score(device, prepared, dataset)


def _try(spec: Spec, strategy: Strategy, weights: Path, dataset: Dataset, folds: int) -> Trial:
    try:
        prepared = prepare(spec_of(spec, strategy, weights), dataset)
    except SpecError as error:
        return Trial(strategy, refused=str(error))
    ram, budget = training_ram(prepared.plan), spec.platform.ram_bytes
    if budget is not None and ram > budget:
        return Trial(strategy, ram, refused="over the RAM budget")
    epochs = spec.rule.passes
    with on_host(prepared) as device:
        here = cross_validated(device, prepared, dataset, epochs=epochs, folds=folds)
        if dataset.source_domain is None:
            return Trial(strategy, ram, here)
        learn(device, prepared, dataset.x_train, dataset.y_train, epochs=epochs)
        return Trial(strategy, ram, here, _source_score(device, prepared, dataset))


def _source_score(device: Device, prepared: Prepared, dataset: Dataset) -> float | None:
    if dataset.source_domain is None:
        return None
    return score_on(device, prepared, dataset.source_domain.x_test, dataset.source_domain.y_test)


def _last(spec: Spec) -> tuple[str, ...]:
    return (own_layers(spec)[-1].name,)
