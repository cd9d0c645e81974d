"""The recipe for conda says what pyproject.toml says, and rattler-build renders it."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import tpsgd_edge

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "packaging" / "conda" / "recipe.yaml"
# What conda calls packages that PyPI calls otherwise.
NAMES = {"matplotlib": "matplotlib-base"}


def words(requirement: str) -> str:
    """A requirement of pyproject.toml as conda writes it."""
    name, bound = re.fullmatch(r"([\w-]+)(>=[\d.]+)", requirement).groups()
    return f"{NAMES.get(name, name)} {bound}"


def drift(text: str) -> Iterator[str]:
    """Where a recipe does not say what pyproject.toml and the package do."""
    recipe = yaml.safe_load(text)
    about = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project, context = about["project"], recipe["context"]
    needed = recipe["requirements"]
    scripts = [f"{name} = {place}" for name, place in project["scripts"].items()]
    pairs = {
        "name": (recipe["package"]["name"], project["name"]),
        "version": (context["version"], tpsgd_edge.__version__),
        "python": (f">={context['python_min']}", project["requires-python"]),
        "run": (needed["run"][1:], [words(item) for item in project["dependencies"]]),
        "host": (needed["host"][2:], [words(item) for item in about["build-system"]["requires"]]),
        "entry points": (recipe["build"]["python"]["entry_points"], scripts),
        "summary": (recipe["about"]["summary"], project["description"]),
        "license": (recipe["about"]["license"], project["license"]),
        "license file": ([recipe["about"]["license_file"]], project["license-files"]),
    }
    for what, (found, expected) in pairs.items():
        if found != expected:
            yield f"{what}: {found}, not {expected}"


def test_the_recipe_says_what_the_project_does():
    text = RECIPE.read_text()
    assert list(drift(text)) == []
    assert (RECIPE.parent / yaml.safe_load(text)["source"]["path"]).resolve() == ROOT


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ('version: "', 'version: "9.', "version"),
        ("numpy >=1.26", "numpy >=2.0", "run"),
        ("    - click >=8.1\n", "", "run"),
        ("hatchling >=1.26", "setuptools", "host"),
        ("tpsgd-edge = tpsgd_edge.cli:main", "tpsgd = tpsgd_edge.cli:main", "entry points"),
        ("license: Apache-2.0", "license: MIT", "license"),
        ('python_min: "3.11"', 'python_min: "3.9"', "python"),
    ],
)
def test_drift_is_seen(before, after, what):
    text = RECIPE.read_text()
    assert before in text
    assert [line.split(":")[0] for line in drift(text.replace(before, after))] == [what]


def rendered(text: str) -> dict[str, object]:
    """The recipe as rattler-build understands it, for one platform."""
    rattler = pytest.importorskip("rattler_build")
    (variant,) = rattler.Stage0Recipe.from_yaml(text).render(rattler.VariantConfig())
    return variant.recipe.to_dict()


def test_rattler_build_renders_the_recipe():
    recipe = rendered(RECIPE.read_text())
    assert recipe["package"] == {"name": "tpsgd-edge", "version": tpsgd_edge.__version__}
    assert recipe["build"]["noarch"] == "python"
    assert recipe["requirements"]["run"][0] == "python >=3.11"
    assert "matplotlib-base >=3.8" in recipe["requirements"]["run"]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("noarch: python", "noarch: pythn", "invalid noarch type 'pythn'"),
        ("\nabout:", "\nabut:", "unknown top-level field 'abut'"),
        ("- numpy >=1.26", "- numpy >>1.26", "unable to parse version spec: >>1.26"),
    ],
)
def test_rattler_build_refuses_a_broken_recipe(before, after, words):
    text = RECIPE.read_text()
    assert before in text
    rattler = pytest.importorskip("rattler_build")
    with pytest.raises(rattler.RattlerBuildError, match=words):
        rendered(text.replace(before, after))
