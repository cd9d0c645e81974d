"""What a work keeps of a stream that memories read: nothing behind its end, nothing of the last."""

import numpy as np
import pytest

from tests.unit.test_works import _HEAD, check
from tpsgd_edge.quantize.model import QuantizedModel
from tpsgd_edge.spec import spec_from_dict
from tpsgd_edge.stages import prepare

OUT = {"name": "out", "units": 3}
# The sums of one sequence; and a memory that hands on at every fourth step what others keep.
SUMS = [{"kind": "memory", "name": "m", "cosines": 3}, OUT]
TURNS = [
    {"kind": "memory", "name": "m", "leak": [1, 0.25], "every": 4},
    {"name": "a", "units": 5},
    {"kind": "memory", "name": "mean", "cosines": 1},
    OUT,
]
_TOO_LONG = (
    _HEAD
    + """
static struct net_model model;
static model_output_t before[NET_N_OUT], after[NET_N_OUT];

int main(void)
{
    static model_x_t x[NET_N_STEP_IN];

    net_init(&model);
    net_reset();
    for (int step = 0; step < NET_N_STEPS + 3; step++) {
        for (int i = 0; i < NET_N_STEP_IN; i++) {
            x[i] = step < NET_N_STEPS ? value() : 100;
        }
        STEP
        if (step == NET_N_STEPS - 1) {
            net_answer(&model, before);
        }
    }
    net_answer(&model, after);
    CHECK(memcmp(before, after, sizeof before) == 0);
    return 0;
}
"""
)
_BEGUN_AGAIN = (
    _HEAD
    + """
static struct net_model model;
static struct net_work used, fresh;
static model_output_t first[NET_N_OUT], again[NET_N_OUT];

int main(void)
{
    static model_x_t x[NET_N_STEP_IN];

    net_init(&model);
    net_reset_with(&fresh);
    net_reset_with(&used);
    for (int step = 0; step < NET_N_STEPS; step++) {
        for (int i = 0; i < NET_N_STEP_IN; i++) {
            x[i] = 100;
        }
        (void)net_step_with(&model, &used, x);
    }
    net_answer_with(&model, &used, first);
    net_reset_with(&used);
    net_answer_with(&model, &fresh, first);
    net_answer_with(&model, &used, again);
    CHECK(memcmp(first, again, sizeof first) == 0);
    /* Before the memory hands on for the first time, too. */
    for (int step = 0; step < 2; step++) {
        (void)net_step_with(&model, &used, x);
        (void)net_step_with(&model, &fresh, x);
        net_answer_with(&model, &fresh, first);
        net_answer_with(&model, &used, again);
        CHECK(memcmp(first, again, sizeof first) == 0);
    }
    return 0;
}
"""
)


def model_of(folder, layers, weights) -> QuantizedModel:
    """A net on sequences of eight timesteps."""
    rng = np.random.default_rng(4)
    np.savez(folder / "own.npz", x=rng.standard_normal((60, 8, 2)), y=np.arange(60) % 3)
    content = {
        "name": "net",
        "model": {"layers": layers},
        "numbers": {"weights": weights},
        "data": {"file": "own.npz"},
        "platform": {"name": "host"},
    }
    return prepare(spec_from_dict(content, folder=folder, source="net.toml")).model


@pytest.mark.parametrize("weights", ["s16", "f32"])
def test_steps_behind_the_end_of_a_sequence_change_no_sum(tmp_path, weights):
    model = model_of(tmp_path, SUMS, weights)
    check(model, _TOO_LONG.replace("STEP\n", "(void)net_step(&model, x);\n"), tmp_path)


@pytest.mark.parametrize("weights", ["s16", "f32"])
def test_a_sequence_begins_with_nothing_of_the_one_before(tmp_path, weights):
    check(model_of(tmp_path, TURNS, weights), _BEGUN_AGAIN, tmp_path)
