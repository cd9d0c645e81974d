"""Learning rates and dead zones in integers (docs/ARITHMETIC.md, section 7)."""

from dataclasses import replace

from tpsgd_edge.arithmetic.projection import READOUT_FACTOR, UNIT
from tpsgd_edge.errors import SpecError
from tpsgd_edge.quantize.binary32 import to_binary32
from tpsgd_edge.quantize.expressible import Expressible, proportional
from tpsgd_edge.quantize.model import Projection, Requantize
from tpsgd_edge.quantize.scales import as_requantize
from tpsgd_edge.spec import LARGEST_POSITIVE

_RATE_SHIFT = 30
_READOUT_SHIFT = 13
# Below it a decay to 1 % leaves nothing.
_SMALLEST_RATE = 2**6


def integer_rate(factor: float, *, layer: str, asked: float, is_open: bool = False) -> Requantize:
    """The factor from errors to steps of a layer, for which the spec asks for the rate `asked`.

    Args:
        is_open: nobody asks for just this rate, so that the nearest one will do.

    Raises:
        SpecError: integers cannot express the rate.
    """
    if is_open:
        unit = factor / asked
        factor = unit * expressible_rates(unit).nearest(asked)
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
            help=f"choose one {expressible_rates(factor / asked).text}",
        )
    return result


def expressible_rates(unit: float) -> Expressible:
    """The learning rates of a layer that integers can express, and that a spec may ask for.

    Args:
        unit: what `integer_rate` takes as factor where the rate asked for is 1.
    """
    good = proportional(unit, smallest_factor=_SMALLEST_RATE / 2.0**_RATE_SHIFT)
    return good.within(LARGEST_POSITIVE)


def with_rate(
    projection: Projection,
    rate: float,
    *,
    units: float,
    layer: str,
    is_open: bool,
    is_float: bool,
) -> Projection:
    """A projection that learns with its readout_rate (section 6.5).

    Args:
        is_open: as in `integer_rate`.
        rate: learning rate of the layer, as the spec has it.
        units: R of the layer times the scale of the labels: real values of 2^7 in y8 and of 2^14
            in q.
    """
    real = READOUT_FACTOR * rate / UNIT[projection.kind]
    if is_float:
        return replace(projection, rate=float(to_binary32(real)))
    factor = real * units * 2.0 ** (_READOUT_SHIFT - 7 - 14)
    return replace(projection, rate=integer_rate(factor, layer=layer, asked=rate, is_open=is_open))


def dead_zone(width: float, error_scale: float, *, is_float: bool) -> int | float:
    """The width of a dead zone, s16 in Q14 of the error scale (f32: real)."""
    if is_float:
        return float(to_binary32(width))
    return min(32767, round(width / error_scale * 2**14))
