"""Activations that are tables, or functions in binary32, on every emulated core: no bit differs."""

import numpy as np
import pytest

from tests.emulator.test_random_networks import CORES, run_on
from tests.support.frozen_curves import frozen
from tests.support.losses import FROZEN_ACTIVATIONS
from tests.support.maps import plans_of_kernels
from tests.support.models import VALUE_TYPES, random_model
from tpsgd_edge.quantize.model import QuantizedModel

pytestmark = pytest.mark.emulator

ALIKE = {"projection": "sign", "storage": "seed", "lively": True}
LEARNING = ["elu", "selu", "softplus", "hard_sigmoid", "elu"]


def learning(value_type: str) -> QuantizedModel:
    """All activations that learn, elu with two tables."""
    rng = np.random.default_rng(21)
    widths = [7, 6, 5, 6]
    return random_model(
        rng, value_type=value_type, n_in=9, hidden=widths, activations=LEARNING, **ALIKE
    )


def running(value_type: str) -> QuantizedModel:
    """All activations that only run."""
    rng = np.random.default_rng(22)
    model = random_model(
        rng, value_type=value_type, n_in=9, hidden=[7, 6, 5, 6], stored_weights=True, **ALIKE
    )
    return frozen(model, *FROZEN_ACTIVATIONS, rng=rng)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_a_core_learns_with_curves_as_the_reference_does(value_type, core):
    run_on(core, learning(value_type), 1)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_a_core_runs_curves_as_the_reference_does(value_type, core):
    run_on(core, running(value_type), 2)


@pytest.mark.sampled(2)
@pytest.mark.slow
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("value_type", ["s8", "s16"])
def test_convolutions_do_too(value_type, core):
    model = random_model(
        np.random.default_rng(23),
        value_type=value_type,
        map_plans=plans_of_kernels()[0],
        hidden=[],
        stored_weights=True,
        **ALIKE,
    )
    run_on(core, frozen(model, "silu", "elu", rng=np.random.default_rng(24)), 3)
