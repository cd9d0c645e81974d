"""Random networks in which errors are passed on, no bit away from the reference.

A failing test names its seed, and `pytest tests/random/test_random_blocks.py -k SEED` repeats it.
"""

import numpy as np
import pytest

from tests.random.counts import NOW
from tests.random.networks import network, project_of, samples_of
from tests.random.running import OTHER_BUILDS, SANITIZED, run_model
from tests.random.test_proof_can_fail import changed, verdict_of
from tests.support.blocks import with_blocks
from tpsgd_edge.quantize.model import QuantizedModel

BLOCKS = NOW["blocks"]
_FIRST_SEED = 26_000
# Of a network whose errors show on their whole way.
_LIVELY = 280


def block_network(seed: int) -> QuantizedModel:
    hidden = ([9, 7], [6], [8, 5, 6])[seed % 4 % 3]
    model = network(seed, maps=seed % 3 > 0, plain_maps=True, hidden=hidden)
    return with_blocks(np.random.default_rng(seed), model)


@pytest.mark.parametrize("seed", range(_FIRST_SEED, _FIRST_SEED + BLOCKS.sanitized))
def test_sanitized_code_does_what_the_reference_does(seed):
    run_model(block_network(seed), seed, SANITIZED)


@pytest.mark.parametrize("seed", range(BLOCKS.per_build))
@pytest.mark.parametrize("name", OTHER_BUILDS)
def test_other_builds_do_what_the_reference_does(name, seed):
    run_model(block_network(seed), seed, OTHER_BUILDS[name])


MUTATIONS = {
    "errors of units that no window sees": ("net_tps_conv2d.c", r"u\[i\] = 0;", "u[i] = 32000;"),
    "the place that an error is of": (
        "net_tps_conv2d.c",
        r"first = r \* down \+ s \* across;",
        r"first = r * down + s * across - (s == 1);",
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_errors_of_a_map_that_passes_them_on_are_seen(name):
    """The head is a map behind a pool: errors of units that the pool does not take are 0."""
    model = block_network(_LIVELY)
    heads = (model.layers[way[0]].units[0] for way in model.ways_down)
    assert any(head.hands_down_windows and head.shape.is_pooled for head in heads)
    x, labels = samples_of(model, 5)
    project = project_of(model, x[:4], labels[:4])
    assert verdict_of(model, project).verdict == "equal"
    assert verdict_of(model, changed(project, *MUTATIONS[name])).verdict == "mismatch"
