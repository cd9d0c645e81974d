"""Operators that layers take in: activations, and scalings such as BatchNormalization."""

from dataclasses import replace
from typing import Any

import numpy as np

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.frontend.imports.arrays import aligned, cast_type
from tpsgd_edge.frontend.imports.call import Call
from tpsgd_edge.frontend.imports.chain import Chain, activated, last_active, open_layer, scaled
from tpsgd_edge.frontend.onnx_activations import PLAIN

_BOUNDS = {(0.0, 6.0): "relu6", (-1.0, 1.0): "hard_tanh"}
_ONE, _ZERO, _TWO = np.ones(()), np.zeros(()), np.zeros(2)
# From this version on BatchNormalization and Dropout predict unless they are told to train.
_NO_TRAINING = 7
# Slopes of leaky_relu are whole numbers of these.
_SMALLEST_SLOPE = 2.0**-15


def activation(chain: Chain, call: Call) -> Chain:
    """Relu, Tanh, Sigmoid."""
    return activated(chain, call, PLAIN[call.node.op])


def leaky_relu(chain: Chain, call: Call) -> Chain:
    """LeakyRelu, and PRelu with one slope for all."""
    slope = call.number("alpha", 0.01) if call.node.op == "LeakyRelu" else _shared_slope(call)
    if slope == 0:
        return activated(chain, call, "relu")
    return chain if slope == 1 else activated(chain, call, **leaky_settings(call, slope))


def leaky_settings(call: Call, slope: float) -> dict[str, Any]:
    """The settings of a layer with leaky_relu.

    Raises:
        DataError: a slope that our layers have not.
    """
    if not _SMALLEST_SLOPE <= slope <= 1 - _SMALLEST_SLOPE:
        raise call.error(
            f"{call.node.op} has a slope that our layers have not",
            found=f"{slope:g} below zero",
            help=f"a slope of leaky_relu lies between {_SMALLEST_SLOPE:.1e} and 1; 0 is Relu",
        )
    return {"activation": "leaky_relu", "negative_slope": slope}


def _shared_slope(call: Call) -> float:
    slopes = call.real(1, "slope")
    if slopes.size == 0 or (slopes != slopes.flat[0]).any():
        raise call.error(
            "PRelu has a slope for each channel",
            found=f"{slopes.size} slopes",
            help="leaky_relu has one slope for a layer",
        )
    return float(slopes.flat[0])


def clip(chain: Chain, call: Call) -> Chain:
    """Clip: relu from 0 upwards, relu6, hard tanh from -1 to 1, and between other bounds as well.

    From 0 to b it is b / 6 * relu6(6 / b * z), between a and b m + h * hard_tanh((z - m) / h) with
    m = (a + b) / 2 and h = (b - a) / 2: the layer before takes the one scaling in, the layer behind
    the other.
    """
    return bounded(chain, call, _bound(call, "min", 1, -np.inf), _bound(call, "max", 2, np.inf))


def extreme(chain: Chain, call: Call) -> Chain:
    """Read Max and Min with a constant: bounds, of which others may follow.

    Raises:
        DataError: several inputs, or a constant of several numbers.
    """
    constants = [i for i, array in enumerate(call.arrays) if array is not None]
    if len(call.arrays) == 1:
        return chain
    bound = call.real(constants[0], "constant") if len(call.arrays) == 2 and constants else _TWO
    if bound.size != 1:
        raise call.error(
            f"{call.node.op} is no activation of ours",
            found=f"{len(call.arrays)} inputs, a constant of shape {bound.shape}",
            help="the larger of a value and one number is a relu, with Min a Clip",
        )
    value, choose = float(bound.ravel()[0]), max if call.node.op == "Max" else min
    low, high = chain.bounds or (-np.inf, np.inf)
    return replace(chain, bounds=(choose(low, value), choose(high, value)))


def bounded(chain: Chain, call: Call, low: float, high: float) -> Chain:
    """Limit the chain's values to these bounds.

    Raises:
        DataError: no activation of ours has these bounds.
    """
    # The largest numbers of binary32 stand for no bound in old files.
    is_below, is_above = low > -3e38, high < 3e38
    if not is_below and 0 < high < 3e38 and (reopened := without_relu(chain)) is not None:
        chain, low, is_below = reopened, 0.0, True
    if not is_below and not is_above:
        return chain
    if low == 0 and not is_above:
        return activated(chain, call, "relu")
    if not low < high:
        raise call.error(
            f"{call.node.op} has no activation of ours",
            found=f"from {low:g} to {high:g}",
            help="Clip between two bounds is a hard tanh, from 0 upwards relu",
        )
    if not (is_below and is_above):
        return _bounded_on_one_side(chain, call, low if is_below else high, is_below=is_below)
    if (low, high) in _BOUNDS or open_layer(chain) is None:
        return activated(chain, call, _BOUNDS.get((low, high), "hard_tanh"))
    if low == 0:
        factor = np.array(6 / high)
        made = activated(scaled(chain, call, factor, _ZERO), call, "relu6")
        return scaled(made, call, 1 / factor, _ZERO)
    middle, half = np.array((low + high) / 2), np.array((high - low) / 2)
    made = activated(scaled(chain, call, 1 / half, -middle / half), call, "hard_tanh")
    return scaled(made, call, half, middle)


def _bounded_on_one_side(chain: Chain, call: Call, bound: float, *, is_below: bool) -> Chain:
    """Write a bound b as relu: b + relu(z - b) from b upwards, b - relu(b - z) up to b."""
    sign, edge = _ONE if is_below else -_ONE, np.array(bound)
    made = activated(scaled(chain, call, sign, -sign * edge), call, "relu")
    return scaled(made, call, sign, edge)


def without_relu(chain: Chain) -> Chain | None:
    """The chain before the relu of its last layer; None where that has none."""
    at = last_active(chain)
    if (
        at is None
        or at < chain.sealed
        or chain.layers[at].table["activation"] != "relu"
        or chain.pending is not None
    ):
        return None
    layer = chain.layers[at]
    table = {**layer.table, "activation": "linear"}
    before, behind = chain.layers[:at], chain.layers[at + 1 :]
    return replace(chain, layers=(*before, replace(layer, table=table), *behind))


def _bound(call: Call, name: str, index: int, default: float) -> float:
    if call.has(index):
        array = call.array(index, name)
        if array.size != 1 or array.dtype.kind != "f":
            raise call.error("Clip has an odd bound", found=f"{array.dtype} {array.shape}")
        return float(array.ravel()[0])
    value = call.node.attributes.get(name, default)
    if not isinstance(value, float):
        raise call.error("Clip has an odd bound", found=f"{value!r:.40}")
    return value


def batch_normalization(chain: Chain, call: Call) -> Chain:
    """Read BatchNormalization as it predicts: a factor and a shift for each channel.

    Raises:
        DataError: it is in training mode, or its numbers do not fit.
    """
    shape = chain.order.shape
    # Up to opset 6 it trained unless `is_test` was set, and had numbers for each place if asked.
    is_test = call.integer("is_test", int(call.opset >= _NO_TRAINING))
    trains = call.integer("training_mode", 0) or not is_test
    by_place = call.integer("spatial", 1) != 1
    if len(shape) < 2 or shape[0] != 1 or trains or by_place:
        raise call.error(
            "BatchNormalization is not in a form for predictions",
            found=f"values of shape {shape}, {'training' if trains else 'evaluation'} mode"
            + (", spatial = 0" if by_place else ""),
            help="export the net in evaluation mode, with numbers for each channel",
        )
    scale, bias, average, variance = (
        call.real(i, what, (shape[1],)) for i, what in enumerate(("scale", "B", "mean", "var"), 1)
    )
    std = variance + call.number("epsilon", 1e-5)
    if not (std > 0).all():
        raise call.error("BatchNormalization has a variance that is not positive")
    factor = scale / np.sqrt(std)
    by_channel = (1, shape[1], *(1,) * (len(shape) - 2))
    shift = bias - average * factor
    return scaled(chain, call, factor.reshape(by_channel), shift.reshape(by_channel))


def scaler(chain: Chain, call: Call) -> Chain:
    """Read a Scaler of ai.onnx.ml, such as StandardScaler becomes: (x - offset) * scale.

    Raises:
        DataError: it has no offset or no scale.
    """
    parts = [call.node.attributes.get(name) for name in ("offset", "scale")]
    arrays = [np.array(part) for part in parts if isinstance(part, tuple)]
    if len(arrays) != 2:
        raise call.error("Scaler has no offset or no scale")
    offset, factor = (call.finite(array, "numbers") for array in arrays)
    return scaled(chain, call, factor, -offset * np.broadcast_to(factor, offset.shape))


def arithmetic(chain: Chain, call: Call) -> Chain:
    """Read Add, Sub, Mul and Div with a constant: a bias or a scaling.

    Raises:
        DataError: a division by 0, or of a constant by values.
    """
    op, is_first = call.node.op, call.arrays[0] is not None
    constant = call.real(0 if is_first else 1, "constant")
    constant = aligned(call, constant, chain.order.ndim)
    if constant.ndim > chain.order.ndim and constant.size == 1:
        constant = constant.reshape(())
    if op == "Div":
        if is_first or (constant == 0).any():
            raise call.error(
                "Div is no scaling", found="a division of a constant, or by zero", help="multiply"
            )
        return scaled(chain, call, 1 / constant, _ZERO)
    if op == "Mul":
        return scaled(chain, call, constant, _ZERO)
    sign: Array = -_ONE if op == "Sub" and is_first else _ONE
    return scaled(chain, call, sign, -constant if op == "Sub" and not is_first else constant)


def same(chain: Chain, call: Call) -> Chain:
    """Leave the chain as it is: Dropout as it predicts, and Cast from one real type to another.

    Raises:
        DataError: Dropout in training mode, or Cast to whole numbers.
    """
    if call.node.op == "Cast" and cast_type(call) not in (1, 10, 11, 16):
        raise call.error(
            "Cast makes whole numbers of values", help="values stay real numbers up to the end"
        )
    if call.node.op == "Dropout" and not call.integer("is_test", int(call.opset >= _NO_TRAINING)):
        raise call.error(
            "Dropout is still in training mode",
            found="is_test = 0",
            help="export the net in evaluation mode",
        )
    drops = not call.has(1) or call.array(1, "ratio").any()
    if drops and call.node.op == "Dropout" and call.has(2) and call.array(2, "training_mode").any():
        raise call.error(
            "Dropout is still in training mode", help="export the net in evaluation mode"
        )
    return replace(chain, second=None, are_whole=chain.are_whole and call.node.op != "Cast")


def negated(chain: Chain, call: Call) -> Chain:
    """Neg: a scaling by -1."""
    return scaled(chain, call, -_ONE, _ZERO)
