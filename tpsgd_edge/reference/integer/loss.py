"""Targets and local errors in integers (docs/ARITHMETIC.md, section 6).

A label is a class index, or an int64 array of shape (K,) in Q15.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.formats import FORMATS
from tpsgd_edge.arithmetic.ops import (
    S16_MAX,
    Int64,
    clip,
    rshift_round,
    sat_s16,
    widen,
)
from tpsgd_edge.quantize.model import IntegerWeighted, Projection, Readout, Target
from tpsgd_edge.reference.integer.activation import to_q15
from tpsgd_edge.reference.integer.softmax import label_minus_softmax

Label = int | Int64
HALF_Q15 = 2**14
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, eq=False)
class LossConstants:
    """Constants of one layer's local loss, prepared once.

    Attributes:
        class_targets: t15 for each class, shape (K, n_out); None for vectors and in label space.
        projection: P as binary64, shape (n_out, K), a copy, which may learn; None in the last
            layer.
        table: of a custom loss.
    """

    layer: IntegerWeighted
    class_targets: Int64 | None
    projection: NDArray[np.float64] | None
    table: Int64 | None


def prepare_loss(layer: IntegerWeighted, label_kind: str, label_count: int) -> LossConstants:
    """The constants of the layer's loss."""
    loss, projection = layer.loss, layer.projection
    targets = None
    if isinstance(loss.target, Target) and label_kind == "class":
        if layer.is_last:
            targets = np.full((label_count, layer.n_out), loss.target.off, np.int64)
            np.fill_diagonal(targets, loss.target.on)
        else:
            targets = _hidden_class_targets(loss.target, _present(projection))
    return LossConstants(
        layer=layer,
        class_targets=targets,
        projection=None if projection is None else projection.values.astype(np.float64),
        table=None if loss.table is None else widen(loss.table.values),
    )


def local_error(
    constants: LossConstants, y: Int64, label: Label, total: Int64 | None = None
) -> Int64:
    """e: s16 in Q14 of the loss's error scale, shape (n_out,)."""
    loss = constants.layer.loss
    if loss.kind in TARGET_SPACE:
        t15 = target(constants, label)
        r = (t15 - to_q15(constants.layer.y_type, y)) >> 1
        return TARGET_SPACE[loss.kind](constants, r)
    if loss.in_label_space:
        return spread(constants, label_error(constants, y, label, total))
    return LABEL_SPACE[loss.kind](y << loss.logit_shift, label)


# ------------------------------------------------------------------ targets


def target(constants: LossConstants, label: Label) -> Int64:
    """t15: what each unit should answer, s16 in Q15 of R, shape (n_out,)."""
    if constants.class_targets is not None:
        return constants.class_targets[label]
    vector = _vector(label)
    if constants.layer.is_last:
        return vector
    parameters = constants.layer.loss.target
    assert isinstance(parameters, Target)
    wide = _exact_product(_present(constants.projection), vector) * parameters.mult
    return sat_s16(parameters.mid + rshift_round(wide, parameters.shift + 15))


def _hidden_class_targets(parameters: Target, projection: Projection) -> Int64:
    columns = widen(projection.values).T
    return sat_s16(parameters.mid + rshift_round(columns * parameters.mult, parameters.shift))


# ------------------------------------------------------------------ losses in target space


def _l2(constants: LossConstants, r: Int64) -> Int64:
    return r


def _l1(constants: LossConstants, r: Int64) -> Int64:
    return np.sign(r) * HALF_Q15


def _huber(constants: LossConstants, r: Int64) -> Int64:
    delta = int(constants.layer.loss.delta)
    return clip(r, -delta, delta)


def _dead_zone(constants: LossConstants, r: Int64) -> Int64:
    return r - _huber(constants, r)


def _custom(constants: LossConstants, r: Int64) -> Int64:
    return _present(constants.table)[clip(rshift_round(r, 8), -128, 127) + 128]


TARGET_SPACE: Mapping[str, Callable[[LossConstants, Int64], Int64]] = {
    "l2": _l2,
    "l1": _l1,
    "huber": _huber,
    "epsilon_insensitive": _dead_zone,
    "cross_entropy": _l2,
    "custom": _custom,
}


# ------------------------------------------------------------------ losses in label space


def label_error(
    constants: LossConstants, y: Int64, label: Label, total: Int64 | None = None
) -> Int64:
    """q: what the layer's own answer lacks, or that of all layers so far, shape (K,)."""
    loss = constants.layer.loss
    if total is not None:
        return LABEL_SPACE[loss.kind](total << loss.logit_shift, label)
    return LABEL_SPACE[loss.kind](read_out(constants, y), label)


def eight_bits(layer: IntegerWeighted, y: Int64) -> Int64:
    """Compute y8 of outputs, in their shape."""
    return y >> FORMATS[layer.y_type].above_q7


def _cross_entropy(v: Int64, label: Label) -> Int64:
    return label_minus_softmax(v, _index(label))


def _projected_l2(v: Int64, label: Label) -> Int64:
    if isinstance(label, np.ndarray):
        wanted = label
    else:
        wanted = np.zeros_like(v)
        wanted[label] = S16_MAX
    return (wanted - v) >> 1


def read_out(constants: LossConstants, y: Int64) -> Int64:
    """v: the layer's outputs seen through P^T, s16, shape (K,)."""
    s = _exact_product(_present(constants.projection).T, eight_bits(constants.layer, y))
    g = _readout_of(constants).gain
    return sat_s16(rshift_round(s * g.mult, g.shift))


def spread(constants: LossConstants, q: Int64) -> Int64:
    """e: an error of the labels brought back to the units through P, shape (n_out,)."""
    e = _exact_product(_present(constants.projection), q)
    return clip(rshift_round(e, _readout_of(constants).error_shift), -S16_MAX, S16_MAX)


def _readout_of(constants: LossConstants) -> Readout:
    readout = constants.layer.loss.readout
    assert isinstance(readout, Readout)
    return readout


# By what the outputs, or what is read out of them, say of the labels.
LABEL_SPACE: Mapping[str, Callable[[Int64, Label], Int64]] = {
    "softmax_cross_entropy": _cross_entropy,
    "projected_cross_entropy": _cross_entropy,
    "projected_l2": _projected_l2,
}


def _exact_product(matrix: NDArray[np.float64], v: Int64) -> Int64:
    # |p| <= 128, |v| <= 2^15, fewer than 2^16 terms: all partial sums are integers below 2^38.
    # So binary64, exact to 2^53, gives the integer result in any order, at the speed of BLAS.
    return (matrix @ v.astype(np.float64)).astype(np.int64)


def _present(value: _T | None) -> _T:
    assert value is not None, "the model lacks a parameter of its loss"
    return value


def _index(label: Label) -> int:
    assert isinstance(label, int), "this loss needs a class label"
    return label


def _vector(label: Label) -> Int64:
    assert isinstance(label, np.ndarray), "this loss needs a label vector"
    return label
