"""The schedule of learning rates in integers."""

import math

import numpy as np
import pytest

from tpsgd_edge.quantize.schedule import make_schedule
from tpsgd_edge.spec import RuleSpec


@pytest.mark.parametrize("name", ["linear", "cosine", "exponential"])
def test_a_schedule_falls_to_the_final_rate(name):
    schedule = make_schedule(RuleSpec(schedule=name, final_rate=0.1, epochs=4), samples=1000)
    decay = np.array(schedule.decay) / 2**15
    assert len(decay) == 32
    assert schedule.segment_steps == 125
    assert (np.diff(decay) < 0).all()
    assert 0.9 < decay[0] < 1
    assert 0.1 < decay[-1] < 0.13
    # Halfway: the mean of both ends, or their geometric mean.
    halfway = (decay[15] + decay[16]) / 2
    assert halfway == pytest.approx(math.sqrt(0.1) if name == "exponential" else 0.55, rel=0.01)
    assert schedule.decay_f32 == tuple(decay)


def test_a_constant_schedule_is_one_factor():
    schedule = make_schedule(RuleSpec(schedule="constant"), samples=1000)
    assert (schedule.decay, schedule.segment_steps) == ((2**15,), 1)


def test_a_schedule_never_stops_learning_and_never_divides_by_nothing():
    rule = RuleSpec(schedule="exponential", final_rate=1e-9, epochs=1)
    schedule = make_schedule(rule, samples=1)
    assert min(schedule.decay) == 1
    assert schedule.segment_steps == 1


def test_a_schedule_is_never_over_before_the_training():
    """4,001 steps in 32 segments are 125 and a bit."""
    schedule = make_schedule(RuleSpec(epochs=1), samples=4001)
    assert schedule.segment_steps == 126
