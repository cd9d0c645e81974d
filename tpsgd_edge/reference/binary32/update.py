"""Functions that binary32 layers of all kinds share: lanes, outputs, step sizes (section 12)."""

import numpy as np

from tpsgd_edge.quantize.model import FloatWeighted, Schedule
from tpsgd_edge.reference.binary32.activation import ACTIVATIONS, DERIVATIVES
from tpsgd_edge.reference.binary32.functions import F32, ZERO, clip

LANES = 8
Z_LIMIT = np.float32(2**20)
STEP_LIMIT = np.float32(2**10)


def join_lanes(lanes: F32) -> F32:
    """Join the eight lanes of shape (8, ...) to accumulators."""
    even = (lanes[0] + lanes[4]) + (lanes[2] + lanes[6])
    odd = (lanes[1] + lanes[5]) + (lanes[3] + lanes[7])
    total: F32 = even + odd
    return total


def outputs(layer: FloatWeighted, acc: F32) -> F32:
    """Compute y of accumulators that hold the biases already, in their shape."""
    return ACTIVATIONS[layer.activation](clip(acc, -Z_LIMIT, Z_LIMIT), *_numbers(layer))


def step_sizes(layer: FloatWeighted, decay: np.float32, e: F32, y: F32) -> F32:
    """Compute d (units,) of units with the local errors e and the outputs y."""
    delta = delta_of(layer, e, y)
    steps = layer.learning.steps
    delta = np.where(np.abs(delta) < np.float32(steps.dead_zone), ZERO, delta)
    return clip(np.float32(steps.rate) * decay * delta, -STEP_LIMIT, STEP_LIMIT)


def delta_of(layer: FloatWeighted, e: F32, y: F32) -> F32:
    """Compute delta (units,) of errors e and outputs y, before the dead zone."""
    if layer.loss.cancels_derivative:
        return e
    return e * DERIVATIVES[layer.activation](y, *_numbers(layer))


def _numbers(layer: FloatWeighted) -> tuple[np.float32, ...]:
    """Settings of the activation, in binary32."""
    return tuple(np.float32(number) for number in layer.settings)


def decay_at(schedule: Schedule, age: int, rate: np.float32) -> np.float32:
    """The factor of the learning rate, `age` steps after the schedule began."""
    segment = min(age // schedule.segment_steps, len(schedule.decay) - 1)
    return np.float32(np.float32(schedule.decay_f32[segment]) * rate)
