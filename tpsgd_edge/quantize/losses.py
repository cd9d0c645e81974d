"""Local losses as integer parameters (docs/ARITHMETIC.md, section 6)."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tpsgd_edge.arithmetic.activations import FACTS
from tpsgd_edge.arithmetic.expression import compile_expression
from tpsgd_edge.arithmetic.projection import UNIT, WIDE
from tpsgd_edge.errors import SpecError
from tpsgd_edge.quantize.binary32 import to_binary32
from tpsgd_edge.quantize.expressible import inverse, smallest_of_shift
from tpsgd_edge.quantize.last_layer import LOG2E
from tpsgd_edge.quantize.model import (
    Loss,
    LossTable,
    LossTableF32,
    Readout,
    ReadoutF32,
    Target,
    TargetF32,
)
from tpsgd_edge.quantize.scales import as_requantize
from tpsgd_edge.spec import LARGEST_POSITIVE, LossSpec

_READOUT_SHIFT = 62


@dataclass(frozen=True, slots=True)
class LossContext:
    """Context of the parameters of a layer's loss.

    Attributes:
        n_target: values that the loss compares.
        full_scale: R of the layer (for f32: of the activation, 1 where it has none).
        label_scale: real value of the largest label: R of the last layer, 1 for classes.
        target_scale: amplitude of random targets as a share of the output's range.
        largest_prototype: real value of 127, where targets are prototypes.
        logit_shift: of section 6.3, of a last layer with softmax.
        is_carried: whether read-outs add to the scores of the layers before (section 22).
    """

    layer: str
    n_target: int
    n_labels: int
    labels: str
    activation: str
    is_last: bool
    is_float: bool
    full_scale: float
    label_scale: float
    projection: str
    target_scale: float
    largest_prototype: float = 0.0
    logit_shift: int = 0
    is_carried: bool = False


def make_loss(spec: LossSpec, context: LossContext) -> tuple[Loss, float]:
    """The loss in numbers, and its error_scale."""
    make = _MAKE[spec.kind]
    return make(spec, context)


def _softmax_cross_entropy(spec: LossSpec, c: LossContext) -> tuple[Loss, float]:
    return Loss(spec.kind, logit_shift=c.logit_shift), 1.0


def _projected_cross_entropy(spec: LossSpec, c: LossContext) -> tuple[Loss, float]:
    gain = UNIT[c.projection] / (math.sqrt(c.n_target) * spec.temperature)
    shift = c.logit_shift if c.is_carried else 0
    factor = gain * LOG2E * c.full_scale / 2**7 * 2.0 ** (8 - shift)
    good = inverse(factor * spec.temperature, smallest_factor=smallest_of_shift(_READOUT_SHIFT))
    advice = f"choose a temperature {good.within(LARGEST_POSITIVE).text}"
    if c.is_carried:
        # Totals are natural logarithms in f32, as outputs are.
        loss, error_scale = _label_space(spec, c, factor, gain, 1.0, advice)
        return replace(loss, logit_shift=shift), error_scale
    return _label_space(spec, c, factor, gain * LOG2E, 1.0, advice)


def _projected_l2(spec: LossSpec, c: LossContext) -> tuple[Loss, float]:
    if c.n_labels * 127 * 32768 >= 2**31 and not c.is_float:
        raise SpecError(
            f"layer '{c.layer}' can overflow its local error",
            where=f"[model], layer '{c.layer}'",
            found=f"{c.n_labels} label values under projected_l2; s32 holds 515",
            help='use loss = "l2" for this layer',
        )
    gain = UNIT[c.projection] / math.sqrt(c.n_target)
    factor = gain * c.full_scale / 2**7 * 2**15 / c.label_scale
    good = inverse(factor * c.label_scale, smallest_factor=smallest_of_shift(_READOUT_SHIFT))
    advice = f'scale the labels, whose largest may be {good.text}, or use loss = "l2"'
    return _label_space(spec, c, factor, gain, c.label_scale, advice)


def _label_space(
    spec: LossSpec, c: LossContext, factor: float, gain: float, unit: float, advice: str
) -> tuple[Loss, float]:
    if c.is_float:
        scale = UNIT[c.projection]
        return Loss(spec.kind, readout=ReadoutF32(_f32(gain), _f32(scale))), 1.0
    g = as_requantize(factor, max_shift=_READOUT_SHIFT)
    if g is None:
        raise SpecError(
            f"the read-out of layer '{c.layer}' cannot be expressed in integers",
            where=f"[model], layer '{c.layer}'",
            found=f"a factor of {factor:.3g}",
            help=advice,
        )
    shift = 5 if c.projection in WIDE else 0
    error_scale = 2.0**shift * UNIT[c.projection] * unit
    return Loss(spec.kind, readout=Readout(g, shift)), error_scale


def _in_target_space(spec: LossSpec, c: LossContext) -> tuple[Loss, float]:
    target: Target | TargetF32 = _target_f32(c) if c.is_float else _target(c)
    return Loss(spec.kind, target=target), c.full_scale


def _l1(spec: LossSpec, c: LossContext) -> tuple[Loss, float]:
    return _in_target_space(spec, c)[0], 1.0


def _with_delta(spec: LossSpec, c: LossContext) -> tuple[Loss, float]:
    loss, error_scale = _in_target_space(spec, c)
    delta = _f32(spec.delta) if c.is_float else min(32767, round(spec.delta / c.full_scale * 2**14))
    return replace(loss, delta=delta), error_scale


def _custom(spec: LossSpec, c: LossContext) -> tuple[Loss, float]:
    r = c.full_scale * (np.arange(256) - 128) / 64
    values = compile_expression(spec.expression or "")(r)
    loss, _ = _in_target_space(spec, c)
    if c.is_float:
        table_f32 = LossTableF32(to_binary32(values), _f32(64 / c.full_scale))
        return replace(loss, table=table_f32), 1.0
    largest = float(np.abs(values).max())
    if largest == 0:
        raise SpecError(
            f"the custom loss of layer '{c.layer}' is zero everywhere",
            where=f"[model], layer '{c.layer}', loss",
            found=f"expression = {spec.expression!r}",
            help="give -dJ/dy as an expression in r = t - y, for example tanh(4 * r)",
        )
    table = np.floor(values / largest * 32767 + 0.5).astype("<i2")
    return replace(loss, table=LossTable(table)), largest * 2**14 / 32767


def _target(c: LossContext) -> Target:
    real = _real_target(c)
    if c.is_last:
        return Target(on=_q15(real.on / c.full_scale), off=_q15(real.off / c.full_scale))
    amplitude = real.mult / c.full_scale * 2**15
    # Entries of a gaussian projection are 37 times larger: keep as many bits of t_mult as fit.
    shift = max(0, min(15, 14 - math.frexp(amplitude)[1])) if amplitude < 2**14 else 0
    mult = min(32767, round(amplitude * 2**shift))
    return Target(mid=_q15(real.mid / c.full_scale), mult=mult, shift=shift)


def _target_f32(c: LossContext) -> TargetF32:
    real = _real_target(c)
    return TargetF32(_f32(real.mid), _f32(real.mult), _f32(real.on), _f32(real.off))


def _real_target(c: LossContext) -> TargetF32:
    """Targets in real units: for hidden layers mid + p * mult, for the last layer on and off."""
    centre, half = FACTS[c.activation].targets
    reach = half * c.target_scale
    if c.is_last:
        if not FACTS[c.activation].is_bounded:
            return TargetF32(on=1.0, off=0.0)
        return TargetF32(on=centre + reach, off=centre - reach)
    if c.projection == "prototype":
        return TargetF32(mult=c.largest_prototype / 127)
    # Two standard deviations of a gaussian entry stay within the range, and the sum over a label
    # vector too.
    entry = UNIT[c.projection] / 2 if c.projection in WIDE else 1.0
    spread = math.sqrt(c.n_labels) if c.labels == "vector" else 1.0
    return TargetF32(mid=centre * c.full_scale, mult=reach * entry / spread * c.full_scale)


def _q15(value: float) -> int:
    return max(-32768, min(32767, round(value * 2**15)))


def _f32(value: float) -> float:
    return float(to_binary32(value))


_MAKE: dict[str, Callable[[LossSpec, LossContext], tuple[Loss, float]]] = {
    "softmax_cross_entropy": _softmax_cross_entropy,
    "projected_cross_entropy": _projected_cross_entropy,
    "projected_l2": _projected_l2,
    "l2": _in_target_space,
    "l1": _l1,
    "huber": _with_delta,
    "epsilon_insensitive": _with_delta,
    "cross_entropy": _in_target_space,
    "custom": _custom,
}
