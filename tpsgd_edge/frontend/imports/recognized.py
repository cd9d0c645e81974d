"""Activations that exporters write as several operators, found by the values that they make.

Silu comes as x * Sigmoid(x), Gelu in many ways around Erf or Tanh, HardSwish around Clip. What they
share: operators on single values lead from one tensor to the operator where its ways meet again.
Such an island is a function of one number. It is computed on a grid, and if it is one of ours, one
node stands for it.
"""

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tpsgd_edge.arithmetic.types import Array, Real
from tpsgd_edge.frontend.imports.call import Attributes, Call, Node
from tpsgd_edge.frontend.imports.file import HeldTensor, OnnxNet, tensor_array
from tpsgd_edge.frontend.imports.islands import Found, Ways, with_islands
from tpsgd_edge.graph.activation import ACTIVATION

_GRID: Real = np.linspace(-10.0, 10.0, 401)
# Constants of files are binary32, and so are our approximations of erf.
_NEAR = 2e-5
_MOST_NODES = 16
# Scalings that may follow where the ways meet.
_MOST_BEHIND = 3
_KNOWN: Mapping[str, tuple[str, dict[str, Any]]] = {
    "silu": ("Swish", {}),
    "hard_swish": ("HardSwish", {}),
    "gelu": ("Gelu", {}),
    "gelu_tanh": ("Gelu", {"approximate": "tanh"}),
}
_erf = np.vectorize(math.erf, otypes=[float])

# Each gets the values of its inputs, numbers among them, and the node.
COMPUTES: Mapping[str, Callable[[list[Any], Call], Any]] = {
    "Add": lambda v, _: v[0] + v[1],
    "Sub": lambda v, _: v[0] - v[1],
    "Mul": lambda v, _: v[0] * v[1],
    "Div": lambda v, _: v[0] / v[1],
    "Pow": lambda v, _: v[0] ** v[1],
    "Neg": lambda v, _: -v[0],
    "Exp": lambda v, _: np.exp(v[0]),
    "Reciprocal": lambda v, _: 1 / v[0],
    "Identity": lambda v, _: v[0],
    "Erf": lambda v, _: _erf(v[0]),
    "Tanh": lambda v, _: np.tanh(v[0]),
    "Sigmoid": lambda v, _: 1 / (1 + np.exp(-v[0])),
    "Relu": lambda v, _: np.maximum(v[0], 0),
    "HardSigmoid": lambda v, call: np.clip(
        call.number("alpha", 0.2) * v[0] + call.number("beta", 0.5), 0, 1
    ),
    "Clip": lambda v, call: np.clip(
        v[0],
        v[1] if len(v) > 1 else call.number("min", -1e38),
        v[2] if len(v) > 2 else call.number("max", 1e38),
    ),
}


class _Nodes(Ways):
    """The nodes of a net, and which tensors are numbers."""

    def number(self, name: str) -> float | None:
        """A constant of one value, as a number."""
        held: Any = self.net.tensors.get(name)
        if held is None and name in self.maker and self.maker[name].op == "Constant":
            attributes = self.maker[name].attributes
            held = attributes.get("value", attributes.get("value_float"))
        if isinstance(held, float):
            return held
        if not isinstance(held, HeldTensor) or held.size != 1:
            return None
        array: Array = tensor_array(self.net, held)
        return float(array.ravel()[0]) if array.dtype.kind in "iuf" else None

    def values_of(self, node: Node) -> list[str]:
        """The inputs of a node that are no numbers."""
        return [name for name in node.inputs if name and self.number(name) is None]

    def is_single(self, node: Node) -> bool:
        """Tell whether it works on single values."""
        return node.op in COMPUTES and node.domain in ("", "ai.onnx") and len(node.outputs) == 1


def with_activations(net: OnnxNet) -> OnnxNet:
    """The net with one node for each activation that is written as several."""
    nodes = _Nodes(net)
    return with_islands(net, lambda node: _activation(nodes, node))


def _activation(nodes: _Nodes, meeting: Node) -> Found | None:
    """The nodes that make up an activation, in order, and the one that stands for them."""
    if len(set(meeting.inputs)) < 2 or not nodes.is_single(meeting):
        return None
    found = _island(nodes, meeting)
    if found is None:
        return None
    x, island = found
    for _ in range(_MOST_BEHIND + 1):
        name = _known(nodes, x, island)
        if name is not None and _is_closed(nodes, island):
            op, attributes = _KNOWN[name]
            last = island[-1]
            return island, replace(
                last, op=op, domain="", inputs=(x,), attributes=Attributes(attributes)
            )
        behind = nodes.readers.get(island[-1].outputs[0], [])
        if (
            len(behind) != 1
            or not nodes.is_single(behind[0])
            or len(nodes.values_of(behind[0])) != 1
        ):
            return None
        island = [*island, behind[0]]
    return None


def _island(nodes: _Nodes, meeting: Node) -> tuple[str, list[Node]] | None:
    """The tensor from which ways lead to a node where they meet, and the nodes on them."""
    island, ends = [meeting], set(nodes.values_of(meeting))
    if len(nodes.values_of(meeting)) < 2:
        return None
    while len(ends) > 1:
        makers = [
            (nodes.place[id(nodes.maker[name])], name) for name in ends if name in nodes.maker
        ]
        if not makers or len(island) == _MOST_NODES:
            return None
        name = max(makers)[1]
        maker = nodes.maker[name]
        if not nodes.is_single(maker):
            return None
        island.insert(0, maker)
        ends = (ends - {name}) | set(nodes.values_of(maker))
    return (ends.pop(), sorted(island, key=lambda node: nodes.place[id(node)])) if ends else None


def _is_closed(nodes: _Nodes, island: list[Node]) -> bool:
    """Tell whether nobody else reads what is made on the way."""
    inside = {id(node) for node in island}
    inner = list(itertools.chain.from_iterable(node.outputs for node in island[:-1]))
    readers = itertools.chain.from_iterable(nodes.readers.get(name, ()) for name in inner)
    return not set(inner) & set(nodes.net.outputs) and all(id(node) in inside for node in readers)


def _known(nodes: _Nodes, x: str, island: list[Node]) -> str | None:
    """The activation of ours that these nodes make of x."""
    values: dict[str, Real] = {x: _GRID}
    with np.errstate(all="ignore"):
        for node in island:
            inputs = [values[n] if n in values else nodes.number(n) for n in node.inputs if n]
            call = Call(node, (), nodes.net.file)
            values[node.outputs[0]] = np.asarray(COMPUTES[node.op](inputs, call), np.float64)
    y = values[island[-1].outputs[0]]
    for name in _KNOWN:
        if y.shape == _GRID.shape and bool(np.all(np.abs(y - ACTIVATION[name](_GRID)) < _NEAR)):
            return name
    return None
