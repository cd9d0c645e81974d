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
    note: str

    @property
    def count(self) -> int:
        """Number of segments."""
        return len(self.values)


@dataclass(frozen=True, slots=True)
class RateView:
    """What scales all learning rates.

    Attributes:
        schedule: None where the rate of the spec is constant.
        decay: C for the factor at this step.
        c_type, one, half: of the state's `rate`; in C what leaves the rates as they are, and half.
        is_beyond: C for a rate that is refused; `bounds` the same in words.
        pace: how the rate goes over time, in whole sentences.
    """

    schedule: ScheduleView | None
    decay: str
    c_type: str
    one: str
    half: str
    is_beyond: str
    bounds: str
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
        decay=_decay(model),
        c_type="float" if is_float else "uint32_t",
        one="1.0f" if is_float else "32768",
        half="0.5f" if is_float else "16384",
        is_beyond="!(rate >= 0.0f && rate <= 1.0f)" if is_float else "rate > 32768",
        bounds="rate < 0, rate > 1 or it is no number" if is_float else "rate > 32768",
        pace=_pace(model),
    )


def _decay(model: QuantizedModel) -> str:
    """C for the factor of all learning rates: the schedule's, times that of NAME_set_rate."""
    schedule = model.schedule
    if len(schedule.decay) > 1:
        return "decay_of(model)"
    if model.value_type == "f32":
        factor = c_float(schedule.decay_f32[0])
        return "model->rate" if schedule.decay == (2**15,) else f"{factor} * model->rate"
    if schedule.decay == (2**15,):
        return "(uint16_t)model->rate"
    return f"(uint16_t)(({schedule.decay[0]}u * model->rate) >> 15)"


def _pace(model: QuantizedModel) -> str:
    """How the learning rate goes over time, in whole sentences."""
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
    note = "" if model.value_type == "f32" else ", Q15"
    return ScheduleView(values, schedule.segment_steps, note)
