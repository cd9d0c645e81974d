"""Settings for all tests: how many examples hypothesis draws, and when golden files change."""

import os

import pytest
from hypothesis import HealthCheck, settings

_COMMON = {
    # Compilers and emulators make times uneven.
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow],
    # The same examples in every run: a failure is there again, and no state is kept between runs.
    "derandomize": True,
    "database": None,
    "print_blob": True,
}
settings.register_profile("dev", max_examples=20, **_COMMON)
settings.register_profile("ci", max_examples=200, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite the golden projects with what is rendered now",
    )


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be rewritten instead of compared."""
    return bool(request.config.getoption("--update-golden"))
