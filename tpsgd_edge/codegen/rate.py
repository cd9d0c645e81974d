"""The learning rate over time: its schedule, and the factor that the state holds (section 8)."""

import textwrap
from dataclasses import dataclass

from tpsgd_edge.codegen.c import c_float
from tpsgd_edge.quantize.model import QuantizedModel


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """The decay table, for models whose learning rate changes."""

    values: tuple[str, ...]
    segment_steps: int

    @property
    def count(self) -> int:
        """Number of segments."""
        return len(self.values)


@dataclass(frozen=True, slots=True)
class RateView:
    """Factors of all learning rates.

    Attributes:
        schedule: None where the rate of the spec is constant.
        factor: of a constant rate, which the spec sets; empty where it is 1.
        c_type, one, half: of the state's `rate`; what leaves the rates as they are, and half.
        pace: how the rate goes over time, in whole sentences.
    """

    schedule: ScheduleView | None
    factor: str
    c_type: str
    one: str
    half: str
    pace: str

    @property
    def pace_lines(self) -> tuple[str, ...]:
        """The pace in lines of a comment."""
        return tuple(textwrap.wrap(self.pace, 96))


def rate_view(model: QuantizedModel) -> RateView:
    """The view of a model's learning rate."""
    is_float = model.value_type == "f32"
    return RateView(
        schedule=_schedule_view(model),
        factor=_factor(model),
        c_type="float" if is_float else "uint32_t",
        one="1.0f" if is_float else "32768",
        half="0.5f" if is_float else "16384",
        pace=_pace(model),
    )


def _factor(model: QuantizedModel) -> str:
    """The factor of a constant rate as a literal; in integers in Q15."""
    schedule = model.schedule
    if len(schedule.decay) > 1 or schedule.decay == (2**15,):
        return ""
    is_float = model.value_type == "f32"
    return c_float(schedule.decay_f32[0]) if is_float else str(schedule.decay[0])


def _pace(model: QuantizedModel) -> str:
    """Describe the learning rate over time, in whole sentences."""
    schedule = model.schedule
    if len(set(schedule.decay)) == 1:
        return "The learning rate stays the same at every step."
    last = schedule.decay[-1]
    steps = schedule.segment_steps * (len(schedule.decay) - 1)
    share = f"{100 * last / 2**15:.2g} % of its start"
    return (
        f"The learning rate falls in {len(schedule.decay)} stages: after {steps:,} steps it stays "
        f"at {share}, until the schedule is restarted."
    )


def _schedule_view(model: QuantizedModel) -> ScheduleView | None:
    """The decay of the learning rate; None where it stays."""
    schedule = model.schedule
    if len(schedule.decay) == 1:
        return None
    if model.value_type == "f32":
        values = tuple(c_float(d) for d in schedule.decay_f32)
    else:
        values = tuple(str(d) for d in schedule.decay)
    return ScheduleView(values, schedule.segment_steps)
