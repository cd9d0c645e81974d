"""The layers of a spec as a `Graph`."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tpsgd_edge.arithmetic.expression import compile_expression
from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.data import Dataset
from tpsgd_edge.frontend.imports.source import source_weights
from tpsgd_edge.frontend.imports.steps import step_of
from tpsgd_edge.frontend.kinds import make_layer
from tpsgd_edge.frontend.layout import by, places_of_vector
from tpsgd_edge.frontend.learning import learning_of
from tpsgd_edge.frontend.scaling import Scaling, input_scaling, label_scaling, some_samples
from tpsgd_edge.frontend.walk import check_step_labels, learning_period, walked, with_measures
from tpsgd_edge.frontend.weights_file import file_weights
from tpsgd_edge.graph import (
    Block,
    Conv2d,
    Graph,
    Layer,
    Pool,
    Shape,
    Weights,
    blocks_of,
    seen_through,
    walk_of,
)
from tpsgd_edge.spec import (
    KEEPING,
    SAMPLE,
    AdaptorSpec,
    AddSpec,
    ConcatSpec,
    Conv1dSpec,
    ConvSpec,
    DenseSpec,
    Edges,
    FlattenSpec,
    LabelsKind,
    NormSpec,
    Spec,
    check_labels_kind,
    layer_activation,
    walk_keys,
)


def build_graph(spec: Spec, dataset: Dataset) -> Graph:
    """The network of a spec for the samples and labels of a data set, with the weights of its file.

    It is the net as it was trained, without the units of extra classes.

    Raises:
        SpecError: layers that do not fit the samples, each other or the labels, losses that do not,
            or no expression of r.
        DataError: weights that are missing, malformed or do not fit.
    """
    check_labels_kind(spec, dataset.labels.kind)
    shape = sample_shape(spec, dataset.input_shape)
    layers = graph_layers(spec, dataset)
    _check_expressions(spec, layers)
    is_sequence, each_step = bool(walk_of(layers)), dataset.labels.each_step
    steps = shape[1] if is_sequence else 1
    learn_every = learning_period(spec, layers) if is_sequence and not each_step else 0
    # What the net knows; `with_extra_classes` makes the room for more.
    known = replace(dataset.labels, count=dataset.labels.count - spec.model.extra_classes)
    reads = _reads(spec)
    graph = Graph(spec.name, layers, known, {}, steps, learn_every, reads=reads)
    if spec.model.source is not None:
        return replace(graph, weights=_source_weights(spec, graph, dataset))
    if spec.model.weights_file is None:
        return graph
    return replace(graph, weights=file_weights(spec, graph))


def _check_expressions(spec: Spec, layers: tuple[Layer, ...]) -> None:
    for layer in layers:
        loss = None if layer.weighted is None else layer.weighted.learning.loss
        if loss is not None and loss.expression is not None:
            where = f"{spec.source}, loss of layer '{layer.name}'"
            compile_expression(loss.expression, where=where)


def graph_layers(spec: Spec, dataset: Dataset) -> tuple[Layer, ...]:
    """The layers of a spec for samples and labels of a data set, with how each of them learns.

    Raises:
        SpecError: layers that do not fit the samples or each other.
    """
    shape, labels = sample_shape(spec, dataset.input_shape), dataset.labels
    layers = _layers(spec, shape, labels.kind)
    if labels.each_step:
        check_step_labels(spec)
    if layers[0].kind != "memory":
        return layers
    samples = some_samples(dataset.first.x_train, dataset_scaling(spec, dataset))
    return tuple(with_measures(layers, samples, shape[1], each_step=labels.each_step))


def dataset_scaling(spec: Spec, dataset: Dataset) -> Scaling:
    """Mean and std of the inputs, as `input_scaling` gives them for the samples' shape."""
    channels = sample_shape(spec, dataset.input_shape)[2]
    mean, std = input_scaling(spec, dataset.first.x_train, channels)
    source = spec.data.net_input
    if source is None or (source.scale, source.shift) == ((1.0,), (0.0,)):
        return mean, std
    # What the net makes of its samples first, before the layer that cannot take it in.
    scale, shift = np.array(source.scale), np.array(source.shift)
    return mean - shift * std / scale, std / scale


def sample_shape(spec: Spec, shape: tuple[int, ...]) -> Shape:
    """Samples of `shape` as maps (height, width, channels).

    What `data.input_shape` says; else images (h, w) have one channel, and vectors are 1 x 1. Where
    the first layer on maps is a conv1d, a memory or recurrent, samples (t,) and (t, c) are
    sequences: 1 x t x c; without such a layer, where channels are normalized, too. So are the
    features of a signal before a dense layer.

    Raises:
        SpecError: an input shape that does not hold as many values as a sample.
    """
    asked, count = spec.data.input_shape, math.prod(shape)
    if asked is not None:
        if math.prod(asked) != count:
            raise SpecError(
                "data.input_shape does not fit the samples",
                where="[data], input_shape",
                found=f"{by(asked)} = {math.prod(asked):,} values; samples of {by(shape)} have "
                f"{count:,}",
            )
        return asked
    anywhere = DenseSpec | FlattenSpec | AdaptorSpec | AddSpec | ConcatSpec | NormSpec
    on_maps = [la for la in spec.model.layers if not isinstance(la, anywhere)]
    along_time = any(isinstance(la, NormSpec) and la.over == "channels" for la in spec.model.layers)
    if on_maps:
        along_time = on_maps[0].kind in KEEPING or isinstance(on_maps[0], Conv1dSpec)
    # Windows of a signal follow each other, unless a net looks at them as at an image.
    along_time = along_time or (spec.features is not None and not on_maps)
    if along_time and len(shape) < 3:
        return (1, shape[0], math.prod(shape[1:]))
    if len(shape) == 2:
        return (shape[0], shape[1], 1)
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else (1, 1, count)


def _layers(spec: Spec, shape: Shape, labels: LabelsKind) -> tuple[Layer, ...]:
    edges, walk, shapes = spec.model.edges, walk_keys(spec.model), {SAMPLE: shape}
    layers: list[Layer] = []
    for index, (key, layer) in enumerate(zip(spec.model.keys, spec.model.layers, strict=True)):
        activation = "" if layer.weighted is None else layer_activation(spec, index)
        inputs = [shapes[value] for value in edges.inputs_of(key)]
        steps = inputs[0][1]
        if key in walk and isinstance(layer, DenseSpec):
            inputs = [(1, 1, inputs[0][2])]
        made = make_layer(layer, key, inputs, activation)
        if made is None:
            shapes[key] = (1, 1, math.prod(inputs[0]))
            continue
        if made.weighted is not None:
            made = replace(made.weighted, learning=learning_of(spec, index, labels))
        shapes[key] = made.y_shape
        if key in walk:
            made, shapes[key] = walked(made, steps, is_last=key == walk[-1])
        layers.append(made)
    return tuple(_seen_by_losses(spec, layers))


def _reads(spec: Spec) -> dict[str, tuple[str, ...]]:
    """Values that each layer of the graph reads, past flatten layers, which the graph has not."""
    edges, model = spec.model.edges, spec.model
    pairs = list(zip(model.keys, model.layers, strict=True))
    flat = {key: edges.input_of(key) for key, la in pairs if isinstance(la, FlattenSpec)}

    def origin(value: str) -> str:
        return origin(flat[value]) if value in flat else value

    return {key: tuple(map(origin, edges.inputs_of(key))) for key, _ in pairs if key not in flat}


def _seen_by_losses(spec: Spec, layers: list[Layer]) -> Iterator[Layer]:
    """The layers, each convolution with what its error is of.

    It is averages of its map, those behind the max pool that follows it where one does; where
    errors are passed down, each position has one of its own.
    """
    pools = {
        layer.name: layer.target_pool
        for layer in spec.model.layers
        if isinstance(layer, ConvSpec | AdaptorSpec)
    }
    edges = Edges.of([layer.name for layer in layers], _reads(spec))
    blocks, follows = blocks_of(layers, edges), spec.rule.kind == "backprop"
    _check_pools(layers if follows else _passing(layers, blocks), is_baseline=follows)
    lowest = {block[-1] for block in blocks}
    for layer in layers:
        if not isinstance(layer, Conv2d):
            yield layer
        elif follows or layer.learning.is_passed:
            # The lowest one hands nothing down, and so can take errors from behind its max pool.
            behind = _only_reader(layer, edges, layers) if layer.name in lowest else None
            own = seen_through(layer, behind, "position")
            yield own if own.pool else replace(layer, windows=layer.y_shape[:2])
        else:
            yield seen_through(layer, _only_reader(layer, edges, layers), pools[layer.name])


def _passing(layers: list[Layer], blocks: tuple[Block, ...]) -> list[Layer]:
    """The layers of blocks."""
    names = {name for block in blocks for name in block}
    return [layer for layer in layers if layer.name in names]


def _check_pools(layers: list[Layer], *, is_baseline: bool) -> None:
    for layer in layers:
        if isinstance(layer, Pool) and layer.is_cut:
            what, instead = ("backpropagation does not pass", 'rule = "tpsgd"')
            if not is_baseline:
                what, instead = "no error passes", 'error = "own" in the layers before it'
            raise SpecError(
                f"{what} through the pool '{layer.name}'",
                where=f"[model], layer '{layer.name}'",
                found="windows that reach over the edges of the map",
                help=f"leave padding and ceil_mode out, or set {instead}",
            )


def _only_reader(layer: Layer, edges: Edges, layers: list[Layer]) -> Layer | None:
    """The layer that reads what a layer makes; None where several do, or none."""
    readers = edges.consumers_of(layer.name)
    return next((la for la in layers if readers == (la.name,)), None)


def _source_weights(spec: Spec, graph: Graph, dataset: Dataset) -> dict[str, Weights]:
    """Weights of a net made elsewhere, whose label values are not scaled as ours are."""
    weights, last = source_weights(spec, dataset.class_names), graph.layers[-1]
    places = places_of_vector(spec, dataset.input_shape)
    for first in graph.edges.consumers_of(SAMPLE) if places is not None else ():
        weights[first] = replace(weights[first], w=weights[first].w[:, places])
    if dataset.labels.kind == "vector" and graph.weighted[-1].activation == "linear":
        mean, std = label_scaling(spec, dataset.first.y_train)
        given = weights[last.name]
        w = given.w / std[:, np.newaxis]
        step = None if given.step is None else step_of(w)
        weights[last.name] = Weights(w, (given.b - mean) / std, step)
    return weights
