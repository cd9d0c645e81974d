"""Nets of Keras: their config and their weights, without Keras where these are given."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.imports.file import OnnxNet
from tpsgd_edge.frontend.imports.net import ImportedNet
from tpsgd_edge.frontend.imports.onnx_net import imported
from tpsgd_edge.frontend.keras.layers import HANDLERS
from tpsgd_edge.frontend.keras.nodes import KerasLayer, Nodes

_HELP = {
    "Bidirectional": "a device learns from the past: one direction",
    "Lambda": "its code is not run here: use layers of Keras",
    "MultiHeadAttention": "attention has no layer of ours",
}
_MOST_LAYERS = 4096


def from_keras(model: Any) -> ImportedNet:
    """The layers and weights of a net of Keras 3, Sequential or Functional.

    Args:
        model: a built `keras.Model`; which backend it runs on does not matter.

    Raises:
        DataError: it has layers without a layer of ours.
    """
    document = json.loads(model.to_json())
    weights = {layer.name: tuple(layer.get_weights()) for layer in model.layers}
    return imported(as_graph(document, weights, f"keras.{type(model).__name__}"))


def as_graph(
    document: Mapping[str, Any], weights: Mapping[str, Sequence[Array]], file: str
) -> OnnxNet:
    """The nodes of a net.

    Args:
        document: as Keras writes it in JSON.
        weights: of each layer with weights, in the order and the shapes of Keras.

    Raises:
        DataError: a layer that is not read, or a net with several inputs or outputs.
    """
    nodes = Nodes(file)
    layers = [*_layers(document, weights, file)]
    inputs = [layer for layer in layers if layer.kind == "InputLayer"]
    if len(inputs) != 1 or len(layers) < 2:
        raise DataError(
            "the net has not one input",
            where=file,
            found=f"{len(inputs)} inputs, {len(layers)} layers",
            help="build the net with one keras.Input, of the shape of a sample",
        )
    for layer in layers:
        nodes.held[layer.name] = layer.name if layer is inputs[0] else _made(nodes, layer)
    last = _output(document, file, layers[-1].name)
    shape = inputs[0].config.get("batch_shape")
    if not isinstance(shape, list) or not all(n is None or type(n) is int for n in shape):
        raise nodes.error(inputs[0], "the samples have no shape", f"{shape!r:.60}", "give a shape")
    return OnnxNet(
        file=file,
        folder=None,
        nodes=tuple(nodes.made),
        tensors=nodes.tensors,
        input_name=inputs[0].name,
        input_shape=tuple(shape),
        outputs=(nodes.held.get(last, last),),
    )


def _made(nodes: Nodes, layer: KerasLayer) -> str:
    """The name of what a layer makes."""
    unknown = [name for name in layer.inputs if name not in nodes.held]
    if unknown:
        what = "the layer reads what no layer before it makes"
        raise nodes.error(layer, what, f"'{unknown[0][:60]}'", "save the net again")
    values = [nodes.held[name] for name in layer.inputs]
    if layer.kind in ("Add", "Concatenate"):
        axis = layer.config.get("axis", -1)
        how = {} if layer.kind == "Add" else {"axis": axis % layer.ndim if layer.ndim else axis}
        return nodes.node(layer, {"Add": "Add"}.get(layer.kind, "Concat"), values, **how)
    handler = HANDLERS.get(layer.kind)
    if handler is None or len(values) != 1:
        raise nodes.error(
            layer,
            f"{layer.kind[:40]} has no layer of ours",
            None if handler is None else f"{len(values)} inputs",
            _HELP.get(layer.kind, f"layers are read of {', '.join(HANDLERS)}, Add, Concatenate"),
        )
    return handler(nodes, layer, values[0])


def _layers(
    document: Mapping[str, Any], weights: Mapping[str, Sequence[Array]], file: str
) -> Iterator[KerasLayer]:
    """The layers in the order of the file."""
    config = document.get("config")
    entries = config.get("layers") if isinstance(config, dict) else None
    kind = document.get("class_name")
    is_net = isinstance(entries, list) and len(entries) <= _MOST_LAYERS
    if not is_net or kind not in ("Sequential", "Functional", "Model"):
        raise DataError(
            "this is no net of Keras whose layers are listed",
            where=file,
            found=f"class {kind!r:.40}",
            help="build it as keras.Sequential or from keras.Input; a subclass is only code",
        )
    before: tuple[str, ...] = ()
    for entry in entries or ():
        settings = entry.get("config") if isinstance(entry, dict) else None
        if not isinstance(settings, dict):
            raise DataError("a layer of the net has no config", where=file, found=f"{entry!r:.60}")
        name = str(settings.get("name", ""))
        reads = before if kind == "Sequential" else _reads(entry, name, file)
        yield KerasLayer(
            name,
            str(entry.get("class_name")),
            settings,
            reads,
            _axes(entry),
            tuple(weights.get(name, ())),
        )
        before = (name,)


def _axes(entry: Mapping[str, Any]) -> int:
    """Axes of what a layer reads; of several values those of the first."""
    built = entry.get("build_config")
    shape = built.get("input_shape") if isinstance(built, dict) else None
    while isinstance(shape, list | tuple) and shape and isinstance(shape[0], list | tuple):
        shape = shape[0]
    return len(shape) if isinstance(shape, list | tuple) else 0


def _reads(entry: Mapping[str, Any], name: str, file: str) -> tuple[str, ...]:
    """Names of the layers that a layer of a graph reads."""
    places = entry.get("inbound_nodes")
    if not isinstance(places, list) or len(places) > 1:
        raise DataError(
            "a layer is used several times",
            where=f"{file}, layer '{name[:60]}'",
            found=f"{places!r:.60}",
            help="give each place a layer of its own",
        )
    return tuple(_tensors(places, 0))


def _tensors(value: Any, depth: int) -> Iterator[str]:
    """Names of the layers whose outputs stand in what a layer is called with."""
    if depth > 8:
        return
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        history = (value.get("config") or {}).get("keras_history") or [""]
        yield str(history[0])
    elif isinstance(value, dict):
        for part in value.values():
            yield from _tensors(part, depth + 1)
    elif isinstance(value, list):
        for part in value:
            yield from _tensors(part, depth + 1)


def _output(document: Mapping[str, Any], file: str, last: str) -> str:
    """The name of the layer that answers."""
    given = document["config"].get("output_layers")
    if given is None:
        return last
    if isinstance(given, list) and len(given) == 1 and isinstance(given[0], list):
        given = given[0]
    if not isinstance(given, list) or len(given) != 3 or not isinstance(given[0], str):
        raise DataError("the net has not one output", where=file, found=f"{given!r:.60}")
    return given[0]
