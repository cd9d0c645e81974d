"""Values that a file rounds to steps: QuantizeLinear, DequantizeLinear and Quant between layers.

They stay real numbers, and have steps of ours on the device. Where a file's steps begin at 0 is a
layer's relu; where they are few, what they cut off at both ends is its activation.
"""

import math
from dataclasses import replace

import numpy as np

from tpsgd_edge.arithmetic.activations import FACTS
from tpsgd_edge.frontend.imports import elementwise
from tpsgd_edge.frontend.imports.call import Call
from tpsgd_edge.frontend.imports.chain import Chain, activated, last_active, scaled
from tpsgd_edge.frontend.imports.few_bits import read_grid
from tpsgd_edge.frontend.imports.quantized import along, scale_of, whole_bounds, zero_of

_NONE = np.zeros((), np.uint8)
_MOST_BITS = 16
# From here on, the narrow range of 8 bits, little is cut off.
_MANY_STEPS = 254
# Scales of files are binary32.
_STEP = 1.001
_TO_NEAREST = ("ROUND", "HALF_EVEN", "HALF_UP", "HALF_DOWN")


def quantize(chain: Chain, call: Call) -> Chain:
    """Read QuantizeLinear of values: relu if its smallest integer stands for 0.

    Raises:
        DataError: it has several scales.
    """
    scale, zero = scale_of(call), zero_of(call)
    call.integer("axis", 1)
    if scale.size != 1 or zero.size != 1:
        raise call.error(
            "QuantizeLinear of values has a scale for each channel",
            found=f"{scale.size} scales",
            help="only weights may have several",
        )
    step, origin = float(scale.ravel()[0]), float(zero.ravel()[0])
    limits = np.iinfo(zero.dtype)
    low, high = step * (limits.min - origin), step * (limits.max - origin)
    return replace(with_steps(chain, call, low, high, step), grid=(step, origin))


def dequantize(chain: Chain, call: Call) -> Chain:
    """Read DequantizeLinear of what QuantizeLinear made, or of samples that are whole numbers.

    Raises:
        DataError: it reads something else.
    """
    scale = scale_of(call)
    if chain.are_whole:
        zero = along(call, chain.order, call.array(2, "zero point") if call.has(2) else _NONE)
        factor = along(call, chain.order, scale)
        return scaled(replace(chain, are_whole=False), call, factor, -factor * zero)
    if chain.grid is None:
        raise call.error(
            "DequantizeLinear reads what no QuantizeLinear made",
            help="samples and values between layers are real numbers",
        )
    call.integer("axis", 1)
    return replace(chain, grid=None)


def clip(chain: Chain, call: Call) -> Chain:
    """Read Clip, also of what QuantizeLinear made: integers of fewer bits.

    Raises:
        DataError: bounds that are no whole numbers, or an activation that cannot be cut off.
    """
    if chain.grid is None:
        return elementwise.clip(chain, call)
    (step, zero), (low, high) = chain.grid, whole_bounds(call)
    return with_steps(chain, call, step * (low - zero), step * (high - zero), step)


def quant(chain: Chain, call: Call) -> Chain:
    """Read Quant of values.

    Raises:
        DataError: it has several scales, does not round to the nearest step, has more than 16 bits,
            or few steps and an activation before it that cannot be cut off.
    """
    grid = read_grid(call, most=_MOST_BITS)
    if grid.scale.size != 1 or grid.zero.size != 1:
        raise call.error(
            "Quant of values has a scale for each channel",
            found=f"{grid.scale.size} scales, {grid.zero.size} zero points",
            help="only weights may have several",
        )
    if grid.rounding not in _TO_NEAREST:
        raise call.error(
            "Quant of values does not round to the nearest step",
            found=f"rounding_mode = {grid.rounding}",
            help="values that are always rounded down or up are shifted by half a step, which no "
            "layer of ours does: train the net with ROUND",
        )
    scale, zero = float(grid.scale.ravel()[0]), float(grid.zero.ravel()[0])
    return with_steps(chain, call, scale * (grid.low - zero), scale * (grid.high - zero), scale)


def with_steps(chain: Chain, call: Call, low: float, high: float, step: float) -> Chain:
    """The chain whose values a file rounds to steps from `low` to `high`.

    Steps that begin at 0 are a relu; where they are few, values end at `high` and at `low`, too.
    The net as it was before is kept, as it ends with that.

    Raises:
        DataError: few steps, and an activation before them that cannot be cut off.
    """
    if not chain.layers:
        return chain
    before: Chain | None = chain if chain.before_steps is None else chain.before_steps
    made = chain
    at = last_active(chain)
    if low == 0 and (at is None or not _is_never_negative(chain, at)):
        made = activated(chain, call, "relu")
    is_coarse = round((high - low) / step) < _MANY_STEPS
    reached = _reach(made)
    # What goes no further than a step over an end is not worth an activation.
    is_held = reached[0] >= low - _STEP * step and reached[1] <= high + _STEP * step
    if is_coarse and not is_held:
        reopened = elementwise.without_relu(made)
        lowest = low if reopened is None else max(low, 0.0)
        made = elementwise.bounded(made if reopened is None else reopened, call, lowest, high)
    if made is chain:
        before = chain.before_steps
    return replace(made, before_steps=before, has_few_steps=made.has_few_steps or is_coarse)


def _is_never_negative(chain: Chain, at: int) -> bool:
    return FACTS[chain.layers[at].table["activation"]].is_never_negative


def _reach(chain: Chain) -> tuple[float, float]:
    """Bounds of the chain's values that follow from the last activation."""
    at = last_active(chain)
    if at is None:
        return -math.inf, math.inf
    facts = FACTS[chain.layers[at].table["activation"]]
    high = 1.0 if facts.is_bounded else facts.ceiling
    low = 0.0 if facts.is_never_negative else -high
    if chain.pending is None:
        return low, high
    scale, shift = chain.pending.scale, chain.pending.shift
    if not (scale > 0).all():
        return -math.inf, math.inf
    return float((scale * low + shift).min()), float((scale * high + shift).max())
