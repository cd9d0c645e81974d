"""QuantizeLinear and DequantizeLinear: what whole numbers in a file stand for.

Of weights it is computed: they become real numbers on the scale of the file.
"""

import numpy as np

from tpsgd_edge.arithmetic.types import Array, Real
from tpsgd_edge.frontend.imports.call import Call

_UINT8 = 2
_TYPES = tuple(np.dtype(name) for name in ("u1", "i1", "u2", "i2", "i4"))


def quantized(call: Call) -> Array:
    """Compute QuantizeLinear of constants, in the shape of its input."""
    x, zero = call.finite(call.array(0, "input"), "input"), zero_of(call)
    limits = np.iinfo(zero.dtype)
    whole = np.rint(x / along(call, x, scale_of(call))) + along(call, x, zero)
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
    wide = x.astype(np.float64) - along(call, x, zero)
    return np.asarray(wide * along(call, x, scale_of(call)))


def scale_of(call: Call) -> Real:
    """Scales of QuantizeLinear or DequantizeLinear: one, or a list (n,).

    Raises:
        DataError: they are not above zero, or lie in blocks.
    """
    scale = call.real(1, "scale")
    if not (scale > 0).all() or scale.ndim > 1 or scale.size == 0 or call.integer("block_size", 0):
        raise call.error(
            f"{call.node.op} has odd scales",
            found=f"shape {scale.shape}, block_size = {call.integer('block_size', 0)}",
            help="one scale, or one for each index of an axis, above zero",
        )
    return scale


def zero_of(call: Call) -> Array:
    """Zero points of QuantizeLinear, of the type of its output.

    Raises:
        DataError: a type or a shape that is not read.
    """
    zero = call.array(2, "zero point") if call.has(2) else np.zeros((), np.uint8)
    said = call.integer("output_dtype", 0)
    asked = 0 if call.has(2) else said
    if zero.dtype not in _TYPES or zero.ndim > 1 or asked not in (0, _UINT8):
        raise call.error(
            f"{call.node.op} has an odd zero point",
            found=f"{zero.dtype} {zero.shape}, output_dtype = {asked}",
        )
    return zero


def along(call: Call, x: Array, values: Array) -> Real:
    """One value for all of x, or one for each index of an axis, in a shape that fits to x.

    Raises:
        DataError: they do not fit.
    """
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


def cut_off(call: Call) -> Array:
    """Compute Clip of constants that are whole numbers, in the shape of its input.

    Raises:
        DataError: they are no whole numbers.
    """
    x = call.array(0, "input")
    if x.dtype not in _TYPES:
        raise call.error("Clip of constants is computed of whole numbers alone", found=f"{x.dtype}")
    return np.clip(x, *whole_bounds(call)).astype(x.dtype)


def whole_bounds(call: Call) -> tuple[int, int]:
    """The bounds of Clip of whole numbers.

    Raises:
        DataError: one is missing, or no whole number.
    """
    bounds = [call.whole(call.array(i, what), what) for i, what in ((1, "min"), (2, "max"))]
    if any(len(bound) != 1 for bound in bounds) or bounds[0] > bounds[1]:
        raise call.error("Clip has odd bounds", found=f"{bounds[0]!r:.40}, {bounds[1]!r:.40}")
    return bounds[0][0], bounds[1][0]
