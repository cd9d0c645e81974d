"""Random networks that train by backpropagation, no bit away from the reference.

A failing test names its seed, and `pytest tests/random/test_random_backprop.py -k SEED` repeats it.
"""

import numpy as np
import pytest

from tests.random.counts import NOW
from tests.random.networks import network, project_of, samples_of
from tests.random.running import OTHER_BUILDS, SANITIZED, run_model
from tests.random.test_proof_can_fail import changed, lively_model, verdict_of
from tests.support.backprop import with_backprop
from tpsgd_edge.quantize.model import QuantizedModel
from tpsgd_edge.reference import Reference

BACKPROP = NOW["backprop"]
_FIRST_SEED = 13_000


def backprop_network(seed: int) -> QuantizedModel:
    return with_backprop(
        np.random.default_rng(seed), network(seed, maps=seed % 3 > 0, plain_maps=True)
    )


@pytest.mark.parametrize("seed", range(_FIRST_SEED, _FIRST_SEED + BACKPROP.sanitized))
def test_sanitized_code_does_what_the_reference_does(seed):
    run_model(backprop_network(seed), seed, SANITIZED)


@pytest.mark.parametrize("seed", range(BACKPROP.per_build))
@pytest.mark.parametrize("name", OTHER_BUILDS)
def test_other_builds_do_what_the_reference_does(name, seed):
    run_model(backprop_network(seed), seed, OTHER_BUILDS[name])


def test_errors_reach_the_first_layers():
    reached = several = 0
    for seed in range(60):
        model = backprop_network(seed)
        reference = Reference(model)
        for x, label in zip(*samples_of(model, seed), strict=True):
            reference.train_step(x, label)
            if len(model.way_down(len(model.layers) - 1)) > 2:
                several += 1
                reached += model.way_down(len(model.layers) - 1)[-1] in reference.changed
    assert reached > several / 5 > 60


MUTATIONS = {
    "shift of the errors": ("net.c", r"(backward_\w+\(&fc3_layer, [^;]*?, )\d+,", r"\g<1>9,"),
    "rows without an error": ("net_tps_backward.c", r"error == 0\)", "error < 0)"),
    "last of four columns": ("net_tps_backward.c", r"w\[3\] \* error", "w[2] * error"),
    "limit of errors": ("net_tps_backward.c", r"-INT16_MAX, INT16_MAX\)", "-INT8_MAX, INT8_MAX)"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_one_changed_place_is_found_below_the_last_layer(name):
    model = with_backprop(np.random.default_rng(4), lively_model(), some_frozen=False)
    x, labels = samples_of(model, 5)
    project = project_of(model, x[:4], labels[:4])
    assert verdict_of(model, project).verdict == "equal"
    verdict = verdict_of(model, changed(project, *MUTATIONS[name]))
    assert verdict.verdict == "mismatch"
    assert verdict.tensor in ("fc1.w", "fc2.w")
