"""The facts that the checks of plausibility look at, from data, model and training."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.activations import FACTS
from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.frontend.data import Dataset
from tpsgd_edge.frontend.scaling import evenly
from tpsgd_edge.memory import state_layout
from tpsgd_edge.quantize import QuantizedModel, quantize_inputs
from tpsgd_edge.quantize.model import IntegerNumbers, limits
from tpsgd_edge.stages.doubts import ENOUGH_OF_A_CLASS, Doubt, Facts, doubts
from tpsgd_edge.stages.linear_baseline import linear_score
from tpsgd_edge.stages.preparation import Prepared
from tpsgd_edge.stages.training import Score, Training, metric_of, score

# An input with so many values or less in its type, and several times as many in the data, is lost.
_STEPS_LEFT, _SEVERAL = 8, 4
_MOST_INPUTS = 512


def data_doubts(prepared: Prepared) -> tuple[Doubt, ...]:
    """Run the checks that need no training."""
    return doubts(data_facts(prepared.model, prepared.dataset, prepared.spec.data.scaling))


def training_doubts(
    prepared: Prepared, training: Training, baselines: Mapping[str, float]
) -> tuple[Doubt, ...]:
    """Run the checks on a training; `baselines` holds the scores of the nets to compare with."""
    random_hidden = next(iter(baselines.items()), None)
    return doubts(training_facts(prepared, training, random_hidden))


def data_facts(model: QuantizedModel, dataset: Dataset, scaling: str = "") -> Facts:
    """Collect the facts about the data and their scale alone; `scaling` is the spec's."""
    facts = replace(_input_facts(model, dataset.x_train), scaling=scaling)
    if dataset.labels.kind == "class" and len(dataset.y_test) and not model.detectors:
        facts = replace(facts, **_set_facts(dataset))
    return facts


def training_facts(
    prepared: Prepared, training: Training, random_hidden: tuple[str, float] | None
) -> Facts:
    """All that a training tells.

    Args:
        random_hidden: name and score of the same net whose hidden layers did not learn.
    """
    model, dataset = prepared.model, prepared.dataset
    last, facts = training.scores[-1], data_facts(model, dataset, prepared.spec.data.scaling)
    if not np.isfinite(last.value):
        return facts
    return replace(
        facts,
        metric=metric_of(model),
        tests=int(np.prod(dataset.y_test.shape[: 2 if model.labels.each_step else 1])),
        score=last.value,
        scores=tuple(score.value for score in training.scores),
        random_hidden=random_hidden,
        # Where a layer keeps what it came with, the answers are bound to that.
        linear=_linear_score(model, dataset),
        clipped_outputs=clipped_outputs(model, training.outputs),
        weights_at_limits=weights_at_limits(model, training.state),
        **_answer_facts(last, dataset.class_names),
    )


def _linear_score(model: QuantizedModel, dataset: Dataset) -> tuple[str, float] | None:
    """Name and score of a linear model, where the net could do as well."""
    is_free = model.trainable == model.weighted and not model.detectors
    return linear_score(dataset) if is_free else None


def learned_facts(model: QuantizedModel, dataset: Dataset, outputs: Array, state: bytes) -> Facts:
    """Collect facts from outputs (n, n_out) for the training set, if there is no test set."""
    last = score(model, outputs, dataset.y_train)
    facts = replace(
        data_facts(model, dataset),
        seen="the training set",
        metric=metric_of(model),
        clipped_outputs=clipped_outputs(model, outputs),
        weights_at_limits=weights_at_limits(model, state),
    )
    if not np.isfinite(last.value):
        return facts
    itself = replace(dataset, x_test=dataset.x_train, y_test=dataset.y_train)
    return replace(
        facts,
        score=last.value,
        linear=linear_score(itself),
        **_answer_facts(last, dataset.class_names),
    )


def some_of(dataset: Dataset) -> Dataset:
    """The data set with training samples that stand for all, where there are many."""
    chosen = evenly(len(dataset.x_train))
    return replace(dataset, x_train=dataset.x_train[chosen], y_train=dataset.y_train[chosen])


def clipped_outputs(model: QuantizedModel, outputs: Array) -> float:
    """Share of the outputs (n, ..., n_out) whose largest entry stands at the end of its range."""
    last = model.last
    if model.output_type == "f32" or FACTS[last.activation].is_bounded or not outputs.size:
        return 0.0
    low, high = limits(model.output_type)
    rows = outputs.reshape(-1, model.n_out)
    clipped = (rows >= high).any(axis=1)
    if model.labels.kind == "vector" and last.activation == "linear":
        clipped |= (rows <= low).any(axis=1)
    return float(clipped.mean())


def weights_at_limits(model: QuantizedModel, state: bytes) -> tuple[tuple[str, float], ...]:
    """The share of each layer's weights at the ends of their range; none in f32."""
    tensors = state_layout(model).read(state)
    shares = []
    for layer in model.trainable:
        if isinstance(layer.numbers, IntegerNumbers):
            w, limit = tensors[f"{layer.name}.w"].astype(np.int64), 1 << layer.numbers.weight_bits
            shares.append((layer.name, float(np.mean((w <= -limit) | (w >= limit - 1)))))
    return tuple(shares)


def largest_class(y: Array, names: tuple[str, ...]) -> tuple[float, str]:
    """Share and name of the class that is most frequent among labels y (n,) or (n, steps)."""
    counts = np.bincount(y.ravel())
    most = int(counts.argmax())
    return float(counts[most] / counts.sum()), _name(names, most)


def _input_facts(model: QuantizedModel, x_train: Array) -> Facts:
    if model.value_type == "f32":
        return Facts()
    x = x_train[evenly(len(x_train))]
    columns = slice(None, None, max(1, x.shape[1] // _MOST_INPUTS))
    low, high = limits(model.value_type)
    inputs = quantize_inputs(model, x)
    real = (x - model.inputs.mean) / model.inputs.std / model.inputs.scale
    kept = _distinct(inputs[:, columns])
    values = _distinct(x[:, columns])
    lost = (kept <= _STEPS_LEFT) & (values >= _SEVERAL * kept) & (values > _STEPS_LEFT)
    return Facts(
        inputs=int((values > 1).sum()),
        lost_inputs=int(lost.sum()),
        steps_left=int(kept[lost].max(initial=0)),
        steps=high - low + 1,
        clipped_inputs=float(np.mean((real < low - 1) | (real > high + 1))),
    )


def _distinct(values: Array) -> NDArray[np.intp]:
    """Count the distinct values of each column of `values` (n, columns); shape (columns,)."""
    # Narrow integers are sorted by their digits, which is quicker, if that is asked for.
    kind: Literal["stable"] | None = "stable" if values.itemsize <= 2 else None
    in_order = np.sort(np.ascontiguousarray(values.T), axis=1, kind=kind)
    return np.asarray((in_order[:, 1:] != in_order[:, :-1]).sum(axis=1) + 1)


def _set_facts(dataset: Dataset) -> dict[str, Any]:
    train, test = dataset.y_train.ravel(), dataset.y_test.ravel()
    count = dataset.labels.count
    shares = (np.bincount(y, minlength=count) / max(1, len(y)) for y in (train, test))
    names = (_name(dataset.class_names, index) for index in range(count))
    return {
        "class_shares": tuple(
            (name, float(a), float(b)) for name, a, b in zip(names, *shares, strict=True)
        ),
        "set_sizes": (len(train), len(test)),
    }


def _answer_facts(last: Score, names: tuple[str, ...]) -> dict[str, Any]:
    if last.confusion is None:
        return {}
    wanted, answered = last.confusion.sum(axis=1), last.confusion.sum(axis=0)
    most = int(wanted.argmax())
    silent = np.flatnonzero((wanted >= ENOUGH_OF_A_CLASS) & (answered == 0))
    return {
        "largest": (float(wanted[most] / wanted.sum()), _name(names, most)),
        "never_answered": tuple(_name(names, int(index)) for index in silent),
    }


def _name(names: tuple[str, ...], index: int) -> str:
    return names[index] if index < len(names) else str(index)
