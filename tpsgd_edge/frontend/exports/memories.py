"""Memories as products with constant matrices, and dense layers between them.

A sequence lies (steps, samples, values).
"""

from dataclasses import replace

import numpy as np

from tpsgd_edge.arithmetic.types import Real
from tpsgd_edge.frontend.exports.activation import activated
from tpsgd_edge.frontend.exports.held import Held
from tpsgd_edge.frontend.exports.writer import OnnxWriter
from tpsgd_edge.graph import Dense, Memory, Weights
from tpsgd_edge.graph.memory import weights_over_time


def memory(writer: OnnxWriter, layer: Memory, weights: Weights | None, held: Held) -> Held:
    """Products for what it hands on: of a map at its end, else at each step at which it does."""
    return _of_map(writer, layer, held) if layer.reads_map else _of_steps(writer, layer, held)


def at_the_end(layer: Memory) -> Memory:
    """The memory that hands on at the last step alone."""
    return replace(layer, every=layer.length)


def _of_map(writer: OnnxWriter, layer: Memory, held: Held) -> Held:
    name, lengths = layer.name, (-1, layer.channels, layer.length)
    channels = writer.constant(f"{name}/lengths", np.array(lengths))
    rows = writer.node("Reshape", [held.name, channels], f"{name}/rows")
    values = _product(writer, layer, rows, weights_over_time(layer)[:, -1])
    count = writer.constant(f"{name}/count", np.array([-1, layer.y_count]))
    return Held(_scaled(writer, layer, writer.node("Reshape", [values, count], f"{name}/values")))


def _of_steps(writer: OnnxWriter, layer: Memory, held: Held) -> Held:
    name, weights = layer.name, weights_over_time(layer)
    rows = writer.node("Transpose", [held.name], f"{name}/rows", perm=[1, 2, 0])
    values = _product(writer, layer, rows, weights.reshape(layer.length, -1))
    lengths = (-1, layer.channels, layer.handed_on, layer.states)
    apart = writer.constant(f"{name}/lengths", np.array(lengths))
    steps = writer.node("Reshape", [values, apart], f"{name}/apart")
    steps = writer.node("Transpose", [steps], f"{name}/steps", perm=[2, 0, 1, 3])
    count = writer.constant(f"{name}/count", np.array([layer.handed_on, -1, layer.y_count]))
    return Held(_scaled(writer, layer, writer.node("Reshape", [steps, count], f"{name}/values")))


def _product(writer: OnnxWriter, layer: Memory, rows: str, matrix: Real) -> str:
    weights = writer.constant(f"{layer.name}.states", matrix)
    return writer.node("MatMul", [rows, weights], f"{layer.name}/product")


def _scaled(writer: OnnxWriter, layer: Memory, values: str) -> str:
    mid = writer.constant(f"{layer.name}.mid", np.array(layer.mids))
    gain = writer.constant(f"{layer.name}.gain", np.array(layer.gains))
    centred = writer.node("Sub", [values, mid], f"{layer.name}/centred")
    return writer.node("Mul", [centred, gain], f"{layer.name}/y")


def dense_of_steps(writer: OnnxWriter, layer: Dense, weights: Weights | None, held: Held) -> Held:
    """A dense layer at each step of a sequence."""
    assert weights is not None
    w = writer.constant(f"{layer.name}.weight", weights.w.T)
    b = writer.constant(f"{layer.name}.bias", weights.b)
    product = writer.node("MatMul", [held.name, w], f"{layer.name}/product")
    return Held(activated(writer, layer, writer.node("Add", [product, b], f"{layer.name}/z")))
