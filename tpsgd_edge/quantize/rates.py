"""Learning rates and dead zones in integers (docs/ARITHMETIC.md, section 7)."""

import numpy as np

from tpsgd_edge.errors import SpecError
from tpsgd_edge.quantize.model import Requantize
from tpsgd_edge.quantize.scales import as_requantize

_RATE_SHIFT = 30
# Below it a decay to 1 % leaves nothing.
_SMALLEST_RATE = 2**6


def integer_rate(factor: float, *, layer: str, asked: float) -> Requantize:
    """The factor from errors to steps of a layer, for which the spec asks for the rate `asked`."""
    result = as_requantize(factor, max_shift=_RATE_SHIFT)
    # The rates of large maps are below what 15 bits reach.
    mult = round(factor * 2.0**_RATE_SHIFT)
    if result is None and _SMALLEST_RATE <= mult < 2**14:
        result = Requantize(mult, _RATE_SHIFT)
    if result is None:
        raise SpecError(
            f"the learning rate of layer '{layer}' is out of the integers' reach",
            where=f"[rule] learning_rate, layer '{layer}'",
            found=f"{asked:g}",
            help=f"choose a {'larger' if factor < 1 else 'smaller'} one",
        )
    return result


def dead_zone(width: float, error_scale: float, *, is_float: bool) -> int | float:
    """The width of a dead zone, s16 in Q14 of the error scale (f32: real)."""
    if is_float:
        return float(np.float32(width))
    return min(32767, round(width / error_scale * 2**14))
