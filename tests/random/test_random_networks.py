"""Random networks, rendered, built and run on this computer: no bit differs from the reference.

Depth, widths, formats, losses, activations, projections, gates, schedules and first weights are
drawn; so are inputs, labels and weights at the ends of their ranges.
"""

import numpy as np
import pytest
from hypothesis import given, seed, settings

from tests.random.networks import Recipe, random_recipe, recipes
from tests.random.running import OTHER_BUILDS, SANITIZED, Build, repeatable, run_recipe

# 10 x 50 under sanitizers and 30 in each other build in CI; 10 x 4 and 4 elsewhere.
_IN_CI = settings().max_examples >= 200
BLOCKS = 10
NETWORKS_PER_BLOCK = 50 if _IN_CI else 4
NETWORKS_PER_BUILD = 30 if _IN_CI else 4


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


@pytest.mark.parametrize("block", range(BLOCKS))
def test_sanitized_code_does_what_the_reference_does(block):
    check_networks(NETWORKS_PER_BLOCK, block, SANITIZED)


@pytest.mark.parametrize("name", OTHER_BUILDS)
def test_other_builds_do_what_the_reference_does(name):
    first_seed = BLOCKS + list(OTHER_BUILDS).index(name)
    check_networks(NETWORKS_PER_BUILD, first_seed, OTHER_BUILDS[name])


@pytest.mark.parametrize(
    "build", [SANITIZED, *OTHER_BUILDS.values()], ids=["sanitized", *OTHER_BUILDS]
)
def test_the_network_of_the_command_line(recipe, build):
    run_recipe(recipe, build)


def test_a_recipe_is_read_back_from_its_text():
    for number in range(50):
        recipe = random_recipe(np.random.default_rng(number))
        assert Recipe.parse(str(recipe)) == recipe
