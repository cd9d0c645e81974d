"""Random networks on maps: convolutions, pools and dense layers, no bit away from the reference.

A failing test names its seed, and `pytest tests/random/test_random_maps.py -k SEED` repeats it.
"""

import numpy as np
import pytest

from tests.random.counts import NOW
from tests.random.networks import network
from tests.random.running import OTHER_BUILDS, SANITIZED, run_model
from tests.support.map_models import chain, conv, pool
from tests.support.maps import plans_of_kernels
from tests.support.models import random_model
from tpsgd_edge.quantize.model import Conv2dShape

MAPS = NOW["maps"]
_FIRST_SEED = 7000


@pytest.mark.parametrize("seed", range(_FIRST_SEED, _FIRST_SEED + MAPS.sanitized))
def test_sanitized_code_does_what_the_reference_does(seed):
    run_model(network(seed, maps=True), seed, SANITIZED)


@pytest.mark.parametrize("seed", range(MAPS.per_build))
@pytest.mark.parametrize("name", OTHER_BUILDS)
@pytest.mark.slow
def test_other_builds_do_what_the_reference_does(name, seed):
    run_model(network(seed, maps=True), seed, OTHER_BUILDS[name])


@pytest.mark.parametrize("value_type", ["s8", "s16"])
@pytest.mark.parametrize("name", ["plain", "pairs", "as fast as it gets", "inference only"])
@pytest.mark.parametrize("number", range(len(plans_of_kernels())))
def test_shapes_that_kernels_treat_apart(number, name, value_type):
    plans = plans_of_kernels()[number]
    rng = np.random.default_rng(number)
    model = random_model(
        rng, value_type=value_type, map_plans=plans, hidden=[], projection="sign", storage="seed"
    )
    run_model(model, number, OTHER_BUILDS[name])


@pytest.mark.parametrize("name", ["pairs", "as fast as it gets"])
@pytest.mark.parametrize("activation", ["leaky_relu", "relu6"])
@pytest.mark.parametrize("number", [0, 2])
def test_ends_of_z_that_are_not_those_of_the_type(number, activation, name):
    """Beside tables in the same kernels."""
    plans = plans_of_kernels()[number]
    count = 1 + sum(isinstance(plan, Conv2dShape) for plan in plans)
    model = random_model(
        np.random.default_rng(number),
        value_type="s8",
        activations=[(activation, "tanh", activation, "relu")[i % 4] for i in range(count)],
        map_plans=plans,
        hidden=[],
        projection="sign",
        storage="seed",
    )
    run_model(model, number, OTHER_BUILDS[name])


@pytest.mark.parametrize("value_type", ["s8", "s16", "f32"])
@pytest.mark.parametrize("name", ["plain", "pairs", "as fast as it gets"])
def test_pools_with_windows_that_are_cut_off(name, value_type):
    """Beside pools of both modes whose windows lie inside of the map."""
    plans = chain(
        pool("max", (3, 2), (2, 1), before=(1, 1), after=(2, 0)),
        conv(6, (2, 2)),
        pool("average", (2, 3), (2, 2), after=(1, 2)),
        pool("max", (2, 1), (1, 1)),
        pool("average", (1, 2), before=(0, 1)),
        x_shape=(9, 8, 5),
    )
    model = random_model(
        np.random.default_rng(5),
        value_type=value_type,
        map_plans=plans,
        hidden=[],
        projection="sign",
        storage="seed",
        lively=True,
    )
    assert [layer.is_cut for layer in model.layers if layer.kind.endswith("pool")] == [
        *(True, True, False, True),
    ]
    run_model(model, 5, OTHER_BUILDS[name])


@pytest.mark.parametrize("value_type", ["s8", "s16", "f32"])
@pytest.mark.parametrize("name", ["plain", "pairs", "as fast as it gets"])
def test_weights_that_see_places_apart(name, value_type):
    """Beside a convolution whose weights lie side by side, and one that sees each channel alone."""
    edges = {"before": (2, 3), "after": (1, 4)}
    plans = chain(
        conv(6, (3, 2), dilation=(2, 3), **edges),
        conv(5, (2, 2)),
        conv(10, (2, 3), dilation=(3, 1), groups=5, after=(2, 1), stride=(1, 2)),
        x_shape=(8, 9, 3),
    )
    model = random_model(
        np.random.default_rng(6),
        value_type=value_type,
        map_plans=plans,
        hidden=[],
        projection="sign",
        storage="seed",
        lively=True,
    )
    run_model(model, 6, OTHER_BUILDS[name])


_THREE, _ANY = ((3, 3), (2, 3)), ((3, 3), (3, 2))


@pytest.mark.parametrize(
    ("name", "weights", "kernels"),
    [
        ("plain", "s8", _THREE),
        ("pairs", "s8", _ANY),
        ("pairs", "s16", _THREE),
        ("as fast as it gets", "s16", _ANY),
    ],
)
def test_filters_of_one_channel_learn_at_the_edges_and_in_the_middle(name, weights, kernels):
    """Three columns wide in all layers, or not; behind a pool, and with two filters a channel."""
    first, second = kernels
    plans = chain(
        conv(4, (1, 1)),
        conv(4, first, groups=4, before=(1, 1), after=(1, 1)),
        pool("max", (2, 2)),
        conv(8, second, groups=4, before=(1, 2), after=(1, 2)),
        x_shape=(8, 9, 3),
    )
    model = random_model(
        np.random.default_rng(8),
        value_type="s8",
        weight_types=[weights] * 4,
        map_plans=plans,
        hidden=[],
        projection="sign",
        storage="seed",
        lively=True,
    )
    run_model(model, 8, OTHER_BUILDS[name])
