"""The fixed random matrices by which some rules bring the error, or the label, to hidden layers.

Drawn from the model's seed, binary32, uniform with mean 0. Their size is that of the authors' own
programs: sqrt(6 / n) with n the second extent of the matrix ("He uniform", as in DRTP's, also for
FA and DFA), and a twentieth of that for PEPITA.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from tpsgd_edge.arithmetic.random import Purpose, stream, uniform
from tpsgd_edge.graph import Graph

# One for each layer; empty where there is none.
Feedback = tuple[Tensor, ...]

_PEPITA_SCALE = 0.05


def draw_feedback(
    graph: Graph, rule: str, *, seed: int, dtype: torch.dtype = torch.float32
) -> Feedback:
    """The matrices of a rule; () for rules that have none.

    fa: of each layer with weights one of the shape of W. dfa, sdfa, drtp: of each hidden layer
    (y_count, K). pepita: of the first layer F, (n_in, K), from the error to the input.
    """
    make = _DRAW.get(rule)
    if make is None:
        return ()
    return tuple(
        torch.tensor(make(graph, index, stream(seed, Purpose.FEEDBACK, index)), dtype=dtype)
        for index in range(len(graph.layers))
    )


def _of_weights(graph: Graph, index: int, base: int) -> np.ndarray:
    layer = graph.layers[index]
    if layer.weighted is None:
        return np.empty(0)
    # Through time an error is multiplied again and again: as large as initial weights, no larger.
    bound = layer.weighted.recurrent_gain if layer.is_recurrent else math.sqrt(6)
    rows, columns = layer.weighted.weight_shapes[0]
    return _uniform(base, rows, columns, bound / math.sqrt(columns))


def _of_units(graph: Graph, index: int, base: int) -> np.ndarray:
    layer = graph.layers[index]
    if layer.weighted is None or index == len(graph.layers) - 1:
        return np.empty(0)
    return _uniform(base, layer.y_count, graph.labels.count, math.sqrt(6 / layer.y_count))


def _of_input(graph: Graph, index: int, base: int) -> np.ndarray:
    if index > 0:
        return np.empty(0)
    bound = _PEPITA_SCALE * math.sqrt(6 / graph.n_inputs)
    return _uniform(base, graph.n_inputs, graph.labels.count, bound)


def _uniform(base: int, rows: int, columns: int, bound: float) -> np.ndarray:
    return uniform(base, rows * columns).reshape(rows, columns) * bound


_DRAW: dict[str, Callable[[Graph, int, int], np.ndarray]] = {
    "fa": _of_weights,
    "dfa": _of_units,
    "sdfa": _of_units,
    "drtp": _of_units,
    "pepita": _of_input,
}
