"""Random networks, rendered, built and run on this computer: no bit differs from the reference.

Depth, widths, formats, losses, activations, projections, gates, schedules and initial weights are
drawn; so are inputs, labels and weights at the ends of their ranges.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, seed, settings

from tests.random.counts import CI, NOW
from tests.random.networks import Recipe, random_recipe, recipes
from tests.random.running import OTHER_BUILDS, SANITIZED, Build, repeatable, run_recipe
from tests.support.models import VALUE_TYPES

DENSE = NOW["dense"]
BLOCKS = 10


def check_networks(count: int, first_seed: int, build: Build) -> None:
    """Draw networks, and shrink one that fails."""
    build.compiler()

    @seed(first_seed)
    @settings(max_examples=count)
    @given(recipes())
    def check(recipe: Recipe) -> None:
        with repeatable(recipe):
            run_recipe(recipe, build)

    check()


@pytest.mark.series(1)
@pytest.mark.parametrize("block", range(BLOCKS))
def test_sanitized_code_does_what_the_reference_does(block):
    check_networks(DENSE.sanitized // BLOCKS, block, SANITIZED)


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHER_BUILDS)
def test_other_builds_do_what_the_reference_does(name):
    first_seed = BLOCKS + list(OTHER_BUILDS).index(name)
    check_networks(DENSE.per_build, first_seed, OTHER_BUILDS[name])


@pytest.mark.slow
@pytest.mark.parametrize("value_type", VALUE_TYPES)
@pytest.mark.parametrize("n_in", [1, 2, 3, 7])
def test_few_inputs_give_no_warning_at_full_optimization(n_in, value_type):
    """gcc unrolls loops over buffers of a few numbers whole, and then takes these for unset."""
    recipe = random_recipe(np.random.default_rng(n_in), value_type=value_type)
    build = OTHER_BUILDS["as fast as it gets"]
    run_recipe(replace(recipe, n_in=n_in, hidden=(5, 3)), build)


@pytest.mark.parametrize(
    "build", [SANITIZED, *OTHER_BUILDS.values()], ids=["sanitized", *OTHER_BUILDS]
)
def test_the_network_of_the_command_line(recipe, build):
    run_recipe(recipe, build)


def test_a_recipe_is_read_back_from_its_text():
    for number in range(50):
        recipe = random_recipe(np.random.default_rng(number))
        assert Recipe.parse(str(recipe)) == recipe


def test_ci_runs_a_thousand_networks_of_all_kinds():
    assert CI["dense"].sanitized % BLOCKS == 0
    assert sum(count.sanitized for count in CI.values()) >= 1000
