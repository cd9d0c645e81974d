"""First weights (docs/ARITHMETIC.md, section 10)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.ops import clip, rshift_round, widen
from tpsgd_edge.arithmetic.random import draws
from tpsgd_edge.quantize.model import DTYPES, QuantizedDense, SeededInit

Array = NDArray[Any]


def initial_weights(layer: QuantizedDense) -> tuple[Array, Array]:
    """w (n_out, n_in) and b (n_out,) before the first step, in the types of the state."""
    w_type, b_type = DTYPES[layer.weight_type], DTYPES[layer.bias_type]
    init = layer.init
    if not isinstance(init, SeededInit):
        return init.w.astype(w_type), init.b.astype(b_type)
    u = widen(draws(init.seed, layer.n_weights) >> np.uint32(16)) - 2**15
    if layer.weight_type == "f32":
        w: Array = u.astype(np.float32) * np.float32(init.bound)
    else:
        limit = 1 << layer.weight_bits
        w = clip(rshift_round(u * int(init.bound), 15), -limit, limit - 1)
    return w.astype(w_type).reshape(layer.n_out, layer.n_in), np.zeros(layer.n_out, b_type)
