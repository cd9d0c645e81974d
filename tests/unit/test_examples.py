"""Every example becomes a project, where its data are there."""

from pathlib import Path

import pytest

from tpsgd_edge.errors import DataError
from tpsgd_edge.spec import load_spec
from tpsgd_edge.stages import prepare, render_project

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.toml"))


@pytest.mark.series(1)
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_becomes_a_project(path: Path) -> None:
    spec = load_spec(path)
    # An example for a small board bears the name of the one that it is a smaller form of.
    assert path.stem.removesuffix("_uno") == spec.name
    try:
        prepared = prepare(spec)
    except DataError as error:
        if "there is no data file" not in error.what and "is not installed" not in error.what:
            raise
        pytest.skip(error.what)
    assert f"{spec.name}.c" in render_project(prepared).files


def test_the_readme_lists_all() -> None:
    text = (EXAMPLES[0].parent / "README.md").read_text(encoding="utf-8")
    missing = [path.name for path in EXAMPLES if f"| {path.name} |" not in text]
    assert missing == []
