"""Integers of one layer with weights: its numbers, its steps, its first weights."""

import math

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.formats import FORMATS
from tpsgd_edge.arithmetic.random import Purpose, stream
from tpsgd_edge.errors import SpecError
from tpsgd_edge.graph import WeightedLayer, Weights
from tpsgd_edge.quantize.context import DenseContext
from tpsgd_edge.quantize.last_layer import logit_scale
from tpsgd_edge.quantize.learning import IntegerSteps
from tpsgd_edge.quantize.numbers import IntegerNumbers
from tpsgd_edge.quantize.parameters import (
    DTYPES,
    Interval,
    Requantize,
    SeededInit,
    StoredInit,
    ValueType,
    WeightType,
)
from tpsgd_edge.quantize.rates import integer_rate
from tpsgd_edge.quantize.scales import (
    BIAS_BITS,
    INPUT_MAX,
    as_requantize,
    curve_of,
    nearest_scale,
    negative_slope,
    weight_bits,
    weight_scale,
    with_room_for_biases,
    z_limits,
    z_scale,
)

_SMALLEST_WEIGHT_BITS = 8
# Rate of what never learns, or is not yet known to.
NO_RATE = Requantize(0, 1)


def integer_numbers(
    layer: WeightedLayer,
    context: DenseContext,
    first: Weights | None,
    reach: float,
    *,
    unit: float | None = None,
) -> IntegerNumbers:
    """Types, scales and factors of a layer.

    Args:
        first: weights that it starts with; None where they are drawn.
        reach: the largest magnitude of drawn ones.
        unit: real value of one unit of outputs in s16, where these are sums inside of a layer.

    Raises:
        SpecError: the accumulator cannot be proved, or factors cannot be expressed.
    """
    y_type, y_scale = _output(context) if unit is None else ("s16", unit)
    bits = _weight_bits(layer, context)
    shift = 8 if context.value_type == "s16" else 0
    scale = _weight_scale(layer, context, first, reach, bits=bits, bias_shift=shift)
    slope = int(negative_slope(layer.activation, layer.numbers, y_type))
    curve = curve_of(layer.activation, layer.numbers, y_type, y_scale)
    low, high = z_limits(layer.activation, y_type, slope, y_scale)
    return IntegerNumbers(
        weight_type=context.learning.weights,
        x_type=context.value_type,
        y_type=y_type,
        weight_bits=bits,
        weight_scale=scale,
        x_scale=context.x_scale,
        y_scale=y_scale,
        bias_shift=shift,
        z=_z_factor(layer.name, scale, context.x_scale, z_scale(curve, y_type, y_scale)),
        z_min=low,
        z_max=high,
        accumulator=_accumulator(layer, context.value_type, bits, shift),
        negative_slope=slope,
        curve=curve,
    )


def _output(context: DenseContext) -> tuple[ValueType, float]:
    """Type and scale of the outputs."""
    y_type: ValueType = "s16" if context.is_last else context.value_type
    if context.learning.loss.kind == "softmax_cross_entropy":
        return y_type, logit_scale(context.logit_shift)
    return y_type, context.full_scale / (INPUT_MAX[y_type])


def _weight_bits(layer: WeightedLayer, context: DenseContext) -> int:
    weight_type: WeightType = context.learning.weights
    bits = weight_bits(weight_type, context.value_type, layer.n_in)
    if weight_type == "s16" and bits < _SMALLEST_WEIGHT_BITS:
        raise SpecError(
            f"layer '{layer.name}' can overflow its accumulator",
            where=f"[model], layer '{layer.name}'",
            found=f"{layer.n_in:,} inputs of s16 x s8 leave {bits} bits a weight; "
            "s32 holds 2,147,483,647",
            help='use weights = "s8" or activations = "s16", or split the layer',
        )
    return bits


def _weight_scale(
    layer: WeightedLayer,
    context: DenseContext,
    first: Weights | None,
    reach: float,
    *,
    bits: int,
    bias_shift: int,
) -> float:
    learning = context.learning
    if first is not None and learning.weights == "s4" and learning.weight_range is None:
        scale = nearest_scale(first.w, bits, first.step)
        return with_room_for_biases(scale, first.b, context.x_scale * 2**bias_shift)
    scale = weight_scale(
        learning.weights,
        bits,
        layer.n_in,
        reach if first is None else float(np.abs(first.w).max()),
        asked=learning.weight_range,
        trains=learning.trainable,
        is_given=context.graph.layers[context.index].name in context.graph.weights,
        step=None if first is None else first.step,
        all_dense=all(layer.kind == "dense" for layer in context.graph.layers),
    )
    if first is None:
        return scale
    return with_room_for_biases(scale, first.b, context.x_scale * 2**bias_shift)


def _z_factor(layer: str, weight_scale: float, x_scale: float, unit: float) -> Requantize:
    """Factor from the accumulator to z, one unit of which is `unit`."""
    factor = as_requantize(weight_scale * x_scale / unit, max_shift=62)
    if factor is None:
        raise SpecError(
            f"the outputs of layer '{layer}' cannot be expressed in its inputs' units",
            where=f"[model], layer '{layer}'",
            found=f"weights in steps of {weight_scale:.3g}, inputs in steps of {x_scale:.3g}",
            help='scale the data, for example with scaling = "standard"',
        )
    return factor


def _accumulator(layer: WeightedLayer, x_type: str, bits: int, bias_shift: int) -> Interval:
    reach = layer.n_in * 2**bits * INPUT_MAX[x_type]
    reach += 2 ** (BIAS_BITS + bias_shift)
    # Products of s16 are added up in s64, and are proved for 48 bits of it.
    limit = 2**31 if FORMATS[x_type].accumulator == "s32" else 2**47
    if reach >= limit:
        raise SpecError(
            f"layer '{layer.name}' can overflow its accumulator",
            where=f"[model], layer '{layer.name}'",
            found=f"{layer.n_in:,} inputs reach {reach:,}; the accumulator holds {limit - 1:,}",
            help="split the layer",
        )
    return Interval(-reach, reach)


def integer_steps(
    layer: WeightedLayer,
    context: DenseContext,
    numbers: IntegerNumbers,
    rate: float | None,
    *,
    dead_zone: int = 0,
    error_scale: float = 1.0,
) -> IntegerSteps:
    """Steps of a layer.

    Args:
        rate: learning rate for errors in units of the error scale; None without one.

    Raises:
        SpecError: integers cannot express the rate.
    """
    shift = FORMATS[numbers.weight_type].update_shift + numbers.bias_shift
    one = 1 / (numbers.x_scale**2 * 2**numbers.bias_shift)
    return IntegerSteps(
        rate=NO_RATE if rate is None else _rate(layer.name, context, numbers, rate, shift),
        update_shift=shift,
        bias_one=max(1, min(2**30, math.floor(one + 0.5))),
        dead_zone=dead_zone,
        error_scale=error_scale,
    )


def _rate(
    layer: str, context: DenseContext, numbers: IntegerNumbers, rate: float, shift: int
) -> Requantize:
    return integer_rate(
        rate * numbers.x_scale / numbers.weight_scale * 2.0 ** (shift - 14),
        layer=layer,
        asked=context.learning.rate,
        is_open=context.learning.is_rate_open,
    )


def integer_init(
    numbers: IntegerNumbers, context: DenseContext, first: Weights | None, bound: float
) -> SeededInit | StoredInit:
    """First weights of a layer: `first`, or drawn ones up to `bound`."""
    limit = 2**numbers.weight_bits
    if first is None:
        seed = stream(context.spec.seed, Purpose.WEIGHTS, context.index)
        units = math.floor(bound / numbers.weight_scale + 0.5)
        return SeededInit(seed, min(units, limit - 1))
    w = _round_clip(first.w / numbers.weight_scale, -limit, limit - 1)
    b = _round_clip(first.b / numbers.bias_scale, -(2**BIAS_BITS), 2**BIAS_BITS)
    return StoredInit(w.astype(DTYPES[numbers.weight_type]), b.astype("<i4"))


def _round_clip(values: NDArray[np.float64], low: int, high: int) -> NDArray[np.float64]:
    return np.clip(np.floor(values + 0.5), low, high)
