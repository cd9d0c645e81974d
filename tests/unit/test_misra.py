"""The table of docs/MISRA.md: generated code departs from these rules, and from no others."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.support.small_projects import SMALL, small_project

PAGE = Path(__file__).parent.parent.parent / "docs" / "MISRA.md"
LISTED = {
    rule
    for row in re.findall(r"^\| ([\d., ]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    for rule in row.split(", ")
}
# Mistakes that need no standard; what cppcheck says of arithmetic shifts is asserted in the code.
# It takes an array for unset that a function of the same file fills. It does not think of NaN where
# a comparison with the largest number of a type is always true of others.
FLAGS = [
    *("--addon=misra", "--enable=warning,portability", "--std=c11", "--platform=unix32", "--quiet"),
    *("--suppress=shiftNegativeLHS", "--suppress=shiftTooManyBitsSigned"),
    *(
        "--suppress=uninitvar",
        "--suppress=incorrectLogicOperator",
        "--suppress=toomanyconfigs",
        "--suppress=missingIncludeSystem",
    ),
]
pytestmark = pytest.mark.skipif(
    shutil.which("cppcheck") is None, reason="needs cppcheck: apt-get install cppcheck"
)


@cache
def findings(name: str, folder: Path) -> frozenset[str]:
    """The names of what cppcheck finds in a project; of MISRA the numbers of rules."""
    for path, text in small_project(name).files.items():
        if "/" not in path:
            (folder / path).write_text(text, encoding="utf-8")
    files = sorted(path.name for path in folder.glob("*.c"))
    done = subprocess.run(
        ["cppcheck", *FLAGS, *files],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return frozenset(re.findall(r"\[(?:misra-c2012-)?([\w.]+)\]$", done.stderr, re.MULTILINE))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {name: tmp_path_factory.mktemp(name) for name in SMALL}


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_no_rule_is_broken_that_is_not_in_the_table(name, folders):
    assert not findings(name, folders[name]) - LISTED


@pytest.mark.slow
def test_no_row_of_the_table_is_unneeded(folders):
    assert frozenset.union(*(findings(name, folders[name]) for name in SMALL)) == LISTED
