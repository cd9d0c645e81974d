"""A graph of ours as an ONNX file in floating point."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tpsgd_edge import __version__
from tpsgd_edge.frontend.exports.held import Held
from tpsgd_edge.frontend.exports.layers import JOIN, MAKE, map_of
from tpsgd_edge.frontend.exports.memories import at_the_end, dense_of_steps
from tpsgd_edge.frontend.exports.scores import with_scores
from tpsgd_edge.frontend.exports.writer import OnnxWriter
from tpsgd_edge.frontend.metadata import class_metadata
from tpsgd_edge.frontend.scaling import Scaling
from tpsgd_edge.graph import SAMPLE, Graph, Layer, Weights
from tpsgd_edge.graph.memory import memory_of

# How the name of the program that made a file stands near its start: field 2 of ModelProto.
ONNX_MARK = b"\x12\x0atpsgd-edge"


@dataclass(frozen=True, slots=True)
class Ends:
    """Steps before the first layer and behind the last one.

    Attributes:
        inputs: how raw samples become what the first layer reads, (raw - mean) / std; None
            where the net is to read what was scaled already.
        labels: the same of label vectors, undone behind the last layer; None for classes.
        has_softmax: whether outputs become probabilities.
    """

    inputs: Scaling | None
    labels: Scaling | None
    has_softmax: bool


def to_onnx(graph: Graph, ends: Ends, *, note: str = "", class_names: Sequence[str] = ()) -> bytes:
    """The file: input x of shape (n, ...), samples as ours are, channels last; output y (n, n_out).

    Where each step of a sequence has a label, y is (n, steps, n_out).

    Args:
        graph: with weights of every layer that has some.
        note: what the file says of itself.
        class_names: in the order of the outputs; they become metadata.

    Raises:
        ToolError: the package onnx is not installed.
    """
    writer = OnnxWriter()
    lengths = sample_lengths(graph)
    sample = Held("x") if ends.inputs is None else _scaled(writer, ends.inputs, lengths)
    weights, edges, walk = with_label_scaling(graph, ends), graph.edges, graph.walk
    held = {SAMPLE: _first(writer, graph, sample)}
    for layer in graph.layers:
        inputs = [held[name] for name in edges.inputs_of(layer.name)]
        walks, is_end, unit = layer in walk, layer is (walk or (None,))[-1], layer.weighted
        if walks and unit is not None and unit.kind == "dense":
            made = dense_of_steps(writer, unit, weights.get(layer.name), inputs[0])
        else:
            memory = memory_of(layer)
            if memory is not None and is_end and not graph.labels.each_step:
                layer = at_the_end(memory)
            made = _made(writer, layer, weights.get(layer.name), inputs)
        if is_end:
            made = _answers(writer, graph, layer, made)
        held[layer.name] = made
    y = _last(writer, graph, ends, with_scores(writer, graph, held))
    steps = (graph.steps,) if graph.labels.each_step else ()
    return writer.model(
        graph.name,
        ("x", ("n", *lengths)),
        (y, ("n", *steps, graph.labels.count)),
        note=note,
        version=__version__,
        metadata=class_metadata(class_names),
    )


def _made(
    writer: OnnxWriter, layer: Layer, weights: Weights | None, inputs: Sequence[Held]
) -> Held:
    if layer.kind in JOIN:
        return JOIN[layer.kind](writer, layer, inputs)
    return MAKE[layer.kind](writer, layer, weights, inputs[0])


def sample_lengths(graph: Graph) -> tuple[int, ...]:
    """The shape of a sample: a vector, steps of values, or height, width and channels."""
    first = graph.layers[0]
    if graph.walk:
        return (graph.steps, first.x_count)
    if not first.is_on_maps:
        return (first.x_count,)
    height, width, channels = graph.value(SAMPLE).shape
    if height > 1:
        return (height, width, channels)
    return (width, channels) if width > 1 else (channels,)


def _scaled(writer: OnnxWriter, scaling: Scaling, lengths: tuple[int, ...]) -> Held:
    """(raw - mean) / std, without the parts that change nothing."""
    name, whole = "x", int(np.prod(lengths))
    mean, std = scaling
    for op, values, same in (("Sub", mean, 0.0), ("Div", std, 1.0)):
        if (values != same).any():
            shaped = values.reshape(lengths) if values.size == whole else values
            constant = writer.constant(f"/x_{op.lower()}", shaped)
            name = writer.node(op, [name, constant], f"/x_after_{op.lower()}")
    return Held(name)


def _first(writer: OnnxWriter, graph: Graph, held: Held) -> Held:
    """The samples as the first layer reads them."""
    first = graph.layers[0]
    if graph.walk:
        return Held(writer.node("Transpose", [held.name], "/x_steps", perm=[1, 0, 2]))
    if not first.is_on_maps:
        return held
    if len(sample_lengths(graph)) < 3:
        return map_of(writer, held, graph.value(SAMPLE).shape, "/x")
    name = writer.node("Transpose", [held.name], "/x_first", perm=[0, 3, 1, 2])
    return Held(name, graph.value(SAMPLE).shape)


def _answers(writer: OnnxWriter, graph: Graph, layer: Layer, held: Held) -> Held:
    """Take the last timestep, or all of them as if they were samples if each has a label."""
    if not graph.labels.each_step:
        at = writer.constant("/last_step", np.array(-1))
        return Held(writer.node("Gather", [held.name, at], "/x_answered", axis=0))
    samples = writer.node("Transpose", [held.name], "/x_samples", perm=[1, 0, 2])
    rows = writer.constant("/rows", np.array([-1, layer.y_count]))
    return Held(writer.node("Reshape", [samples, rows], "/x_answered"))


def with_label_scaling(graph: Graph, ends: Ends) -> dict[str, Weights]:
    """The weights, with a linear last layer that speaks in the units of the labels."""
    weights, last = dict(graph.weights), graph.weighted[-1]
    if ends.labels is not None and last.activation == "linear":
        mean, std = ends.labels
        w, b = weights[last.name].w, weights[last.name].b
        scaled = Weights(w * std[:, np.newaxis], b * std + mean)
        weights[last.name] = scaled
    return weights


def _last(writer: OnnxWriter, graph: Graph, ends: Ends, y: str) -> str:
    if ends.labels is not None and graph.weighted[-1].activation != "linear":
        mean, std = ends.labels
        y = writer.node("Mul", [y, writer.constant("/y_mul", std)], "/y_stretched")
        y = writer.node("Add", [y, writer.constant("/y_add", mean)], "/y_moved")
    if graph.labels.each_step:
        shape = writer.constant("/steps", np.array([-1, graph.steps, graph.labels.count]))
        y = writer.node("Reshape", [y, shape], "/y_steps")
    op = "Softmax" if ends.has_softmax else "Identity"
    attributes = {"axis": -1} if ends.has_softmax else {}
    return writer.node(op, [y], "y", **attributes)
