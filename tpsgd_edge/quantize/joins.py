"""Numbers of layers that read several values (docs/ARITHMETIC.md, section 20)."""

import math
from collections.abc import Sequence

from tpsgd_edge.errors import SpecError
from tpsgd_edge.graph import Add, Concat
from tpsgd_edge.quantize.branches import FloatSum, IntegerSum
from tpsgd_edge.quantize.model import QuantizedAdd, QuantizedConcat, Requantize, ValueType
from tpsgd_edge.quantize.scales import INPUT_MAX, z_limits

# Sums and products are s32, with what rounding adds to them.
_LARGEST_SHIFT = 30


def quantize_add(
    layer: Add, value_type: ValueType, x_scales: Sequence[float], full_scale: float
) -> QuantizedAdd:
    """A sum in numbers.

    Args:
        x_scales: of the values that it reads.
        full_scale: R of the sum.

    Raises:
        SpecError: the values are too large to be expressed in units of their sum.
    """
    numbers: IntegerSum | FloatSum = FloatSum()
    y_scale = 1.0
    if value_type != "f32":
        y_scale = full_scale / INPUT_MAX[value_type]
        mults, shift = _mults(layer.name, [scale / y_scale for scale in x_scales])
        limits = z_limits(layer.activation, value_type, 1, y_scale)
        numbers = IntegerSum(mults, shift, *limits)
    return QuantizedAdd(
        name=layer.name,
        y_shape=layer.y_shape,
        activation=layer.activation,
        x_type=value_type,
        x_scales=tuple(x_scales),
        y_scale=y_scale,
        numbers=numbers,
    )


def _mults(name: str, factors: Sequence[float]) -> tuple[tuple[int, ...], int]:
    """All factors over one power of two, the largest of them in 15 bits."""
    shift = min(_LARGEST_SHIFT, 15 - math.frexp(max(factors))[1])
    if shift < 1:
        raise SpecError(
            f"the values that layer '{name}' adds cannot be expressed in units of their sum",
            where=f"[model], layer '{name}'",
            found=f"a unit of the largest is {max(factors):.3g} units of the sum",
            help="the values cancel each other: check what the layers before it make",
        )
    return tuple(math.floor(factor * 2.0**shift + 0.5) for factor in factors), shift


def quantize_concat(
    layer: Concat, value_type: ValueType, x_scales: Sequence[float], _full_scale: float = 1.0
) -> QuantizedConcat:
    """A concatenation in numbers, in the largest of the units that it reads.

    Args:
        x_scales: of the values that it reads.
    """
    y_scale = max(x_scales)
    return QuantizedConcat(
        name=layer.name,
        x_shapes=layer.x_shapes,
        x_type=value_type,
        x_scales=tuple(x_scales),
        y_scale=y_scale,
        parts=tuple(_part(scale / y_scale) for scale in x_scales),
    )


def _part(factor: float) -> Requantize:
    """A factor of at most 1.

    >>> _part(1.0), _part(0.75)
    (Requantize(mult=16384, shift=14), Requantize(mult=24576, shift=15))
    """
    shift = min(_LARGEST_SHIFT, 15 - math.frexp(factor)[1])
    return Requantize(math.floor(factor * 2.0**shift + 0.5), shift)
