"""Bytes that say a value, for keys: others for other values, the same in every process."""

import os
import subprocess
import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from tpsgd_edge.canonical import canonical
from tpsgd_edge.spec import spec_from_dict


@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: object = None


class Colour(Enum):
    RED = 1


NET = {
    "name": "net",
    "model": {"layers": [{"name": "fc", "units": 2}]},
    "data": {"file": "data.npz"},
}
MAPS = {
    "name": "maps",
    "model": {
        "layers": [
            {"name": "conv", "kind": "conv2d", "filters": 4},
            {"kind": "max_pool"},
            {"name": "fc", "units": 10},
        ]
    },
    "data": {"file": "digits.npz", "input_shape": [8, 8, 1]},
}
VALUES = [
    *(None, True, 1, 1.0, -0.0, 0.0, "1", b"1", "", (), [], {}, frozenset(), set()),
    *((1,), (1, 1), ((1,), 1), (1, (1,)), ("a", "b"), ("a b",), ("a' str 'b",)),
    *({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": {"b": 2}}, MappingProxyType({"a": 1})),
    *({"a", "b"}, {"a"}, frozenset("ab"), Path("a"), Colour.RED, np.dtype(np.int8)),
    *(np.zeros(2), np.zeros((1, 2)), np.zeros(2, np.float32), np.float64(0), np.array([0.0, 1])),
    *(Point(1), Point(1, "None"), Point(1, Point(2)), Point(1, np.zeros(1))),
    spec_from_dict(NET, folder=Path("a")),
    spec_from_dict(NET, folder=Path("b")),
    spec_from_dict(NET | {"seed": 2}, folder=Path("a")),
    spec_from_dict(NET | {"seed": 1}, folder=Path("a")),  # said, though it is the default
]


def test_each_value_has_its_own_bytes():
    assert len({canonical(value) for value in VALUES}) == len(VALUES)


def test_equal_values_have_the_same_bytes():
    assert canonical({"b", "a", "c"}) == canonical({"c", "b", "a"})
    spec, again = (spec_from_dict(NET, folder=Path("a")) for _ in range(2))
    assert canonical(spec) == canonical(again)
    x = np.arange(6).reshape(2, 3)
    assert canonical(x.T) == canonical(x.T.copy())


@pytest.mark.parametrize(
    "value", [object(), lambda: 0, (1, object()), iter(()), Point, np.array([None])]
)
def test_what_cannot_be_said_is_refused(value):
    with pytest.raises(TypeError, match="canonical"):
        canonical(value)


def test_every_process_has_the_same_bytes():
    """Whatever order its sets have: of a whole net and its plan, as keys of projects hold them."""
    code = (
        "import hashlib, pathlib, sys\n"
        "from tpsgd_edge.canonical import canonical\n"
        "from tpsgd_edge.spec import spec_from_dict\n"
        "from tpsgd_edge.stages import prepare\n"
        f"p = prepare(spec_from_dict({MAPS!r}, folder=pathlib.Path('examples')))\n"
        "parts = p.spec, p.graph, p.model, p.plan, p.platform\n"
        "print(*(hashlib.sha256(canonical(part)).hexdigest() for part in parts))\n"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        ).stdout
        for seed in ("1", "2", "3")
    ]
    assert said[0].count(" ") == 4
    assert said[0] == said[1] == said[2]
