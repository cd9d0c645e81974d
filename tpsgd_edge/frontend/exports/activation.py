"""Activations as ONNX operators."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tpsgd_edge.arithmetic.activations import GELU_CUBE, GELU_SCALE
from tpsgd_edge.frontend.exports.writer import OnnxWriter
from tpsgd_edge.frontend.onnx_activations import OPERATORS
from tpsgd_edge.graph import Add, Conv2d, Dense, Rnn

_BOUNDS: Mapping[str, tuple[float, float]] = {"hard_tanh": (-1.0, 1.0), "relu6": (0.0, 6.0)}


def activated(writer: OnnxWriter, layer: Dense | Conv2d | Rnn | Add, z: str) -> str:
    """The name of the layer's outputs, made from its sums `z`."""
    name, activation = layer.name, layer.activation
    if activation == "linear":
        return z
    if activation in _BOUNDS:
        bounds = [_number(writer, bound) for bound in _BOUNDS[activation]]
        return writer.node("Clip", [z, *bounds], f"{name}/clip")
    if activation in _FACTORS:
        factor = _FACTORS[activation](writer, name, z)
        return writer.node("Mul", [z, factor], f"{name}/{activation}")
    op = OPERATORS[activation].name
    settings: dict[str, Any] = dict(zip(("alpha", "beta"), layer.numbers, strict=False))
    return writer.node(op, [z], f"{name}/{op.lower()}", **settings)


def _number(writer: OnnxWriter, value: float) -> str:
    return writer.constant(f"/{value:.9g}", np.array(value))


def _sigmoid(writer: OnnxWriter, name: str, z: str) -> str:
    return writer.node("Sigmoid", [z], f"{name}/sigmoid")


def _normal(writer: OnnxWriter, name: str, z: str) -> str:
    """(1 + erf(z / sqrt 2)) / 2, as PyTorch writes it."""
    scaled = writer.node("Div", [z, _number(writer, np.sqrt(2))], f"{name}/scaled")
    return _half_of_one_more(writer, name, writer.node("Erf", [scaled], f"{name}/erf"))


def _normal_by_tanh(writer: OnnxWriter, name: str, z: str) -> str:
    """(1 + tanh(sqrt(2 / pi) * (z + 0.044715 z^3))) / 2."""
    cube = writer.node("Pow", [z, _number(writer, 3.0)], f"{name}/cube")
    bent = writer.node("Mul", [cube, _number(writer, GELU_CUBE)], f"{name}/bent")
    total = writer.node("Add", [z, bent], f"{name}/sum")
    scaled = writer.node("Mul", [total, _number(writer, GELU_SCALE)], f"{name}/scaled")
    return _half_of_one_more(writer, name, writer.node("Tanh", [scaled], f"{name}/tanh"))


def _half_of_one_more(writer: OnnxWriter, name: str, value: str) -> str:
    more = writer.node("Add", [value, _number(writer, 1.0)], f"{name}/more")
    return writer.node("Mul", [more, _number(writer, 0.5)], f"{name}/half")


# What z is multiplied by.
_FACTORS: Mapping[str, Callable[[OnnxWriter, str, str], str]] = {
    "silu": _sigmoid,
    "gelu": _normal,
    "gelu_tanh": _normal_by_tanh,
}
