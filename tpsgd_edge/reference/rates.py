"""The factor of all learning rates, for each type of values (docs/ARITHMETIC.md, section 8)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tpsgd_edge.arithmetic.formats import by_format
from tpsgd_edge.errors import DataError
from tpsgd_edge.quantize.model import QuantizedModel, Schedule
from tpsgd_edge.reference.binary32.update import decay_at as binary32_decay
from tpsgd_edge.reference.integer.update import decay_at as integer_decay

_ONE = 2**15


@dataclass(frozen=True, slots=True)
class RateArithmetic:
    """The state's `rate`: how it is checked, and what it does to a schedule.

    Attributes:
        one: the rate that leaves the spec's as they are.
        checked: the rate in its type; DataError where it is out of its bounds.
        decay: the factor of the learning rates, given schedule, steps since it began, and rate.
    """

    one: Any
    checked: Callable[[float], Any]
    decay: Callable[[Schedule, int, Any], Any]


def _integer_rate(rate: float) -> int:
    if not 0 <= rate <= _ONE or rate != int(rate):
        raise DataError(
            "a rate is a whole number in Q15, from 0 to 32,768 for what the spec says",
            found=f"{rate:g}",
        )
    return int(rate)


def _real_rate(rate: float) -> np.float32:
    if not 0 <= rate <= 1:
        raise DataError("a rate is a number from 0 to 1 for what the spec says", found=f"{rate:g}")
    return np.float32(rate)


def rate_of(model: QuantizedModel, share: float) -> float:
    """A share of the spec's rates as the model's state holds it."""
    return share if model.value_type == "f32" else round(share * _ONE)


_INTEGER = RateArithmetic(_ONE, _integer_rate, integer_decay)
# By the type of a model's values.
RATES: Mapping[str, RateArithmetic] = by_format(
    _INTEGER, RateArithmetic(np.float32(1), _real_rate, binary32_decay)
)
