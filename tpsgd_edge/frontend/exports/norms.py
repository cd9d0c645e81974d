"""Layers that normalize, as operators of ONNX."""

import math

import numpy as np

from tpsgd_edge.frontend.exports.held import Held
from tpsgd_edge.frontend.exports.writer import OnnxWriter
from tpsgd_edge.graph import Norm, Weights


def norm(writer: OnnxWriter, layer: Norm, weights: Weights | None, held: Held) -> Held:
    """LayerNormalization, or what RMS normalization is made of; maps stay as they lie."""
    name, x = layer.name, held.name
    on_places = held.shape is not None and not layer.over_all and held.shape[:2] != (1, 1)
    if on_places:
        x = writer.node("Transpose", [x], f"{name}/last", perm=[0, 2, 3, 1])
    shape: tuple[int, ...] = (layer.group_size,)
    if held.shape is not None and not on_places:
        height, width, channels = held.shape
        shape = (channels, height, width)
    assert math.prod(shape) == layer.group_size
    y = _normalized(writer, layer, x, shape)
    if on_places:
        y = writer.node("Transpose", [y], f"{name}/first", perm=[0, 3, 1, 2])
    return Held(y, held.shape)


def _normalized(writer: OnnxWriter, layer: Norm, x: str, shape: tuple[int, ...]) -> str:
    name, axes = layer.name, [*range(-len(shape), 0)]
    if layer.centered:
        scale = writer.constant(f"{name}/scale", np.ones(shape))
        how = {"axis": axes[0], "epsilon": layer.epsilon}
        return writer.node("LayerNormalization", [x, scale], f"{name}/y", **how)
    squares = writer.node("Mul", [x, x], f"{name}/squares")
    power = writer.node("ReduceMean", [squares], f"{name}/power", axes=axes, keepdims=1)
    more = writer.constant(f"{name}/epsilon", np.array(layer.epsilon))
    both = writer.node("Add", [power, more], f"{name}/both")
    return writer.node("Div", [x, writer.node("Sqrt", [both], f"{name}/root")], f"{name}/y")
