"""Random networks on maps: convolutions, pools and dense layers, no bit away from the reference.

A failing test names its seed, and `pytest tests/random/test_random_maps.py -k SEED` repeats it.
"""

import numpy as np
import pytest
from hypothesis import settings

from tests.random.running import OTHER_BUILDS, SANITIZED, run_model
from tests.support.models import PROJECTIONS, random_model
from tpsgd_edge.quantize.model import QuantizedModel

_IN_CI = settings().max_examples >= 200
NETWORKS = 100 if _IN_CI else 12
NETWORKS_PER_BUILD = 10 if _IN_CI else 1
_FIRST_SEED = 7000


def network(seed: int) -> QuantizedModel:
    """A network on maps; one kind of projection in one storage, as a spec asks for it."""
    rng = np.random.default_rng(seed)
    kind = str(rng.choice(PROJECTIONS))
    storages = ("seed", "s8") if kind == "gaussian" else ("seed", "s8", "packed")
    return random_model(rng, maps=True, projection=kind, storage=str(rng.choice(storages)))


@pytest.mark.parametrize("seed", range(_FIRST_SEED, _FIRST_SEED + NETWORKS))
def test_sanitized_code_does_what_the_reference_does(seed):
    run_model(network(seed), seed, SANITIZED)


@pytest.mark.parametrize("seed", range(NETWORKS_PER_BUILD))
@pytest.mark.parametrize("name", OTHER_BUILDS)
def test_other_builds_do_what_the_reference_does(name, seed):
    run_model(network(seed), seed, OTHER_BUILDS[name])
