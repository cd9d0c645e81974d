"""One output that tells two classes apart, as two outputs: what our classifiers have.

The sigmoid of z is the softmax of (-z / 2, z / 2), so both say the same probabilities.
"""

from dataclasses import replace

import numpy as np

from tpsgd_edge.frontend.imports.call import Call
from tpsgd_edge.frontend.imports.chain import Chain, ImportedLayer
from tpsgd_edge.frontend.imports.net import ImportedNet
from tpsgd_edge.graph import Weights


def is_one_unit(chain: Chain) -> bool:
    """Tell whether the last layer is dense with one unit, and nothing is to be folded."""
    is_dense = bool(chain.layers) and chain.layers[-1].kind == "dense"
    return is_dense and chain.order.size == 1 == chain.size and chain.pending is None


def mirrors(chain: Chain, call: Call) -> bool:
    """Tell whether a node makes the other class's value of one unit: 1 - p of a sigmoid, or -z."""
    activation = chain.layers[-1].table["activation"]
    constants = [array for array in call.arrays if array is not None]
    value = float(constants[0].ravel()[0]) if constants and constants[0].size == 1 else None
    is_first = bool(call.arrays) and call.arrays[0] is not None
    if activation == "sigmoid":
        return call.node.op == "Sub" and is_first and value == 1.0
    is_zero_less = call.node.op == "Sub" and is_first and value == 0.0
    is_negated = call.node.op == "Neg" or (call.node.op == "Mul" and value == -1.0)
    return activation == "linear" and (is_negated or is_zero_less)


def halves_at(chain: Chain, call: Call) -> bool:
    """Tell whether a comparison of one unit with its middle says which of two classes it is."""
    threshold = 0.5 if chain.layers[-1].table["activation"] == "sigmoid" else 0.0
    if call.node.op == "Round":
        return threshold == 0.5
    constant = call.arrays[1] if len(call.arrays) > 1 else None
    is_above = call.node.op in ("Greater", "GreaterOrEqual")
    return is_above and constant is not None and constant.size == 1 and constant == threshold


def with_two_units(chain: Chain, *, is_second: bool = True) -> Chain:
    """The chain whose last layer has two units in place of one.

    Args:
        is_second: whether the one unit speaks for the second class.
    """
    layer = doubled(chain.layers[-1], sign=1.0 if is_second else -1.0)
    order = np.arange(2).reshape(*chain.order.shape[:-1], 2)
    return replace(chain, layers=(*chain.layers[:-1], layer), order=order)


def doubled(layer: ImportedLayer, sign: float = 1.0) -> ImportedLayer:
    """A dense layer of one unit as one of two, linear units, for two classes."""
    assert layer.weights is not None
    half = sign * (0.5 if layer.table["activation"] == "sigmoid" else 1.0)
    w = layer.weights.w * np.array([[-half], [half]])
    b = layer.weights.b * np.array([-half, half])
    table = {**layer.table, "units": 2, "activation": "linear"}
    return ImportedLayer(table, Weights(w, b), 2, 2, layer.reads)


def ends_with_sigmoid(net: ImportedNet) -> bool:
    """Tell whether one sigmoid unit is all that a net ends with."""
    last = net.layers[-1]
    return (last.get("units"), last.get("activation")) == (1, "sigmoid")


def as_two_classes(net: ImportedNet) -> ImportedNet:
    """A net that ends with one sigmoid unit, with two units in its place."""
    table = dict(net.layers[-1])
    name = str(table["name"])
    layer = doubled(ImportedLayer(table, net.weights[name], 1, 1))
    assert layer.weights is not None
    weights = {**net.weights, name: layer.weights}
    return replace(net, layers=(*net.layers[:-1], layer.table), weights=weights)
