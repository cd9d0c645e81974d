"""The front door of the package: light, complete, and the same whatever was imported before."""

import importlib.util
import pkgutil
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


def test_no_function_of_a_package_is_hidden_by_a_module_of_its_name():
    hidden = [
        f"{package.__name__}.{name}"
        for package in packages()
        for name in getattr(package, "__all__", ())
        if importlib.util.find_spec(f"{package.__name__}.{name}") is not None
    ]
    assert hidden == []


def packages():
    """The package and all packages inside of it."""
    inside = pkgutil.walk_packages(tpsgd_edge.__path__, "tpsgd_edge.")
    return [
        tpsgd_edge,
        *(importlib.import_module(name) for _, name, is_package in inside if is_package),
    ]
