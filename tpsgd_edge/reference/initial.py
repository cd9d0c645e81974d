"""First weights (docs/ARITHMETIC.md, section 10)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.ops import clip, rshift_round, widen
from tpsgd_edge.arithmetic.random import draws
from tpsgd_edge.quantize.model import DTYPES, QuantizedDense, QuantizedRnn, SeededInit

Array = NDArray[Any]


def initial_weights(layer: QuantizedDense) -> tuple[Array, Array]:
    """w (n_out, n_in) and b (n_out,) before the first step, in the types of the state."""
    w_type, b_type = DTYPES[layer.weight_type], DTYPES[layer.bias_type]
    init = layer.init
    if not isinstance(init, SeededInit):
        return init.w.astype(w_type), init.b.astype(b_type)
    u = widen(draws(init.seed, layer.n_weights) >> np.uint32(16)) - 2**15
    u = u.reshape(layer.n_out, layer.n_in)
    bounds = _bounds(layer, init)
    if layer.weight_type == "f32":
        w: Array = u.astype(np.float32) * bounds.astype(np.float32)
    else:
        limit = 1 << layer.weight_bits
        w = clip(rshift_round(u * bounds.astype(np.int64), 15), -limit, limit - 1)
    return w.astype(w_type), np.zeros(layer.n_out, b_type)


def _bounds(layer: QuantizedDense, init: SeededInit) -> Array:
    """The bound of each column of w, shape (n_in,)."""
    bounds = np.full(layer.n_in, float(init.bound))
    if isinstance(layer, QuantizedRnn):
        bounds[: layer.n_x] = layer.input_bound
    return bounds
