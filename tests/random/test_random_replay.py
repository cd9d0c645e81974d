"""Random networks that keep samples: dense, on maps, in sequences; reservoirs and balanced ones.

A failing test names its seed, and `pytest tests/random/test_random_replay.py -k SEED` repeats it.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.random.counts import CI, NOW
from tests.random.networks import network
from tests.random.running import OTHER_BUILDS, SANITIZED, run_model
from tests.support.models import VALUE_TYPES
from tpsgd_edge.quantize.model import QuantizedModel, Replay

COUNTS = NOW["frozen"]
_FIRST_SEED = 21_000
_KINDS: tuple[dict[str, Any], ...] = ({}, {"maps": True}, {"graph": True}, {"recurrent": True})


def keeping_network(seed: int) -> QuantizedModel:
    """A net that keeps a few samples: fewer than come, so that some are replaced."""
    rng = np.random.default_rng(seed)
    model = network(seed, value_type=VALUE_TYPES[seed % 3], **_KINDS[seed % 4])
    labels = model.labels
    can_balance = labels.kind == "class" and not labels.each_step
    is_balanced = can_balance and bool(rng.random() < 0.7)
    least = labels.count if is_balanced else 1
    replay = Replay(int(least + rng.integers(0, 3)), is_balanced, int(rng.integers(1, 4)))
    return replace(model, replay=replay)


def test_all_ways_are_among_them():
    models = [
        keeping_network(seed) for seed in range(_FIRST_SEED, _FIRST_SEED + CI["frozen"].sanitized)
    ]
    ways = {(m.labels.kind, m.replay.is_balanced, bool(m.walk)) for m in models if m.replay}
    assert len(ways) >= 5
    assert any(model.labels.each_step for model in models)
    assert len({model.value_type for model in models}) == 3


@pytest.mark.parametrize("seed", range(_FIRST_SEED, _FIRST_SEED + COUNTS.sanitized))
def test_sanitized_code_does_what_the_reference_does(seed):
    run_model(keeping_network(seed), seed, SANITIZED)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(_FIRST_SEED, _FIRST_SEED + COUNTS.per_build))
@pytest.mark.parametrize("name", OTHER_BUILDS)
def test_other_builds_do_what_the_reference_does(name, seed):
    run_model(keeping_network(seed), seed, OTHER_BUILDS[name])
