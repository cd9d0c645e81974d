"""A small spec that is right, ways to change it, and the words that a wrong one ends in."""

import copy
from typing import Any

import pytest

from tpsgd_edge.errors import SpecError
from tpsgd_edge.spec import spec_from_dict

GOOD: dict[str, Any] = {
    "name": "digits",
    "model": {"layers": [{"name": "fc1", "units": 32}, {"name": "fc2", "units": 10}]},
    "data": {"file": "digits.npz"},
}


def changed(*changes: tuple[str, Any]) -> dict[str, Any]:
    """GOOD with values put at dotted paths."""
    content = copy.deepcopy(GOOD)
    for path, value in changes:
        place: Any = content
        *steps, last = path.split(".")
        for step in steps:
            place = place[int(step)] if step.isdigit() else place.setdefault(step, {})
        place[int(last) if last.isdigit() else last] = value
    return content


def error_of(*changes: tuple[str, Any]) -> str:
    """What the reader says of GOOD with these changes."""
    with pytest.raises(SpecError) as error:
        spec_from_dict(changed(*changes), source="digits.toml")
    assert error.value.exit_code == 2
    return str(error.value)
