"""Compilations for this computer in a third of the time, and none twice."""

from functools import partial
from pathlib import Path

import pytest

from tpsgd_edge.errors import ToolError
from tpsgd_edge.stages import preparation
from tpsgd_edge.toolchain.build import compile_simulation
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.platforms import load_platform


@pytest.fixture(scope="session")
def cache_of_the_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that is empty when a worker begins."""
    folder = tmp_path_factory.mktemp("cache")
    folder.chmod(0o700)
    return folder


@pytest.fixture(autouse=True)
def quick_compilations(cache_of_the_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have commands and estimators compile with -O1, and what another test compiled not again.

    Whether what is optimized computes the same, tests/random, tests/golden and tests/emulator say.
    """
    monkeypatch.setenv("TPSGD_EDGE_CACHE", str(cache_of_the_run))
    monkeypatch.setattr(
        preparation, "compile_simulation", partial(compile_simulation, optimize="-O1")
    )


@pytest.fixture
def host_compiler() -> None:
    """Skip where nothing compiles for this computer."""
    try:
        find_compiler(load_platform("host"))
    except ToolError as error:
        pytest.skip(str(error))
