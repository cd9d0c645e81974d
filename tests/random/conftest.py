"""--network: one network, named by its recipe, instead of many drawn ones."""

import pytest

from tests.random.networks import Recipe

_OPTION = "--network"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(_OPTION, help="run the random-network tests on this recipe only")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --network, the tests that take a recipe and no others; without it, the others."""
    given = config.getoption(_OPTION, None) is not None
    chosen, left = [], []
    for item in items:
        wants_recipe = "recipe" in getattr(item, "fixturenames", ())
        (chosen if wants_recipe == given else left).append(item)
    config.hook.pytest_deselected(items=left)
    items[:] = chosen


@pytest.fixture
def recipe(pytestconfig: pytest.Config) -> Recipe:
    """The network of the command line."""
    return Recipe.parse(pytestconfig.getoption(_OPTION))
