"""Every example trains to the same bits as before: rebuilding the house moves no number.

A digest changes only with docs/ARITHMETIC.md or a default, and then by `pytest --update-golden`.
"""

import pytest

from tests.golden.examples import EXAMPLES, FOLDER, Outcome, example, outcome, store, stored
from tpsgd_edge.errors import DataError
from tpsgd_edge.spec import load_spec

# fashion_rotated is pre-trained in floating point, whose last bits are the machine's own.
_OWN_IMAGES = [
    name for name in EXAMPLES if name.startswith(("fashion_", "vgg_")) and name != "fashion_rotated"
]


def check(name: str, found: Outcome, *, update: bool) -> None:
    """Compare with what is kept, or keep it."""
    if update:
        store(name, found)
    hint = "if this is meant: python -m pytest tests/golden --update-golden"
    assert stored().get(name) == found, f"{name} trains to other bits; {hint}"


@pytest.mark.series(2)
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_trains_to_the_same_digest(name, tmp_path, update_golden):
    check(name, outcome(example(name, tmp_path)), update=update_golden)


@pytest.mark.slow
@pytest.mark.parametrize("name", _OWN_IMAGES)
def test_an_example_trains_to_the_same_digest_on_its_own_images(name, update_golden):
    spec = load_spec(FOLDER / f"{name}.toml", ["data.limit=1000"])
    try:
        found = outcome(spec)
    except DataError as error:
        if "is not installed" not in error.what:
            raise
        pytest.skip(error.what)
    check(f"{name} on Fashion-MNIST", found, update=update_golden)


def test_what_is_kept_is_of_examples_that_are_there():
    names = {*EXAMPLES, *(f"{name} on Fashion-MNIST" for name in _OWN_IMAGES)}
    assert set(stored()) == names
