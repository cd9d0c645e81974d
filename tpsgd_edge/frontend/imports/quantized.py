"""QuantizeLinear and DequantizeLinear: what whole numbers in a file stand for.

Of weights it is computed: they become real numbers on the scale of the file. Values on their way
stay real numbers; only where they end at zero is a layer's relu. Integers are chosen here anew.
"""

from dataclasses import replace

import numpy as np

from tpsgd_edge.arithmetic.activations import FACTS
from tpsgd_edge.arithmetic.types import Array, Real
from tpsgd_edge.frontend.imports.call import Call
from tpsgd_edge.frontend.imports.chain import Chain, activated, last_active, scaled

_UINT8 = 2
_NONE = np.zeros((), np.uint8)
_TYPES = tuple(np.dtype(name) for name in ("u1", "i1", "u2", "i2", "i4"))


def quantize(chain: Chain, call: Call) -> Chain:
    """Read QuantizeLinear of values: relu if its smallest integer stands for 0.

    Raises:
        DataError: it has several scales.
    """
    scale, zero = _scale(call), _zero(call)
    call.integer("axis", 1)
    if scale.size != 1:
        raise call.error(
            "QuantizeLinear of values has a scale for each channel",
            found=f"{scale.size} scales",
            help="only weights may have several",
        )
    if bool(np.all(zero == np.iinfo(zero.dtype).min)) and chain.layers:
        at = last_active(chain)
        if at is None or not FACTS[chain.layers[at].table["activation"]].is_never_negative:
            chain = replace(activated(chain, call, "relu"), ends_by_steps=True)
    return replace(chain, is_quantized=True)


def dequantize(chain: Chain, call: Call) -> Chain:
    """Read DequantizeLinear of what QuantizeLinear made, or of samples that are whole numbers.

    Raises:
        DataError: it reads something else.
    """
    scale = _scale(call)
    if chain.are_whole:
        zero = _along(call, chain.order, call.array(2, "zero point") if call.has(2) else _NONE)
        factor = _along(call, chain.order, scale)
        return scaled(replace(chain, are_whole=False), call, factor, -factor * zero)
    if not chain.is_quantized:
        raise call.error(
            "DequantizeLinear reads what no QuantizeLinear made",
            help="samples and values between layers are real numbers",
        )
    call.integer("axis", 1)
    return replace(chain, is_quantized=False)


def quantized(call: Call) -> Array:
    """Compute QuantizeLinear of constants, in the shape of its input."""
    x, zero = call.finite(call.array(0, "input"), "input"), _zero(call)
    limits = np.iinfo(zero.dtype)
    whole = np.rint(x / _along(call, x, _scale(call))) + _along(call, x, zero)
    return np.clip(whole, limits.min, limits.max).astype(zero.dtype)


def dequantized(call: Call) -> Array:
    """Compute DequantizeLinear of constants, in the shape of its input: (x - zero point) * scale.

    Raises:
        DataError: it reads no whole numbers, or has a zero point of another type.
    """
    x = call.array(0, "input")
    if x.dtype not in _TYPES:
        raise call.error("DequantizeLinear reads no whole numbers", found=f"{x.dtype}")
    zero = call.array(2, "zero point") if call.has(2) else np.zeros((), x.dtype)
    if zero.dtype != x.dtype:
        raise call.error(
            "DequantizeLinear has a zero point of another type", found=f"{zero.dtype}, {x.dtype}"
        )
    wide = x.astype(np.float64) - _along(call, x, zero)
    return np.asarray(wide * _along(call, x, _scale(call)))


def _scale(call: Call) -> Real:
    scale = call.real(1, "scale")
    if not (scale > 0).all() or scale.ndim > 1 or scale.size == 0 or call.integer("block_size", 0):
        raise call.error(
            f"{call.node.op} has odd scales",
            found=f"shape {scale.shape}, block_size = {call.integer('block_size', 0)}",
            help="one scale, or one for each index of an axis, above zero",
        )
    return scale


def _zero(call: Call) -> Array:
    zero = call.array(2, "zero point") if call.has(2) else np.zeros((), np.uint8)
    said = call.integer("output_dtype", 0)
    asked = 0 if call.has(2) else said
    if zero.dtype not in _TYPES or zero.ndim > 1 or asked not in (0, _UINT8):
        raise call.error(
            f"{call.node.op} has an odd zero point",
            found=f"{zero.dtype} {zero.shape}, output_dtype = {asked}",
        )
    return zero


def _along(call: Call, x: Array, values: Array) -> Real:
    """One value for all of x, or one for each index of an axis."""
    axis = call.integer("axis", 1)
    if values.size == 1:
        return values.reshape(()).astype(np.float64)
    if not -x.ndim <= axis < x.ndim or x.shape[axis] != values.size:
        raise call.error(
            f"{call.node.op} has scales or zero points that do not fit",
            found=f"{values.size} of them, axis {axis} of {x.shape}",
        )
    shape = [1] * x.ndim
    shape[axis] = values.size
    return values.reshape(shape).astype(np.float64)
