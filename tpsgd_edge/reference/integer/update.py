"""Functions that integer layers share: outputs, step sizes, dither (sections 4, 7 and 8)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.ops import Int64, clip, random_round, rshift_round, sat_s16
from tpsgd_edge.quantize.model import IntegerWeighted, Schedule
from tpsgd_edge.reference.integer.activation import TYPE_RANGE, activate, derivative

BIAS_LIMIT = 2**27
# Sums that run along a row of s8 weights.
_SUMS = 4


def with_input(layer: IntegerWeighted, x: NDArray[Any], y: Int64) -> Int64:
    """Return y, of an adaptor y + x limited to the type, in the shape of y (section 19)."""
    return clip(y + x, *TYPE_RANGE[layer.y_type]) if layer.residual else y


def outputs(layer: IntegerWeighted, acc: Int64) -> Int64:
    """Compute y of accumulators that hold the biases already, in their shape."""
    n = layer.numbers
    return activate(layer, clip(rshift_round(acc * n.z.mult, n.z.shift), n.z_min, n.z_max))


def step_sizes(
    layer: IntegerWeighted,
    decay: int,
    e: Int64,
    y: Int64,
    words: NDArray[np.uint32],
) -> Int64:
    """Compute d (units,) of units with local errors e, outputs y and random words."""
    steps = layer.learning.steps
    delta = delta_of(layer, e, y)
    if steps.dead_zone:
        delta = np.where(np.abs(delta) < steps.dead_zone, 0, delta)
    a = (steps.rate.mult * decay) >> 15
    return sat_s16(random_round(delta * a, steps.rate.shift, words))


def delta_of(layer: IntegerWeighted, e: Int64, y: Int64) -> Int64:
    """Compute delta (units,) of errors e and outputs y, before the dead zone."""
    if layer.loss.cancels_derivative:
        return e
    return rshift_round(e * derivative(layer, y), 15)


def decay_at(schedule: Schedule, age: int, rate: int) -> int:
    """The factor of the learning rate in Q15.

    Args:
        age: training steps since the schedule began.
        rate: that of the state, Q15.
    """
    segment = min(age // schedule.segment_steps, len(schedule.decay) - 1)
    return (schedule.decay[segment] * rate) >> 15


def dither(rho: NDArray[np.uint32], shift: int) -> NDArray[np.int64]:
    """Dither below 2^shift of random words rho, in their shape."""
    return (rho >> np.uint32(32 - shift)).astype(np.int64)


def weight_changes(
    layer: IntegerWeighted, d: Int64, x: NDArray[Any], rho: NDArray[np.uint32]
) -> NDArray[Any]:
    """Changes (units, n_in) that the steps d (units,) make in their rows, before the clip.

    Args:
        x: (n_in,), or (units, n_in) where units read unlike values.
        rho: one random word a unit.
    """
    u = layer.learning.steps.update_shift
    if layer.weight_type == "s16":
        # s32 suffices and halves the time: |d * x| + 2^u < 2^31 (section 11), dither < 2^u.
        change = d.astype(np.int32)[:, np.newaxis] * x.astype(np.int32)
        change += dither(rho, u).astype(np.int32)[:, np.newaxis]
        change >>= u
        return change
    return _running(np.atleast_2d(x).astype(np.int64), d[:, np.newaxis], rho, u)


def _running(x: Int64, d: Int64, rho: NDArray[np.uint32], u: int) -> Int64:
    """Changes whose sums, of every fourth along a row, are the rounded sums of d * x."""
    count = x.shape[1]
    in_turn = np.pad(x, ((0, 0), (0, -count % _SUMS))).reshape(len(x), -1, _SUMS)
    sums = in_turn.cumsum(axis=1) * d[:, np.newaxis]
    starts = rho[:, np.newaxis] + np.arange(_SUMS, dtype=np.uint32) * np.uint32(2**30)
    rounded = (sums + dither(starts, u)[:, np.newaxis]) >> u
    changes: Int64 = np.diff(rounded, axis=1, prepend=0).reshape(len(d), -1)[:, :count]
    return changes


def bias_changes(layer: IntegerWeighted, d: Int64, rho: NDArray[np.uint32]) -> Int64:
    """Changes that the steps d make in the biases, before the clip, in the shape of d."""
    u = layer.learning.steps.update_shift
    change: Int64 = (d * layer.learning.steps.bias_one + dither(rho, u)) >> u
    return change
