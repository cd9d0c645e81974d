"""The front door of the package: light, complete, and the same whatever was imported before."""

import subprocess
import sys

import pytest

import tpsgd_edge


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


def test_importing_the_package_loads_nothing_else():
    code = (
        "import sys; before = set(sys.modules); import tpsgd_edge;"
        "print(sorted(set(sys.modules) - before - {'types'}))"
    )
    assert run(code) == "['tpsgd_edge']"


@pytest.mark.parametrize("name", tpsgd_edge.__all__)
def test_every_public_name_is_there(name):
    pytest.importorskip("sklearn" if name.startswith("TPSGD") else "numpy")
    assert getattr(tpsgd_edge, name) is not None


def test_the_type_checker_sees_the_same_names():
    assert set(tpsgd_edge._HOME_OF) | {"__version__"} == set(tpsgd_edge.__all__)
    assert set(tpsgd_edge.__all__) <= set(dir(tpsgd_edge))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'buidl'"):
        _ = tpsgd_edge.buidl


@pytest.mark.parametrize("name", ["verify", "report"])
@pytest.mark.slow
def test_functions_are_not_hidden_by_submodules_of_their_name(name):
    code = (
        f"import tpsgd_edge.{name}; import tpsgd_edge;"
        f"print(type(tpsgd_edge.{name}).__name__);"
        f"from tpsgd_edge import {name}; print(type({name}).__name__)"
    )
    assert run(code).split() == ["function", "function"]
