"""Shapes of random recurrent layers."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.support.draws import Rng, f32, log_uniform
from tpsgd_edge.quantize.model import ValueType

MOST_STEPS = 9


@dataclass(frozen=True)
class RnnPlan:
    """The shape of a recurrent layer; leak as the layer has it: u16 in Q15, or real in f32."""

    n_x: int
    n_out: int
    leak: int | float


def rnn_plans(
    value_type: ValueType, widths: Sequence[int], leaks: Sequence[float]
) -> list[RnnPlan]:
    """A chain of layers: `widths` from the input of one step on, real leaks."""
    pairs = zip(widths, widths[1:], leaks, strict=False)
    return [RnnPlan(n_x, n_out, leak_in(value_type, leak)) for n_x, n_out, leak in pairs]


def random_rnn_plans(rng: Rng, value_type: ValueType, n_x: int, max_width: int) -> list[RnnPlan]:
    """A chain of one to three layers that reads `n_x` values a step."""
    count = int(rng.choice([1, 1, 2, 3]))
    widths = [n_x, *rng.integers(1, max_width + 1, count).tolist()]
    return rnn_plans(value_type, widths, [_random_leak(rng) for _ in range(count)])


def leak_in(value_type: ValueType, leak: float) -> int | float:
    """A real leak in the layer's type."""
    return f32(leak) if value_type == "f32" else max(1, round(leak * 2**15))


def _random_leak(rng: Rng) -> float:
    """Often one of the ends of its range or the usual value, else of any order of magnitude."""
    if rng.random() < 0.5:
        return float(rng.choice([2**-15, 0.15, 1.0, 1.0]))
    return log_uniform(rng, 2**-15, 1)
