"""Random losses within the ranges of docs/ARITHMETIC.md, section 6."""

from typing import get_args

import numpy as np

from tests.support.draws import TYPE_RANGE, Rng, choose, extreme, f32, log_uniform, requantize
from tpsgd_edge.quantize.model import (
    Loss,
    LossTable,
    LossTableF32,
    Projection,
    Readout,
    ReadoutF32,
    Target,
    TargetF32,
    ValueType,
)
from tpsgd_edge.spec import NOT_MONOTONE, Activation

# They run in layers that do not learn.
FROZEN_ACTIVATIONS = NOT_MONOTONE
ACTIVATIONS = tuple(name for name in get_args(Activation) if name not in FROZEN_ACTIVATIONS)
TARGET_LOSSES = ("l2", "l1", "huber", "epsilon_insensitive", "custom")


def loss_choices(label_kind: str, activation: str, *, is_last: bool) -> tuple[str, ...]:
    """The losses that fit."""
    kinds = TARGET_LOSSES
    if activation == "sigmoid":
        kinds += ("cross_entropy",)
    if is_last:
        fits = label_kind == "class" and activation == "linear"
        return (*kinds, "softmax_cross_entropy") if fits else kinds
    return (*kinds, "projected_l2") + (
        ("projected_cross_entropy",) if label_kind == "class" else ()
    )


def activation_and_loss(
    rng: Rng, label_kind: str, activation: str | None, loss: str | None, *, is_last: bool
) -> tuple[str, str]:
    """An activation and a loss that fit each other; those that are given stay."""
    pairs = [
        (a, kind)
        for a in ACTIVATIONS
        for kind in loss_choices(label_kind, a, is_last=is_last)
        if activation in (None, a) and loss in (None, kind)
    ]
    # A softmax on top is the common case; drawn evenly it would be one of 26.
    usual = [pair for pair in pairs if pair[1] == "softmax_cross_entropy"]
    return choose(rng, usual if usual and rng.random() < 0.5 else pairs)


def random_loss(
    rng: Rng,
    value_type: ValueType,
    kind: str,
    n_target: int,
    projection: Projection | None,
    *,
    is_last: bool,
    lively: bool,
) -> Loss:
    """The parameters of a loss on `n_target` values."""
    if value_type == "f32":
        return _random_loss_f32(rng, kind, n_target, is_last=is_last)
    if kind == "softmax_cross_entropy":
        # Some nets have logits of hundreds.
        return Loss(kind, logit_shift=n_target % 16 if n_target % 4 == 3 else 0)
    if kind.startswith("projected"):
        shift = 5 if projection is not None and projection.kind in ("gaussian", "learned") else 0
        # v of typical size for lively models: sums of sqrt(n_target) * 64, logits of some hundreds.
        readout = requantize(rng, *((12, 18) if lively else (1, 62)))
        return Loss(kind, readout=Readout(readout, shift))
    s16 = TYPE_RANGE["s16"]
    return Loss(
        kind,
        target=Target(
            mid=0 if is_last else extreme(rng, *s16),
            mult=0 if is_last else extreme(rng, 0, 32767),
            shift=0 if is_last else int(rng.integers(0, 16)),
            on=extreme(rng, *s16) if is_last else 0,
            off=extreme(rng, *s16) if is_last else 0,
        ),
        delta=extreme(rng, 0, 32767) if kind in ("huber", "epsilon_insensitive") else 0,
        table=_random_table(rng) if kind == "custom" else None,
    )


def _random_loss_f32(rng: Rng, kind: str, n_target: int, *, is_last: bool) -> Loss:
    if kind == "softmax_cross_entropy":
        return Loss(kind)
    if kind.startswith("projected"):
        readout = f32(log_uniform(rng, 0.1, 10) / np.sqrt(n_target))
        return Loss(kind, readout=ReadoutF32(readout, f32(rng.uniform(0.02, 1.5))))
    return Loss(
        kind,
        target=TargetF32(
            mid=0.0 if is_last else f32(rng.normal()),
            mult=0.0 if is_last else f32(rng.normal()),
            on=f32(rng.normal()) if is_last else 0.0,
            off=f32(rng.normal()) if is_last else 0.0,
        ),
        delta=f32(rng.uniform(0, 1)) if kind in ("huber", "epsilon_insensitive") else 0.0,
        table=_random_table_f32(rng) if kind == "custom" else None,
    )


def _random_table(rng: Rng) -> LossTable:
    return LossTable(rng.integers(-32767, 32768, 256).astype(np.int16))


def _random_table_f32(rng: Rng) -> LossTableF32:
    values = rng.normal(size=256).astype(np.float32)
    return LossTableF32(values, f32(64 / 2.0 ** rng.integers(0, 4)))
