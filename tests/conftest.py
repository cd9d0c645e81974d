"""Settings for all tests: what hypothesis draws, which tests are slow, when golden files change."""

import os
import zlib
from collections import defaultdict

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
settings.register_profile("night", max_examples=500, **_COMMON)
# Tests compile for themselves; those of the cache name a folder of their own.
os.environ["TPSGD_EDGE_CACHE"] = ""

settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite the golden projects with what is rendered now",
    )


# CI and the nightly run draw more, and run all cases of tests that are marked as sampled.
_IS_PLAIN = settings().max_examples < 200
# Tests here compile C for each case: of each test, so many cases are quick, the others slow.
_COMPILING = {"random": 1, "emulator": 1}
# Of the corners of the contract, which all compile C, `make check` visits every third.
_CORNERS = 3


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a series of like cases `make check` runs some, evenly spread; the others are spare."""
    # Whoever names a file of tests gets them all.
    if _IS_PLAIN and items and not any(".py" in asked for asked in items[0].config.args):
        _sample(items)
    corners = [item for item in items if item.path.name.startswith("test_corners_of_")]
    for i, item in enumerate(corners):
        if i % _CORNERS:
            _leave_out(item)
    series: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("slow") is None:
            series[item.nodeid.partition("[")[0]].append(item)
    for cases in series.values():
        marker = cases[0].get_closest_marker("series")
        quick = marker.args[0] if marker else _COMPILING.get(cases[0].path.parent.name)
        if quick is not None and len(cases) > quick:
            kept = {i * len(cases) // quick for i in range(quick)}
            for i, case in enumerate(cases):
                if i not in kept:
                    _leave_out(case)
    if items and items[0].config.pluginmanager.hasplugin("_cov"):
        _measure_only_the_quick(items)


def _sample(items: list[pytest.Item]) -> None:
    """Of tests that are marked so keep one case in n, drawn by its name; by 0 none."""
    kept, left = [], []
    for item in items:
        marker = item.get_closest_marker("sampled")
        one_in = marker.args[0] if marker else 1
        is_drawn = one_in and zlib.crc32(item.nodeid.encode()) % one_in == 0
        (kept if is_drawn else left).append(item)
    if left:
        items[0].config.hook.pytest_deselected(items=left)
        items[:] = kept


def _leave_out(item: pytest.Item) -> None:
    """Have `make check` do without a test that is like others, and tools/mutate.py not."""
    item.add_marker(pytest.mark.slow)
    item.add_marker(pytest.mark.spare)


def _measure_only_the_quick(items: list[pytest.Item]) -> None:
    """Have pytest-cov pause in slow tests, which are slow enough."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("spare"):
            item.add_marker("no_cover")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be rewritten instead of compared."""
    return bool(request.config.getoption("--update-golden"))
