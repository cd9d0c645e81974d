"""Recurrent layers of TensorFlow Lite as nodes: its LSTM over a whole sequence."""

import numpy as np

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.tflite.file import Operator
from tpsgd_edge.frontend.tflite.nodes import Nodes, option

# Places of weights and biases of input gate, forget gate, candidate and output gate.
_READS, _OWN, _BIASES = (1, 2, 3, 4), (5, 6, 7, 8), (12, 13, 14, 15)
# ONNX has the output gate second.
_ORDER = (0, 3, 1, 2)
_PEEPHOLES, _PROJECTIONS, _NORMS = (9, 10, 11), (16, 17), (20, 21, 22, 23)
_TANH = 4


def lstm(nodes: Nodes, op: Operator) -> None:
    """Read UNIDIRECTIONAL_SEQUENCE_LSTM with its four gates, and a bound of its cells."""
    _check(nodes, op)
    w, own = (_rows(nodes, op, places) for places in (_READS, _OWN))
    b = np.concatenate(
        [nodes.bias(op, _BIASES[g], _READS[g]).ravel() for g in _ORDER] + [np.zeros(len(w))]
    )
    arrays = {"weights": w, "recurrent": own, "bias": b}
    held = [
        nodes.held(f"{name} of operator {op.index}", array[np.newaxis])
        for name, array in arrays.items()
    ]
    most = float(option(op, "cell_clip"))
    is_time_first = bool(option(op, "time_major"))
    y = nodes.node(
        op,
        "LSTM",
        [nodes.value(op, 0), *held],
        hidden_size=own.shape[1],
        layout=None if is_time_first else 1,
        cell_clip=most or None,
    )
    axis = 1 if is_time_first else 2
    nodes.stands_for(op, nodes.node(op, "Squeeze", [y], axes=(axis,)))


def _rows(nodes: Nodes, op: Operator, places: tuple[int, ...]) -> Array:
    """Weights of all gates, one below the other, in the order of ONNX.

    Raises:
        DataError: they are of unlike shapes.
    """
    parts = [nodes.constant(op, places[gate], "weights") for gate in _ORDER]
    shapes = {part.shape for part in parts}
    if len(shapes) != 1 or parts[0].ndim != 2:
        raise nodes.error(
            op, f"{op.op} has odd weights", found=f"{sorted(shapes)!s:.80}", help=None
        )
    return np.concatenate(parts)


def _check(nodes: Nodes, op: Operator) -> None:
    if not nodes.has(op, _READS[0]) or not nodes.has(op, _OWN[0]):
        raise _unlike(nodes, op, "one gate for input and forgetting", "give it both gates")
    extras = {
        "gates that look at its cells (peepholes)": _PEEPHOLES,
        "a projection of its output": _PROJECTIONS,
        "sums that are normalized": _NORMS,
    }
    for what, places in extras.items():
        if any(nodes.has(op, place) for place in places):
            raise _unlike(nodes, op, what, "train it without")
    if option(op, "fused") != _TANH:
        found = f"activation number {option(op, 'fused')}"
        raise _unlike(nodes, op, found, "its candidate and its cells go through tanh")
    if option(op, "diagonal"):
        raise _unlike(nodes, op, "diagonal weights of its own output", "give it whole matrices")
    if not 0 <= option(op, "cell_clip") <= 32768:
        found = f"cells limited to {option(op, 'cell_clip'):g}"
        raise _unlike(nodes, op, found, "a bound of cells lies above 0, up to 32768")


def _unlike(nodes: Nodes, op: Operator, found: str, help: str) -> DataError:  # noqa: A002 - as in errors
    return nodes.error(op, f"{op.op} has a form that is not read", found=found, help=help)
