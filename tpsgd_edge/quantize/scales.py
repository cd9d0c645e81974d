"""Real factors as integers, and the scales of inputs, weights and outputs."""

import math

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.activations import FACTS, Numbers
from tpsgd_edge.arithmetic.formats import FORMATS, INTEGERS, S4, S8, S16
from tpsgd_edge.arithmetic.quantile import quantiles
from tpsgd_edge.arithmetic.tables import Curve, z_reach
from tpsgd_edge.quantize.model import Requantize, limits

# Largest magnitudes that the integer input formats reach (section 11).
INPUT_MAX = {number.name: number.reach for number in INTEGERS}
BIAS_BITS = 27

# Real range of the weights of a layer as a multiple of 1 / sqrt(n_in), before rounding to a power
# of two.
# s16 has bits to spare for large weights; s8 learns better from finer steps. In nets of dense
# layers alone these would make more units learn at each sample, which costs more than it gains
# (docs/RESULTS.md).
_RANGE_GAIN = {"s16": 28.0, "s8": 5.0}
# Bits that the largest of given weights has at least, whatever is typical.
_FEWEST_BITS = 5
_RANGE_GAIN_DENSE = _RANGE_GAIN | {"s8": 10.0}
# Scales of weights in 4 bits that are tried, as parts of the largest.
_PARTS = 64


def as_requantize(factor: float, *, max_shift: int) -> Requantize | None:
    """The factor as mult / 2^shift, mult in [2^14, 2^15]; None where shift leaves 1..max_shift.

    >>> as_requantize(0.75, max_shift=62)
    Requantize(mult=24576, shift=15)
    """
    exponent = math.frexp(factor)[1]
    shift = 15 - exponent
    mult = math.floor(math.ldexp(factor, shift) + 0.5)
    if not 1 <= shift <= max_shift:
        return None
    return Requantize(mult, shift)


def power_of_two_above(value: float) -> float:
    """The smallest power of two that is not below the value.

    >>> power_of_two_above(3.0), power_of_two_above(0.25)
    (4.0, 0.25)
    """
    return math.ldexp(1.0, math.ceil(math.log2(value)))


def weight_bits(weight_type: str, x_type: str, n_in: int) -> int:
    """k: the widest weights for which the accumulator is proved not to overflow (section 2)."""
    if FORMATS[weight_type] in (S4, S8) or FORMATS[x_type] is S16:
        return FORMATS[weight_type].bits - 1
    room = (2**31 - 1 - 2**BIAS_BITS) // (n_in * S8.reach)
    return min(15, room.bit_length() - 1) if room > 0 else 0


def weight_range(
    weight_type: str, n_in: int, largest: float, *, all_dense: bool, most: float = math.inf
) -> float:
    """Real magnitude that 2^weight_bits stands for, with room for learning.

    A power of two, but for s8 that must hold large weights: there each step counts.

    Args:
        largest: the largest magnitude among the initial weights.
        most: an upper limit, which leaves small weights some steps.
        all_dense: the net has neither convolutions nor memories nor recurrent layers.
    """
    gain = (_RANGE_GAIN_DENSE if all_dense else _RANGE_GAIN)[weight_type]
    typical = 2.0 ** round(math.log2(gain / math.sqrt(n_in)))
    typical = min(typical, most)
    if FORMATS[weight_type] is S8:
        return max(typical, 1.25 * largest)
    return max(typical, power_of_two_above(1.25 * largest) if largest > 0 else 0.0)


def weight_scale(
    weight_type: str,
    bits: int,
    n_in: int,
    largest: float,
    *,
    asked: float | None,
    trains: bool,
    all_dense: bool,
    is_given: bool = False,
    step: float | None = None,
) -> float:
    """Real value of one unit of the weights.

    Args:
        bits: k.
        largest: the largest magnitude among the initial weights.
        asked: what 2^weight_bits stands for, where the spec says so.
        is_given: the initial weights are not drawn, so that nothing says how large they are.
        step: what all initial weights are whole multiples of; None where there is none.
    """
    if asked:
        return asked / 2.0**bits
    if not trains and largest > 0:
        # No room is needed: the largest weight is the largest integer.
        scale = largest / (2.0**bits - 1)
    else:
        most = math.inf
        if is_given and largest > 0:
            most = power_of_two_above(largest * 2.0 ** (bits - _FEWEST_BITS))
        reach = weight_range(weight_type, n_in, largest, all_dense=all_dense, most=most)
        scale = reach / 2.0**bits
    return scale if step is None else _whole_part(step, scale, largest, bits)


def nearest_scale(w: NDArray[np.float64], bits: int, step: float | None = None) -> float:
    """Real value of one unit of weights (n_out, n_in) that never change.

    It has the least squares of what rounding leaves.

    With few bits it pays to cut the largest weights off, for finer steps of all others. Scales from
    the one at which nothing is cut off to an eighth of it are tried, the largest first.

    Args:
        step: what all weights are whole multiples of, which is the scale where they fit.

    >>> nearest_scale(np.array([[7.0, -3.0], [1.0, 0.0]]), 3)
    1.0
    """
    whole = float(np.abs(w).max()) / (2.0**bits - 1)
    if whole == 0.0:
        return 1.0
    if step is not None:
        steps = np.rint(w / step)
        if steps.min() >= -(2.0**bits) and steps.max() < 2.0**bits:
            return step
    scales = [whole * part / _PARTS for part in range(_PARTS, _PARTS // 8 - 1, -1)]
    return min(scales, key=lambda scale: _squares_left(w, scale, bits))


def _squares_left(w: NDArray[np.float64], scale: float, bits: int) -> float:
    held = np.clip(np.floor(w / scale + 0.5), -(2**bits), 2**bits - 1) * scale
    return float(np.square(w - held).sum())


def _whole_part(step: float, scale: float, largest: float, bits: int) -> float:
    """The part of a step, over a power of two, that is next above `scale`, or the step itself.

    So weights that are whole multiples of it stay whole; `scale` where they would not fit.
    """
    if round(largest / step) > 2**bits - 1:
        return scale
    return math.ldexp(step, -max(0, math.floor(math.log2(step / scale * (1 + 1e-9)))))


def with_room_for_biases(scale: float, biases: NDArray[np.float64], x_unit: float) -> float:
    """Widen `scale` by a power of two: initial biases (n_out,) take at most half their range.

    Args:
        x_unit: real value of one unit of a bias for a `scale` of 1.
    """
    needed = float(np.abs(biases).max()) / (2.0 ** (BIAS_BITS - 1) * x_unit)
    factor: float = power_of_two_above(max(needed / scale, 1.0))
    return scale * factor


def curve_of(activation: str, numbers: Numbers, y_type: str, y_scale: float) -> Curve | None:
    """The curve of an activation that has a table; None of others, and in binary32."""
    if y_type == "f32" or FACTS[activation].curve is None:
        return None
    full_scale = y_scale * INPUT_MAX[y_type]
    return Curve(activation, numbers, z_reach(activation, y_type, numbers, full_scale), full_scale)


def z_scale(curve: Curve | None, y_type: str, y_scale: float) -> float:
    """Real value of one unit of z (section 4): that of y where no table lies between."""
    return y_scale if curve is None else curve.reach / INPUT_MAX[y_type]


def negative_slope(activation: str, numbers: Numbers, y_type: str) -> int | float:
    """Slope of leaky_relu for z below zero, in Q15 (f32: real); 1 for other activations.

    >>> negative_slope("leaky_relu", (0.01,), "s8"), negative_slope("linear", (), "s8")
    (328, 32768)
    """
    slope = numbers[0] if activation == "leaky_relu" else 1.0
    return float(np.float32(slope)) if y_type == "f32" else math.floor(slope * 2**15 + 0.5)


def z_limits(activation: str, y_type: str, slope: int | float, y_scale: float) -> tuple[int, int]:
    """z_min and z_max (section 4).

    Args:
        slope: of leaky_relu, in Q15.
    """
    if y_type == "f32":
        return 0, 0
    low, high = limits(y_type)
    if activation == "leaky_relu":
        # As far as y reaches, where 16 bits hold that.
        return -min(2**15, int(-low * 2**15 // slope)), high
    facts = FACTS[activation]
    if facts.has_ceiling:
        high = min(high, math.floor(facts.ceiling / y_scale + 0.5))
    return (0 if facts.is_never_negative and facts.curve is None else low), high


def input_scale(x: NDArray[np.float64], x_type: str) -> float:
    """Real value of one unit of the input, so that all but 1 in 10,000 values fit.

    Args:
        x: calibration samples after the data's own scaling, shape (n, n_in).
    """
    if x_type == "f32":
        return 1.0
    magnitudes = np.abs(x)
    reach = quantiles(magnitudes, 0.9999)[0] or float(magnitudes.max()) or 1.0
    return reach / (INPUT_MAX[x_type] - 1)


def recurrent_input_scale(scale: float, full_scale: float, x_type: str) -> float:
    """The scale nearest to `scale` that is a power of two times that of the layer's own outputs.

    A recurrent layer reads both in the same units, which must not be finer than its outputs.

    Args:
        full_scale: R of the layer.
    """
    own = full_scale / INPUT_MAX[x_type]
    return own * 2.0 ** max(0, round(math.log2(scale / own)))
