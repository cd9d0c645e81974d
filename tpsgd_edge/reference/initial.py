"""Initial weights (docs/ARITHMETIC.md, section 10)."""

import numpy as np

from tpsgd_edge.arithmetic.ops import Int64, clip, rshift_round, widen
from tpsgd_edge.arithmetic.random import draws
from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.quantize.model import DTYPES, IntegerNumbers, QuantizedWeighted, SeededInit


def initial_weights(layer: QuantizedWeighted) -> tuple[Array, Array]:
    """Initial w (n_out, n_in) and b (n_out,) in the types of the state."""
    w_type, b_type = DTYPES[layer.weight_type], DTYPES[layer.bias_type]
    init = layer.init
    if not isinstance(init, SeededInit):
        return init.w.astype(w_type), init.b.astype(b_type)
    u = widen(draws(init.seed, layer.n_weights + layer.n_out) >> np.uint32(16)) - 2**15
    u_w, u_b = u[: layer.n_weights].reshape(layer.n_out, layer.n_in), u[layer.n_weights :]
    w = _drawn(layer, u_w, _bounds(layer, init))
    if isinstance(layer.numbers, IntegerNumbers):
        limit = 1 << layer.numbers.weight_bits
        w = clip(w, -limit, limit - 1)
    if init.recurrent is None:
        return w.astype(w_type), np.zeros(layer.n_out, b_type)
    return w.astype(w_type), _drawn(layer, u_b, np.array(init.recurrent.biases)).astype(b_type)


def _drawn(layer: QuantizedWeighted, u: Int64, bounds: Array) -> Array:
    """Values in +-bounds from random words of 16 bits with a sign."""
    if layer.weight_type == "f32":
        values: Array = u.astype(np.float32) * bounds.astype(np.float32)
        return values
    return rshift_round(u * bounds.astype(np.int64), 15)


def _bounds(layer: QuantizedWeighted, init: SeededInit) -> Array:
    """The bound of each column of w, shape (n_in,)."""
    bounds = np.full(layer.n_in, float(init.bound))
    if init.recurrent is not None:
        bounds[: layer.x_count] = init.recurrent.inputs
    return bounds
