"""The table of docs/PROOF.md: each corner of the contract has a test, and both are there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
CONTRACT = (ROOT / "docs" / "ARITHMETIC.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(.+)` \| (\S+)::(\w+) \|$", re.MULTILINE)
TABLE = [
    (line.replace("\\|", "|"), path, test)
    for line, path, test in ROW.findall((ROOT / "docs" / "PROOF.md").read_text(encoding="utf-8"))
]
CORNER = re.compile(
    r"rshift_round\(|clip\(|sat_s\d+\(|limited to|smallest index|largest value|min\(|stays at"
    r"|where \|"
)
# Bounds and builders' numbers, not steps of a device.
NOT_ON_THE_DEVICE = ("|sum_k p_jk q_k|", "pass_shift is the smallest", "| leaky_relu | y_scale")


@cache
def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def plain(text: str) -> str:
    """In a table ` stands as '."""
    return text.replace("`", "'")


def test_there_is_a_table():
    assert len(TABLE) > 70


@pytest.mark.parametrize(("line", "path", "test"), TABLE)
def test_line_and_test_exist(line, path, test):
    assert line in plain(CONTRACT), f"no line of docs/ARITHMETIC.md says {line!r}"
    assert test in functions(ROOT / "tests" / path), f"{path} has no {test}"


def test_each_corner_is_in_the_table():
    found = [line for line in plain(CONTRACT).splitlines() if CORNER.search(line)]
    assert len(found) > 40
    left = [
        line
        for line in found
        if not any(part in line for part, _, _ in TABLE)
        and not any(part in line for part in NOT_ON_THE_DEVICE)
    ]
    assert not left, "add these lines, and a test for each, to docs/PROOF.md"
