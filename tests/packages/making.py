"""Packages of small models for the tests, and what their examples must come to."""

from functools import cache
from pathlib import Path

from tests.unit.test_example import expected_digest
from tpsgd_edge.codegen.packages import Maker
from tpsgd_edge.packaging import PackageResult, package
from tpsgd_edge.spec import Spec, spec_from_dict

EXAMPLES = Path(__file__).parents[2] / "examples"
TREES = Path(__file__).parent / "trees"
SYSTEMS = Path(__file__).parents[1] / "store" / "systems"
MAKER = Maker("A. Maker <maker@example.org>", "0.3.1", "https://example.org/net")
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]


def digits_spec(name: str = "digits", units: int = 14) -> Spec:
    """Digits of 8 x 8 pixels, small enough for 2 KB of RAM."""
    layers = [{"name": "fc1", "units": units}, {"name": "fc2", "units": 10}]
    content = {
        "name": name,
        "model": {"layers": layers},
        "numbers": {"weights": "s8"},
        "rule": {"learning_rate": 0.02, "epochs": 10},
        "data": {"file": "digits.npz"},
    }
    return spec_from_dict(content, folder=EXAMPLES, source="digits.toml")


@cache
def digits_digest() -> str:
    """The digest that an example ends with."""
    return f"{expected_digest(digits_spec()):X}"


def made(spec: Spec, target: str, folder: Path) -> PackageResult:
    """Write a package into a folder."""
    return package(spec, target, out=folder, maker=MAKER)
