"""Shapes of random recurrent layers."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.support.draws import Rng
from tpsgd_edge.quantize.model import ValueType

MOST_STEPS = 9


@dataclass(frozen=True)
class RnnPlan:
    """The shape of a recurrent layer; the rest as in `QuantizedRnn`."""

    n_x: int
    n_out: int
    leak_shifts: tuple[int, ...]
    has_traces: bool
    own_shift: int


def rnn_plans(
    value_type: ValueType,
    widths: Sequence[int],
    leak_shifts: Sequence[tuple[int, ...]],
    has_traces: Sequence[bool],
) -> list[RnnPlan]:
    """A chain of layers: `widths` from the input of one step on, then what each layer has.

    Inputs and outputs are in the same units.
    """
    own = _usual_own_shift(value_type)
    each = zip(pairwise(widths), leak_shifts, has_traces, strict=True)
    return [RnnPlan(n_x, n_out, leaks, traces, own) for (n_x, n_out), leaks, traces in each]


def random_rnn_plans(rng: Rng, value_type: ValueType, n_x: int, max_width: int) -> list[RnnPlan]:
    """A chain of one to three layers that reads `n_x` values a step."""
    plans = []
    for n_out in rng.integers(1, max_width + 1, int(rng.choice([1, 1, 2, 3]))).tolist():
        groups = int(rng.integers(1, min(n_out, 5) + 1))
        leaks = tuple(_random_shift(rng) for _ in range(groups))
        has_traces = bool(rng.random() < 0.5)
        own = _usual_own_shift(value_type) if rng.random() < 0.6 else int(rng.integers(16))
        plans.append(RnnPlan(n_x, n_out, leaks, has_traces, own))
        n_x = n_out
    return plans


def _usual_own_shift(value_type: ValueType) -> int:
    return 8 if value_type == "s8" else 0


def _random_shift(rng: Rng) -> int:
    """Often the plain layer, or a usual one; else any."""
    if rng.random() < 0.6:
        return int(rng.choice([0, 0, 1, 2, 3]))
    return int(rng.integers(16))
