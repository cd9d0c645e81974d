"""Quant of QONNX, as Brevitas and others write it.

It makes real numbers of real numbers: those that an integer of some bits stands for. Source: the
operator as QONNX 1.0 defines it (`qonnx.custom_op.general`, Quant and IntQuant).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tpsgd_edge.arithmetic.types import Array, Real
from tpsgd_edge.frontend.imports.call import Call

DOMAIN = "qonnx.custom_op.general"
# Domains under which Brevitas and FINN wrote the same operator before.
OLD_DOMAINS = ("onnx.brevitas", "finn.custom_op.general")
OPERATORS = ("Quant", "IntQuant")
# Of biases.
_MOST_BITS = 32
_ROUNDINGS: Mapping[str, Callable[[Real], Real]] = {
    "ROUND": np.rint,
    "HALF_EVEN": np.rint,
    "HALF_UP": lambda x: np.sign(x) * np.floor(np.abs(x) + 0.5),
    "HALF_DOWN": lambda x: np.sign(x) * np.ceil(np.abs(x) - 0.5),
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": lambda x: np.sign(x) * np.ceil(np.abs(x)),
    "DOWN": np.trunc,
    "ROUND_TO_ZERO": np.trunc,
}


@dataclass(frozen=True, slots=True)
class Grid:
    """Integers from `low` to `high`, each of which stands for scale * (q - zero)."""

    scale: Real
    zero: Real
    low: int
    high: int
    rounding: str


def quant_of_constants(call: Call) -> Array:
    """Compute Quant of constants, in the shape of its input.

    Raises:
        DataError: an odd scale, zero point or width, or parts that do not fit.
    """
    x, grid = call.finite(call.array(0, "input"), "input"), read_grid(call)
    try:
        scale, zero = (np.broadcast_to(part, x.shape) for part in (grid.scale, grid.zero))
    except ValueError:
        raise call.error(
            "Quant has scales or zero points that do not fit",
            found=f"{grid.scale.shape} and {grid.zero.shape} for {x.shape}",
        ) from None
    cut = np.clip(x / scale + zero, grid.low, grid.high)
    return np.asarray((_ROUNDINGS[grid.rounding](cut) - zero) * scale)


def read_grid(call: Call, most: int = _MOST_BITS) -> Grid:
    """The integers that Quant makes, of at most so many bits.

    Raises:
        DataError: an odd scale, zero point, width or way to round.
    """
    scale, zero, width = (
        call.real(i, what) for i, what in enumerate(("scale", "zero point", "bit width"), 1)
    )
    signed, narrow = call.integer("signed", 1) != 0, call.integer("narrow", 0) != 0
    rounding = call.text("rounding_mode", "ROUND").upper()
    bits = float(width.ravel()[0]) if width.size == 1 else 0.0
    if not bits.is_integer() or not 1 + signed <= bits <= most:
        raise call.error(
            "Quant has a width that is not read",
            found=f"{bits:g} bits" if width.size == 1 else f"{width.size} widths",
            help=f"one whole number of bits for all, from 2 to {most}; of weights at most 8 are "
            "kept. One bit and a sign (BipolarQuant) is no format of ours",
        )
    if not (scale > 0).all() or scale.size == 0 or zero.size == 0 or (zero != np.rint(zero)).any():
        raise call.error(
            "Quant has odd scales or zero points",
            found=f"scales {scale.ravel()[:3]}, zero points {zero.ravel()[:3]}",
            help="scales above zero, whole zero points",
        )
    if rounding not in _ROUNDINGS:
        raise call.error(
            "Quant rounds in a way that is not known here",
            found=f"rounding_mode = {rounding[:40]}",
            help=", ".join(_ROUNDINGS),
        )
    low = -(1 << int(bits) - 1) + narrow if signed else 0
    high = (1 << int(bits) - signed) - 1 - (narrow and not signed)
    return Grid(scale, zero, low, high, rounding)
