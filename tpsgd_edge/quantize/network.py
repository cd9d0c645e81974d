"""One model, from real numbers to the integers that the device will see."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.activations import FACTS
from tpsgd_edge.arithmetic.quantile import quantiles
from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.data import Dataset, label_scaling
from tpsgd_edge.frontend.network import dataset_scaling
from tpsgd_edge.frontend.scaling import some_samples
from tpsgd_edge.graph import (
    SAMPLE,
    Graph,
    Layer,
    Learning,
    Pool,
    WeightedLayer,
    is_adaptor,
)
from tpsgd_edge.graph.forward import forward
from tpsgd_edge.graph.initial_weights import initial_bound
from tpsgd_edge.quantize.backprop import with_passed_errors
from tpsgd_edge.quantize.binary32 import check_binary32
from tpsgd_edge.quantize.carried import first_totals
from tpsgd_edge.quantize.context import DenseContext
from tpsgd_edge.quantize.dense import quantize_conv2d, quantize_dense
from tpsgd_edge.quantize.detector import quantize_detector
from tpsgd_edge.quantize.error_reach import SAMPLES as ERROR_SAMPLES
from tpsgd_edge.quantize.error_reach import error_reach
from tpsgd_edge.quantize.head_errors import Head
from tpsgd_edge.quantize.joins import quantize_add, quantize_concat
from tpsgd_edge.quantize.last_layer import logit_shift, widened
from tpsgd_edge.quantize.memory import quantize_memory
from tpsgd_edge.quantize.model import (
    InputScaling,
    LabelFormat,
    QuantizedLayer,
    QuantizedModel,
    QuantizedPool,
    ValueType,
)
from tpsgd_edge.quantize.norm import quantize_norm
from tpsgd_edge.quantize.recurrent import quantize_gru, quantize_lstm, quantize_rnn
from tpsgd_edge.quantize.replay import Replay, replay_of
from tpsgd_edge.quantize.scales import (
    INPUT_MAX,
    input_scale,
    power_of_two_above,
    recurrent_input_scale,
)
from tpsgd_edge.quantize.schedule import make_schedule
from tpsgd_edge.spec import LabelsKind, Spec, carries_scores, error_gate


def quantize(spec: Spec, graph: Graph, dataset: Dataset) -> QuantizedModel:
    """The quantized model.

    Raises:
        SpecError: formats or numbers that cannot be proved safe, a learning rate out of the
            integers' reach, or a layer that could never be anything but 0.
    """
    _check_says_something(graph)
    value_type: ValueType = "f32" if spec.numbers.weights == "f32" else spec.numbers.activations
    mean, std = dataset_scaling(spec, dataset)
    calibration = some_samples(dataset.first.x_train, (mean, std))
    full_scales, shift = _full_scales(spec, graph, dataset, calibration, value_type)
    is_carried = carries_scores(spec, graph.labels.kind)
    if is_carried and value_type != "f32":
        shift = max(shift, logit_shift(graph, first_totals(spec, graph, calibration)))
    scale = input_scale(calibration, value_type)
    if graph.layers[0].kind == "rnn" and value_type != "f32":
        scale = recurrent_input_scale(scale, full_scales[0], value_type)
    inputs = InputScaling(mean, std, scale, dataset.raw)
    labels = _label_format(spec, dataset, full_scales[-1])

    ranges = _Ranges(inputs.scale, tuple(full_scales), labels.scale, shift)
    layers = _quantized_layers(spec, graph, value_type, ranges)
    if graph.blocks:
        heads = _heads(graph, layers, labels.scale)
        layers = with_passed_errors(graph, layers, _error_reach(spec, graph, dataset, heads))
    replay = replay_of(spec, classes=_classes(labels))
    model = QuantizedModel(
        name=spec.name,
        seed=spec.seed,
        value_type=value_type,
        layers=tuple(layers),
        labels=labels,
        inputs=inputs,
        schedule=make_schedule(
            spec.rule, samples=len(dataset.x_train) * _updates_per_sample(graph, replay)
        ),
        gate=_gate(spec, graph.labels.kind, value_type),
        steps=graph.steps,
        learn_every=_learn_every(graph),
        rule=spec.rule.kind,
        scores="carried" if is_carried else "own",
        reads=graph.reads,
        replay=replay,
    )
    if value_type == "f32":
        check_binary32(model)
    return model


@dataclass(frozen=True, slots=True)
class _Ranges:
    """Ranges of values, from data and labels.

    Attributes:
        sample: real value of one unit of the sample.
        full: R of each layer, where it does not follow from what the layer reads.
        label: real value of the largest label.
        logit_shift: of the last layer.
    """

    sample: float
    full: tuple[float, ...]
    label: float
    logit_shift: int


def _quantized_layers(
    spec: Spec, graph: Graph, value_type: ValueType, ranges: _Ranges
) -> list[QuantizedLayer]:
    """The layers in numbers, each with the scales of the values that it reads."""
    layers: list[QuantizedLayer] = []
    edges, scales, offset = graph.edges, {SAMPLE: ranges.sample}, 0
    for index, layer in enumerate(graph.layers):
        x_scales = [scales[value] for value in edges.inputs_of(layer.name)]
        own = layer.weighted
        if own is not None:
            context = _context(spec, graph, index, own.learning, value_type, ranges)
            context = replace(context, x_scale=x_scales[0], unit_offset=offset)
            layers.append(_WEIGHTED[own.kind](own, _of_adaptor(own, context)))
        else:
            make = _UNTRAINED[layer.kind]
            layers.append(make(layer, value_type, x_scales, ranges.full[index]))
        scales[layer.name] = layers[-1].y_scale
        offset += sum(dense.y_count for dense in layers[-1].units if dense.trains)
    return layers


def _context(
    spec: Spec,
    graph: Graph,
    index: int,
    learning: Learning,
    value_type: ValueType,
    ranges: _Ranges,
) -> DenseContext:
    return DenseContext(
        spec=spec,
        graph=graph,
        index=index,
        learning=learning,
        value_type=value_type,
        x_scale=1.0,
        full_scale=ranges.full[index],
        label_scale=ranges.label,
        unit_offset=0,
        logit_shift=ranges.logit_shift,
    )


def _of_adaptor(layer: WeightedLayer, context: DenseContext) -> DenseContext:
    """The context; input and output of an adaptor share one scale."""
    if not is_adaptor(layer) or context.value_type == "f32":
        return context
    return replace(context, full_scale=context.x_scale * INPUT_MAX[context.value_type])


def _check_says_something(graph: Graph) -> None:
    """Refuse a layer that would be 0 for ever: it does not train, and starts at 0."""
    for index, layer in enumerate(graph.layers):
        is_drawn = layer.name in graph.frozen and layer.name not in graph.weights
        if is_drawn and initial_bound(graph, index) == 0:
            raise SpecError(
                f"layer '{layer.name}' would stay at zero: it starts there, and does not train",
                where=f"[model], layer '{layer.name}'",
                found="train = false, and initial weights that no file gives",
                help="remove train = false, or give model.weights_file or [model.pretrain]",
            )


def _heads(graph: Graph, layers: list[QuantizedLayer], label_scale: float) -> dict[str, Head]:
    """The layers that hand their errors down, by name."""
    heads = {block[0] for block in graph.blocks}
    pairs = ((layer.weighted, made) for layer, made in zip(graph.layers, layers, strict=True))
    return {
        own.name: Head(own, made.units[0], label_scale)
        for own, made in pairs
        if own is not None and own.name in heads
    }


def _error_reach(
    spec: Spec, graph: Graph, dataset: Dataset, heads: Mapping[str, Head]
) -> Mapping[str, float]:
    scaling = dataset_scaling(spec, dataset)
    step = max(1, len(dataset.x_train) // ERROR_SAMPLES)
    labels = np.asarray(dataset.y_train)[::step]
    if dataset.labels.kind == "vector":
        mean, std = label_scaling(spec, dataset.y_train)
        labels = (labels - mean) / std
    x = np.asarray((dataset.x_train[::step] - scaling[0]) / scaling[1], np.float64)
    return error_reach(graph, x, labels, spec.seed, heads)


def _classes(labels: LabelFormat) -> int | None:
    """Number of classes, where a sample has one."""
    return labels.count if labels.kind == "class" and not labels.each_step else None


def _updates_per_sample(graph: Graph, replay: Replay | None) -> int:
    """Number of updates that a model makes for one sample, those on kept samples among them."""
    every = 1 if graph.labels.each_step else _learn_every(graph)
    updates = 1 + (graph.steps - 1) // every if every else 1
    return updates * (1 if replay is None else 1 + replay.again)


def _learn_every(graph: Graph) -> int:
    walk = [layer for layer in graph.walk if isinstance(layer, WeightedLayer)]
    trains = any(layer.learning.trainable for layer in walk)
    return graph.learn_every if trains else 0


def _quantize_pool(
    layer: Pool, value_type: ValueType, x_scales: Sequence[float], _full_scale: float
) -> QuantizedPool:
    return QuantizedPool(
        name=layer.name,
        mode=layer.mode,
        x_shape=layer.x_shape,
        y_shape=layer.y_shape,
        kernel=layer.kernel,
        stride=layer.stride,
        padding=layer.padding,
        x_type=value_type,
        x_scale=x_scales[0],
    )


# Layers in numbers, by kind: those with weights from their context; others from the type and the
# scales of what they read, and from R.
_WEIGHTED: Mapping[str, Callable[[Any, DenseContext], QuantizedLayer]] = {
    "dense": quantize_dense,
    "conv2d": quantize_conv2d,
    "rnn": quantize_rnn,
    "gru": quantize_gru,
    "lstm": quantize_lstm,
    "detector": quantize_detector,
}
_UNTRAINED: Mapping[str, Callable[[Any, ValueType, Sequence[float], float], QuantizedLayer]] = {
    "max_pool": _quantize_pool,
    "average_pool": _quantize_pool,
    "memory": quantize_memory,
    "norm": quantize_norm,
    "add": quantize_add,
    "concat": quantize_concat,
}
# Kinds whose outputs have the scale of what they read.
_OF_ITS_INPUT = {"max_pool", "average_pool", "concat", "memory"}


def _full_scales(
    spec: Spec,
    graph: Graph,
    dataset: Dataset,
    calibration: NDArray[np.float64],
    value_type: ValueType,
) -> tuple[list[float], int]:
    """R of each layer: 1 where the activation is bounded, else from the range of the samples.

    With it comes the logit_shift of the last one.
    """
    scales: list[float] = []
    shift = 0
    outputs = enumerate(forward(graph, calibration, spec.seed))
    for index, layer in enumerate(graph.layers):
        if layer.kind in _OF_ITS_INPUT or is_adaptor(layer):
            scales.append(1.0)  # not used: it has the scale of its input, or one of its own
        elif layer.kind == "detector":
            scales.append(_length(graph, index, calibration, spec.seed))
        elif FACTS[layer.activation].is_bounded or value_type == "f32":
            scales.append(1.0)
        elif layer is graph.layers[-1]:
            y = next(y for at, y in outputs if at == index)
            scales.append(widened(graph, y, _label_reach(spec, dataset)))
            shift = logit_shift(graph, y)
        else:
            y = next(y for at, y in outputs if at == index)
            scale = _full_scale(_reach(layer, y, value_type), _growth(graph, index))
            scales.append(_below_ceiling(scale, layer.activation))
    return scales, shift


def _length(graph: Graph, index: int, calibration: NDArray[np.float64], seed: int) -> float:
    """R of a detector's units: no row of theirs becomes longer than 1 for long."""
    (value,) = graph.edges.inputs_of(graph.layers[index].name)
    made = forward(graph, calibration, seed)
    x = calibration
    if value != SAMPLE:
        place = graph.edges.names.index(value)
        x = next(y for at, y in enumerate(made) if at == place)
    longest = float(np.sqrt(np.square(x).sum(axis=1)).max())
    return power_of_two_above(max(longest, 2.0**-8))


def _below_ceiling(scale: float, activation: str) -> float:
    """The scale, or that of the largest output of the activation, if that is smaller."""
    facts = FACTS[activation]
    return min(scale, power_of_two_above(facts.ceiling)) if facts.has_ceiling else scale


def _reach(layer: Layer, y: NDArray[np.float64], value_type: ValueType) -> NDArray[np.float64]:
    """Magnitudes (n, values) that y must hold; for leaky_relu in s16 also z (section 4)."""
    if layer.activation == "leaky_relu" and value_type == "s16":
        y = np.where(y < 0, y / layer.numbers[0], y)
    return np.abs(y)


def _full_scale(y: NDArray[np.float64], growth: float) -> float:
    """R for outputs of these magnitudes, which may become so many times as large."""
    most, nearly_all = quantiles(y, 0.999, 0.9999)
    return power_of_two_above(max(growth * most, nearly_all, 2.0**-8))


def _growth(graph: Graph, index: int) -> float:
    """Factor by which outputs may grow while this layer and those before it learn.

    Four times from drawn initial weights, half as much again from weights that were trained before;
    what is normalized does not grow.
    """
    before = graph.edges.up_to(graph.layers[index].name)
    up_to = {la.name for la in graph.weighted} & before
    if graph.frozen.issuperset(up_to) or graph.layers[index].kind == "norm":
        return 1.0
    return 1.5 if graph.weights.keys() >= up_to else 4.0


def _label_reach(spec: Spec, dataset: Dataset) -> float:
    """R of a last layer whose outputs are compared with labels: a power of two that holds them."""
    if dataset.labels.kind == "class":
        return 2.0
    y = dataset.first.y_train
    mean, std = label_scaling(spec, y)
    largest = float(np.abs((np.asarray(y, np.float64) - mean) / std).max())
    return power_of_two_above(1.25 * max(largest, 2.0**-8))


def _label_format(spec: Spec, dataset: Dataset, scale: float) -> LabelFormat:
    labels = dataset.labels
    if labels.kind == "class":
        one = np.ones(1)
        names, extra = dataset.class_names, spec.model.extra_classes
        return LabelFormat("class", labels.count, 1.0, 0 * one, one, labels.each_step, names, extra)
    mean, std = label_scaling(spec, dataset.first.y_train)
    return LabelFormat("vector", labels.count, scale, mean, std, labels.each_step)


def _gate(spec: Spec, labels: LabelsKind, value_type: ValueType) -> int | float | None:
    gate = error_gate(spec, labels)
    if gate is None or value_type == "f32":
        return gate if gate is None else float(np.float32(gate))
    return round(gate * 2**15)
