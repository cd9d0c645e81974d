"""Activations and their derivatives in integers (docs/ARITHMETIC.md, sections 4 and 5)."""

from collections.abc import Callable, Mapping
from functools import cache, partial

import numpy as np

from tpsgd_edge.arithmetic.activations import FACTS
from tpsgd_edge.arithmetic.formats import FORMATS, INTEGERS, S8
from tpsgd_edge.arithmetic.ops import Int64, rshift_round, widen
from tpsgd_edge.arithmetic.tables import FIXED, Curve, slope_table, table_s8, table_s16
from tpsgd_edge.quantize.model import IntegerWeighted, ValueType

ONE_Q15 = 2**15
TYPE_RANGE: Mapping[str, tuple[int, int]] = {own.name: own.limits for own in INTEGERS}


def activate(layer: IntegerWeighted, z: Int64) -> Int64:
    """Outputs y of the layer's activation, shape of `z`, in the range of the layer's `y_type`."""
    return ACTIVATIONS[layer.activation](layer, z)


def derivative(layer: IntegerWeighted, y: Int64) -> Int64:
    """Compute g15 = f'(z) in Q15 from outputs y, in the shape of y."""
    return DERIVATIVES[layer.activation](layer, y)


def to_q15(y_type: ValueType, y: Int64) -> Int64:
    """Compute y15, outputs in Q15 of their full scale, in the shape of y."""
    return y << FORMATS[y_type].below_q15


@cache
def _wide_table(curve: Curve, y_type: ValueType) -> Int64:
    return widen(table_s8(curve) if FORMATS[y_type] is S8 else table_s16(curve))


def _tabulated(curve: Curve, layer: IntegerWeighted, z: Int64) -> Int64:
    table = _wide_table(curve, layer.y_type)
    if FORMATS[layer.y_type] is S8:
        return np.take(table, z + 128)
    a = (z >> 8) + 128
    low: Int64 = table[a]
    return low + rshift_round((table[a + 1] - low) * (z & 255), 8)


def _own_curve(layer: IntegerWeighted, z: Int64) -> Int64:
    return _tabulated(_curve_of(layer), layer, z)


def _curve_of(layer: IntegerWeighted) -> Curve:
    if layer.numbers.curve is None:
        raise ValueError(f"layer '{layer.name}' has no table for {layer.activation}")
    return layer.numbers.curve


def _identity(layer: IntegerWeighted, z: Int64) -> Int64:
    # relu, relu6 and hard_tanh are in z_min, z_max and in the unit of z.
    return z


def _leaky_relu(layer: IntegerWeighted, z: Int64) -> Int64:
    return np.where(z < 0, rshift_round(z * layer.numbers.negative_slope, 15), z)


def _derivative_tanh(layer: IntegerWeighted, y: Int64) -> Int64:
    y15 = to_q15(layer.y_type, y)
    return ONE_Q15 - ((y15 * y15) >> 15)


def _derivative_sigmoid(layer: IntegerWeighted, y: Int64) -> Int64:
    y15 = to_q15(layer.y_type, y)
    return (y15 * (ONE_Q15 - y15)) >> 15


def _derivative_relu(layer: IntegerWeighted, y: Int64) -> Int64:
    return np.where(y > 0, ONE_Q15, 0)


def _derivative_relu6(layer: IntegerWeighted, y: Int64) -> Int64:
    return np.where((y > 0) & (y < layer.numbers.z_max), ONE_Q15, 0)


def _derivative_leaky_relu(layer: IntegerWeighted, y: Int64) -> Int64:
    return np.where(y > 0, ONE_Q15, layer.numbers.negative_slope)


def _derivative_hard_tanh(layer: IntegerWeighted, y: Int64) -> Int64:
    low, high = TYPE_RANGE[layer.y_type]
    return np.where((y == low) | (y == high), 0, ONE_Q15)


def _derivative_linear(layer: IntegerWeighted, y: Int64) -> Int64:
    return np.full_like(y, ONE_Q15)


def _derivative_by_table(layer: IntegerWeighted, y: Int64) -> Int64:
    y8 = y >> FORMATS[layer.y_type].above_q7
    return np.take(widen(slope_table(_curve_of(layer))), y8 + 128)


def _derivative_hard_sigmoid(layer: IntegerWeighted, y: Int64) -> Int64:
    return np.where((y > 0) & (y < TYPE_RANGE[layer.y_type][1]), ONE_Q15, 0)


ACTIVATIONS: Mapping[str, Callable[[IntegerWeighted, Int64], Int64]] = {
    "tanh": partial(_tabulated, FIXED["tanh"]),
    "sigmoid": partial(_tabulated, FIXED["sigmoid"]),
    "relu": _identity,
    "relu6": _identity,
    "leaky_relu": _leaky_relu,
    "hard_tanh": _identity,
    "linear": _identity,
    **{name: _own_curve for name in FACTS if FACTS[name].has_own_curve},
}
DERIVATIVES: Mapping[str, Callable[[IntegerWeighted, Int64], Int64]] = {
    "tanh": _derivative_tanh,
    "sigmoid": _derivative_sigmoid,
    "relu": _derivative_relu,
    "relu6": _derivative_relu6,
    "leaky_relu": _derivative_leaky_relu,
    "hard_tanh": _derivative_hard_tanh,
    "linear": _derivative_linear,
    **{name: _derivative_by_table for name in FACTS if FACTS[name].has_slope_table},
    "hard_sigmoid": _derivative_hard_sigmoid,
}
"""Of the activations that can learn."""
