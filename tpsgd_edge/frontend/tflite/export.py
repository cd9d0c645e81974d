"""A graph of ours as a TensorFlow Lite file in floating point."""

from collections.abc import Mapping

import numpy as np

from tpsgd_edge.frontend.exports.onnx_net import Ends, sample_lengths, with_label_scaling
from tpsgd_edge.frontend.exports.scores import of_seen, seen_of
from tpsgd_edge.frontend.tflite.outgoing import JOIN, MAKE, as_map, flat, refuse
from tpsgd_edge.frontend.tflite.writer import TfliteWriter
from tpsgd_edge.graph import SAMPLE, Graph

# How a file says that it was written here: in its description.
TFLITE_MARK = b"tpsgd-edge"


def to_tflite(graph: Graph, ends: Ends, *, note: str = "") -> bytes:
    """The file: input x of shape (1, ...), samples as ours are, channels last; output y (1, n_out).

    Args:
        graph: with weights of every layer that has some.
        note: what the file says of itself.

    Raises:
        SpecError: a layer that TensorFlow Lite has no operators for.
    """
    writer = TfliteWriter()
    x = writer.value("x", (1, *sample_lengths(graph)))
    held = {SAMPLE: _first(writer, graph, _scaled(writer, ends, x))}
    weights = with_label_scaling(graph, ends)
    for layer in graph.layers:
        inputs = [held[name] for name in graph.edges.inputs_of(layer.name)]
        if layer.kind in JOIN:
            made = JOIN[layer.kind](writer, layer, inputs)
        elif layer.kind in MAKE:
            made = MAKE[layer.kind](writer, layer, weights.get(layer.name), inputs[0])
        else:
            refuse(layer.name, f'kind = "{layer.kind}", a loop over steps')
        held[layer.name] = made
    y = _last(writer, graph, ends, _with_scores(writer, graph, held))
    return writer.model(graph.name, x, y, note=f"{TFLITE_MARK.decode()}: {note}")


def _scaled(writer: TfliteWriter, ends: Ends, x: int) -> int:
    """(x - mean) / std, without the parts that change nothing."""
    if ends.inputs is None:
        return x
    shape = writer.shape_of(x)
    mean, std = ends.inputs
    for op, values, same in (("SUB", mean, 0.0), ("DIV", std, 1.0)):
        if (values != same).any():
            shaped = values.reshape(shape) if values.size == int(np.prod(shape)) else values
            constant = writer.constant(f"x/{op.lower()}/by", shaped)
            x = writer.op(op, [x, constant], f"x/{op.lower()}", shape)
    return x


def _first(writer: TfliteWriter, graph: Graph, x: int) -> int:
    """The samples as the first layer reads them."""
    first = graph.layers[0]
    return as_map(writer, x, graph.value(SAMPLE).shape, "x") if first.is_on_maps else x


def _with_scores(writer: TfliteWriter, graph: Graph, held: Mapping[str, int]) -> int:
    """Sum the scores of all layers that carry some and the outputs of the last one."""
    total, shape = held[graph.layers[-1].name], (1, graph.labels.count)
    for name, read_out in graph.read_outs.items():
        rows = flat(writer, held[seen_of(graph, name)], f"{name}/scores")
        w = writer.constant(f"{name}/read_out", of_seen(graph.layer(name), read_out).T)
        b = writer.constant(f"{name}/zeros", np.zeros(shape[1]))
        scores = writer.op("FULLY_CONNECTED", [rows, w, b], f"{name}/scores", shape)
        total = writer.op("ADD", [total, scores], f"{name}/total", shape)
    return total


def _last(writer: TfliteWriter, graph: Graph, ends: Ends, y: int) -> int:
    shape = writer.shape_of(y)
    if ends.labels is not None and graph.weighted[-1].activation != "linear":
        mean, std = ends.labels
        y = writer.op("MUL", [y, writer.constant("y/std", std)], "y/stretched", shape)
        y = writer.op("ADD", [y, writer.constant("y/mean", mean)], "y/moved", shape)
    return writer.op("SOFTMAX", [y], "y", shape, beta=1.0) if ends.has_softmax else y
