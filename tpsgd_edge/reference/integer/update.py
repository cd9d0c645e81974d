"""What integer layers of all kinds share: outputs, step sizes, dither (sections 4, 7 and 8)."""

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.ops import Int64, clip, random_round, rshift_round, sat_s16
from tpsgd_edge.quantize.model import QuantizedDense, Schedule
from tpsgd_edge.reference.integer.activation import activate, derivative

BIAS_LIMIT = 2**27
# The step of the Weyl sequence along a row.
_PHI16 = 0x9E37


def outputs(layer: QuantizedDense, acc: Int64) -> Int64:
    """y of accumulators that hold the biases already, in their shape."""
    assert layer.z is not None
    z = clip(rshift_round(acc * layer.z.mult, layer.z.shift), layer.z_min, layer.z_max)
    return activate(layer, z)


def step_sizes(
    layer: QuantizedDense,
    decay: int,
    e: Int64,
    y: Int64,
    words: NDArray[np.uint32],
) -> Int64:
    """d of units with the local errors e, the outputs y and the random words, (units,)."""
    assert layer.rate is not None
    delta = delta_of(layer, e, y)
    if layer.dead_zone:
        delta = np.where(np.abs(delta) < layer.dead_zone, 0, delta)
    a = (layer.rate.mult * decay) >> 15
    return sat_s16(random_round(delta * a, layer.rate.shift, words))


def delta_of(layer: QuantizedDense, e: Int64, y: Int64) -> Int64:
    """delta of units with the errors e and the outputs y, before the dead zone, (units,)."""
    if layer.loss.cancels_derivative:
        return e
    return rshift_round(e * derivative(layer, y), 15)


def decay_at(schedule: Schedule, step: int) -> int:
    """The factor of the learning rate in Q15."""
    return schedule.decay[min(step // schedule.segment_steps, len(schedule.decay) - 1)]


def words_along_a_row(count: int) -> NDArray[np.uint16]:
    """What each input, and then the bias, adds to the start of its row, shape (count + 1,)."""
    return (np.arange(1, count + 2) * _PHI16 & 0xFFFF).astype(np.uint16)


def dither(
    rho: NDArray[np.uint32], words: NDArray[np.uint16] | np.uint16, shift: int
) -> NDArray[np.int32]:
    """Dither below 2^shift from the rows' random words and the words along a row."""
    start = (rho >> np.uint32(16)).astype(np.uint16)
    sequence = (start + words).astype(np.int32)
    return sequence >> (16 - shift) if shift <= 16 else sequence << (shift - 16)


def bias_changes(
    layer: QuantizedDense, d: Int64, rho: NDArray[np.uint32], word: np.uint16
) -> Int64:
    """What the steps d add to the biases, before the clip, shape of d."""
    change: Int64 = (d * layer.bias_one + dither(rho, word, layer.update_shift)) >> (
        layer.update_shift
    )
    return change
