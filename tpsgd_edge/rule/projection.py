"""Projections and first weights as the device has them, in real numbers.

Defined in docs/ARITHMETIC.md, sections 9 and 10.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.random import Purpose, draws, stream
from tpsgd_edge.graph import Graph, TrainedLayer, Weights

# Factor that makes the variance of the entries 1.
PROJECTION_UNIT = {"sign": 1.0, "ternary": math.sqrt(2.0), "gaussian": 1 / 36.95}


def projection_matrix(
    kind: str, *, seed: int, layer: int, shape: tuple[int, int]
) -> NDArray[np.float64]:
    """P of one layer in whole numbers, shape (n_target, K): what the device would store or draw.

    >>> projection_matrix("sign", seed=1, layer=0, shape=(2, 3))
    array([[-1., -1.,  1.],
           [ 1., -1., -1.]])
    """
    return _DRAW[kind](stream(seed, Purpose.PROJECTION, layer), shape).astype(np.float64)


def first_weights(graph: Graph, index: int, *, seed: int) -> Weights:
    """Weights as given in the graph; else uniform within 1 / sqrt(n_in).

    The last of several layers starts at zero, which gives every class the same probability.
    """
    layer = graph.layers[index]
    if not isinstance(layer, TrainedLayer):
        raise TypeError(f"layer '{layer.name}' has no weights")
    given = graph.weights.get(layer.name)
    if given is not None:
        return given
    is_last_of_several = index == len(graph.layers) - 1 > 0
    bound = 0.0 if is_last_of_several else 1 / math.sqrt(layer.n_in)
    words = draws(stream(seed, Purpose.WEIGHTS, index), layer.n_out * layer.n_in)
    uniform = (words >> np.uint32(16)).astype(np.float64) / 2**15 - 1
    return Weights(uniform.reshape(layer.n_out, layer.n_in) * bound, np.zeros(layer.n_out))


def _sign(seed: int, shape: tuple[int, int]) -> NDArray[np.int64]:
    return np.where(_fields(seed, shape, bits=1) == 1, 1, -1)


def _ternary(seed: int, shape: tuple[int, int]) -> NDArray[np.int64]:
    pair = _fields(seed, shape, bits=2)
    return (pair & 1) - (pair >> 1)


def _gaussian(seed: int, shape: tuple[int, int]) -> NDArray[np.int64]:
    words = draws(seed, shape[0] * shape[1]).astype("<u4")
    four_bytes = words.view(np.uint8).reshape(*shape, 4).sum(axis=2, dtype=np.int64)
    entries: NDArray[np.int64] = np.clip((four_bytes - 510 + 2) >> 2, -128, 127)
    return entries


def _fields(seed: int, shape: tuple[int, int], *, bits: int) -> NDArray[np.int64]:
    """Entries of `bits` bits each, the lowest of a word first; rows start at a word."""
    n_out, n_labels = shape
    words_per_row = -(-n_labels * bits // 32)
    words = draws(seed, n_out * words_per_row).astype(np.int64).reshape(n_out, words_per_row)
    k = np.arange(n_labels) * bits
    fields: NDArray[np.int64] = words[:, k >> 5] >> (k & 31) & (2**bits - 1)
    return fields


_DRAW: dict[str, Callable[[int, tuple[int, int]], NDArray[np.int64]]] = {
    "sign": _sign,
    "ternary": _ternary,
    "gaussian": _gaussian,
}
