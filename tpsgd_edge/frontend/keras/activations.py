"""Activations of Keras as nodes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tpsgd_edge.frontend.keras.nodes import KerasLayer, Nodes

# By the names that Keras writes; those with bounds are clipped.
_OPERATORS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "tanh": ("Tanh", {}),
    "sigmoid": ("Sigmoid", {}),
    "elu": ("Elu", {}),
    "selu": ("Selu", {}),
    "celu": ("Celu", {}),
    "softplus": ("Softplus", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.2}),
    "gelu": ("Gelu", {}),
    "silu": ("Swish", {}),
    "swish": ("Swish", {}),
    "hard_silu": ("HardSwish", {}),
    "hard_swish": ("HardSwish", {}),
    "softmax": ("Softmax", {"axis": -1}),
    "log_softmax": ("LogSoftmax", {"axis": -1}),
}
_BOUNDS = {"relu6": (0.0, 6.0), "hard_tanh": (-1.0, 1.0)}


def activated(nodes: Nodes, layer: KerasLayer, x: str) -> str:
    """The values behind the layer's activation.

    Raises:
        DataError: it is none that is read.
    """
    name = layer.config.get("activation") or "linear"
    if name == "linear":
        return x
    if name in _BOUNDS:
        bounds = [nodes.constant(layer, f"{b:g}", np.array(b)) for b in _BOUNDS[name]]
        return nodes.node(layer, "Clip", [x, *bounds])
    if not isinstance(name, str) or name not in _OPERATORS:
        raise nodes.error(
            layer,
            "the layer has an activation that is not read",
            f"{name!r:.60}",
            f"one of {', '.join((*_OPERATORS, *_BOUNDS))}",
        )
    op, attributes = _OPERATORS[name]
    return nodes.node(layer, op, [x], **attributes)
