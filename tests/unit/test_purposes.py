"""Streams of random numbers: each purpose has its number, written in one place, for ever."""

import ast
from collections import Counter
from pathlib import Path

import pytest

import tpsgd_edge
from tpsgd_edge.arithmetic.random import Purpose

PACKAGE = Path(tpsgd_edge.__file__).parent


def test_the_numbers_stay():
    assert {name: int(purpose) for name, purpose in Purpose.__members__.items()} == {
        "TRAINING": 0,
        "WEIGHTS": 1,
        "PROJECTION": 2,
        "ORDER_OF_SAMPLES": 3,
        "FEEDBACK": 4,
        "WEIGHTS_OF_SAMPLES": 4,
        "KEPT_SAMPLES": 5,
        "FLEET": 6,
        "ACCIDENTS": 7,
        "GATEWAYS": 8,
    }


def test_no_purpose_takes_the_numbers_of_another():
    numbers = Counter(int(purpose) for purpose in Purpose.__members__.values())
    # Matrices of rules in floating point and weights of samples in estimators never meet.
    assert [number for number, count in numbers.items() if count > 1] == [4]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.name)
def test_streams_are_made_by_the_one_function(path):
    if path.name == "random.py":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "mix":
            assert "mix(" not in ast.unparse(node.args[0]), f"line {node.lineno}: use stream"
