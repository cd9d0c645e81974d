"""Targets and local errors in binary32 (docs/ARITHMETIC.md, section 12).

A label is a class index, or a float32 array of shape (K,).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from tpsgd_edge.quantize.model import FloatWeighted, LossTableF32, ReadoutF32, TargetF32
from tpsgd_edge.reference.binary32.functions import (
    F32,
    LOG2E,
    ONE,
    ZERO,
    clip,
    label_minus_softmax,
    sum_in_order,
)

Label = int | F32
HALF = np.float32(128.5)
LAST_ENTRY = np.float32(255)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, eq=False)
class LossConstants:
    """Constants of one layer's local loss, prepared once.

    Attributes:
        class_targets: t for each class, shape (K, n_out); None for vectors and in label space.
        projection: P, shape (n_out, K), a copy, which may learn; None in the last layer.
        projection_t: its transpose, contiguous.
    """

    layer: FloatWeighted
    class_targets: F32 | None
    projection: F32 | None
    projection_t: F32 | None
    delta: np.float32


def prepare_loss(layer: FloatWeighted, label_kind: str, label_count: int) -> LossConstants:
    """The constants of the layer's loss."""
    loss = layer.loss
    p = None if layer.projection is None else layer.projection.values.astype(np.float32)
    targets = None
    if isinstance(loss.target, TargetF32) and label_kind == "class":
        if layer.is_last:
            targets = np.full((label_count, layer.n_out), loss.target.off, np.float32)
            np.fill_diagonal(targets, np.float32(loss.target.on))
        else:
            mid, mult = np.float32(loss.target.mid), np.float32(loss.target.mult)
            targets = mid + _present(p).T * mult
    return LossConstants(
        layer=layer,
        class_targets=targets,
        projection=p,
        projection_t=None if p is None else np.ascontiguousarray(p.T),
        delta=np.float32(loss.delta),
    )


def local_error(constants: LossConstants, y: F32, label: Label, total: F32 | None = None) -> F32:
    """e, shape (n_out,)."""
    kind = constants.layer.loss.kind
    if kind in TARGET_SPACE:
        return TARGET_SPACE[kind](constants, target(constants, label) - y)
    if constants.layer.loss.in_label_space:
        return spread(constants, label_error(constants, y, label, total))
    return LABEL_SPACE[kind](y * LOG2E, label)


def target(constants: LossConstants, label: Label) -> F32:
    """t: what each unit should answer, shape (n_out,)."""
    if constants.class_targets is not None:
        return np.asarray(constants.class_targets[label])
    vector = _vector(label)
    if constants.layer.is_last:
        return vector
    parameters = constants.layer.loss.target
    assert isinstance(parameters, TargetF32)
    projected = sum_in_order(_present(constants.projection_t) * vector[:, np.newaxis])
    return np.float32(parameters.mid) + projected * np.float32(parameters.mult)


# ------------------------------------------------------------------ losses in target space


def _l2(constants: LossConstants, r: F32) -> F32:
    return r


def _l1(constants: LossConstants, r: F32) -> F32:
    return np.sign(r)


def _huber(constants: LossConstants, r: F32) -> F32:
    return clip(r, -constants.delta, constants.delta)


def _dead_zone(constants: LossConstants, r: F32) -> F32:
    delta = constants.delta
    return np.where(r > delta, r - delta, np.where(r < -delta, r + delta, ZERO))


def _custom(constants: LossConstants, r: F32) -> F32:
    table = constants.layer.loss.table
    assert isinstance(table, LossTableF32)
    entry = clip(np.floor(r * np.float32(table.scale) + HALF), ZERO, LAST_ENTRY)
    return np.take(table.values, entry.astype(np.int64))


TARGET_SPACE: Mapping[str, Callable[[LossConstants, F32], F32]] = {
    "l2": _l2,
    "l1": _l1,
    "huber": _huber,
    "epsilon_insensitive": _dead_zone,
    "cross_entropy": _l2,
    "custom": _custom,
}


# ------------------------------------------------------------------ losses in label space


def label_error(constants: LossConstants, y: F32, label: Label, total: F32 | None = None) -> F32:
    """q: what the layer's own answer lacks, or that of all layers so far, shape (K,)."""
    loss = constants.layer.loss
    if total is not None:
        return LABEL_SPACE[loss.kind](total * LOG2E, label)
    return LABEL_SPACE[loss.kind](read_out(constants, y), label)


def _cross_entropy(v: F32, label: Label) -> F32:
    return label_minus_softmax(v, _index(label))


def _projected_l2(v: F32, label: Label) -> F32:
    if isinstance(label, np.ndarray):
        wanted = label
    else:
        wanted = np.zeros_like(v)
        wanted[label] = ONE
    return wanted - v


def read_out(constants: LossConstants, y: F32) -> F32:
    """The layer's outputs seen through g P^T, shape (K,)."""
    products = _present(constants.projection) * y[:, np.newaxis]
    return sum_in_order(products) * np.float32(_readout_of(constants).gain)


def spread(constants: LossConstants, q: F32) -> F32:
    """e: an error of the labels brought back to the units through P, shape (n_out,)."""
    products = _present(constants.projection_t) * q[:, np.newaxis]
    return sum_in_order(products) * np.float32(_readout_of(constants).error_scale)


def _readout_of(constants: LossConstants) -> ReadoutF32:
    readout = constants.layer.loss.readout
    assert isinstance(readout, ReadoutF32)
    return readout


# By what the outputs, or what is read out of them, say of the labels.
LABEL_SPACE: Mapping[str, Callable[[F32, Label], F32]] = {
    "softmax_cross_entropy": _cross_entropy,
    "projected_cross_entropy": _cross_entropy,
    "projected_l2": _projected_l2,
}


def _present(value: _T | None) -> _T:
    assert value is not None, "the model lacks a parameter of its loss"
    return value


def _index(label: Label) -> int:
    assert isinstance(label, int), "this loss needs a class label"
    return label


def _vector(label: Label) -> F32:
    assert isinstance(label, np.ndarray), "this loss needs a label vector"
    return label
