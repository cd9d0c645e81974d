"""Learning rate schedules as tables of at most 32 factors (docs/ARITHMETIC.md, section 8)."""

import math
from collections.abc import Callable

from tpsgd_edge.quantize.model import Schedule
from tpsgd_edge.spec import RuleSpec

_SEGMENTS = 32

# Factor at a share of the training in 0..1, given the factor at its end.
_FACTOR: dict[str, Callable[[float, float], float]] = {
    "linear": lambda share, final: 1 - (1 - final) * share,
    "cosine": lambda share, final: final + (1 - final) * (1 + math.cos(math.pi * share)) / 2,
    "exponential": lambda share, final: float(final**share),
}


def make_schedule(rule: RuleSpec, *, samples: int) -> Schedule:
    """The decay table for the passes of a rule over `samples` training samples."""
    if rule.schedule == "constant":
        return Schedule((2**15,), 1)
    factor = _FACTOR[rule.schedule]
    shares = ((i + 0.5) / _SEGMENTS for i in range(_SEGMENTS))
    decay = tuple(max(1, round(2**15 * factor(share, rule.final_rate))) for share in shares)
    return Schedule(decay, max(1, math.ceil(rule.passes * samples / _SEGMENTS)))
