"""Learning rate schedules as tables of at most 32 factors (docs/ARITHMETIC.md, section 8)."""

import math

from tpsgd_edge.arithmetic.decay import DECAY
from tpsgd_edge.quantize.model import Schedule
from tpsgd_edge.spec import RuleSpec

_SEGMENTS = 32


def make_schedule(rule: RuleSpec, *, samples: int) -> Schedule:
    """The decay table for the passes of a rule over `samples` training samples."""
    if rule.schedule == "constant":
        return Schedule((2**15,), 1)
    factor = DECAY[rule.schedule]
    shares = ((i + 0.5) / _SEGMENTS for i in range(_SEGMENTS))
    decay = tuple(max(1, round(2**15 * factor(share, rule.final_rate))) for share in shares)
    return Schedule(decay, max(1, math.ceil(rule.passes * samples / _SEGMENTS)))
