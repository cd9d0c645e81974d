"""The table of docs/MISRA.md: generated code departs from these rules, and from no others."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.random.networks import ORIGIN, samples_of
from tests.support.small_projects import SMALL, small_model, small_project
from tpsgd_edge.codegen import Additions, CProject, render
from tpsgd_edge.codegen.drift import DriftView
from tpsgd_edge.memory import plan_memory
from tpsgd_edge.stages.selftest import selftest_of

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
# How many ways to compile a file are looked at. All that there are, up to twelve, take more than
# twice as long, and name one rule more: in the kernels for Helium of the project that has them all.
WAYS, ALL_WAYS = 3, {"remembers": 12}
pytestmark = pytest.mark.skipif(
    shutil.which("cppcheck") is None, reason="needs cppcheck: apt-get install cppcheck"
)


# Projects with all additions: of these the files that are added.
WITH_ADDITIONS = {"words": "words with additions", "wave": "wave with additions"}
# One of two twins: their kernels are the same.
PROJECTS = (*(name for name in SMALL if name != "other_twin"), *WITH_ADDITIONS.values())


def with_additions(name: str) -> CProject:
    """A project that saves, has a wire and a log, and watches for drift."""
    model = small_model(name)
    x, labels = samples_of(model, 1)
    selftest = selftest_of(model, x[:4], labels[:4])
    drift = DriftView(is_confidence=False, tolerance=1638, threshold=327680, after=30)
    added = Additions(has_store=True, has_wire=True, log_every=8, drift=drift)
    return render(model, plan_memory(model), ORIGIN, selftest, {}, added)


def sources_of(name: str) -> tuple[CProject, list[str]]:
    """A project, and the files of it that are looked at."""
    for of, title in WITH_ADDITIONS.items():
        if name == title:
            project = with_additions(of)
            added = set(project.sources) - set(small_project(of).sources)
            return project, sorted(added)
    return small_project(name), sorted(small_project(name).sources)


def look(name: str, folder: Path) -> list[str]:
    """The names of what cppcheck finds in a project; of MISRA the numbers of rules."""
    project, files = sources_of(name)
    for path, text in project.files.items():
        if "/" not in path:
            (folder / path).write_text(text, encoding="utf-8")
    if name not in SMALL:
        # The detector of drift is a header.
        (folder / "drift.c").write_text(f'#include "{project.name}_drift.h"\n', encoding="utf-8")
        files = [*files, "drift.c"]
    ways = f"--max-configs={ALL_WAYS.get(name, WAYS)}"
    done = subprocess.run(
        ["cppcheck", *FLAGS, ways, *files],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return re.findall(r"\[(?:misra-c2012-)?([\w.]+)\]$", done.stderr, re.MULTILINE)


@pytest.fixture(scope="module")
def findings(tmp_path_factory) -> Callable[[str], set[str]]:
    """Looks at a project once, whichever of the run's processes asks."""
    # Processes of one run have folders side by side; a run in one process has its own alone.
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared

    def found(name: str) -> set[str]:
        kept = shared / f"misra-{name.replace(' ', '-')}.json"
        if not kept.is_file():
            folder = tmp_path_factory.mktemp("project")
            half = folder / "found.json"
            half.write_text(json.dumps(look(name, folder)), encoding="utf-8")
            half.replace(kept)
        return set(json.loads(kept.read_text(encoding="utf-8")))

    return found


@pytest.mark.sampled(2)
@pytest.mark.slow
@pytest.mark.parametrize("name", PROJECTS)
def test_no_rule_is_broken_that_is_not_in_the_table(name, findings):
    assert not findings(name) - LISTED


@pytest.mark.sampled(0)
@pytest.mark.slow
def test_no_row_of_the_table_is_unneeded(findings):
    assert set().union(*map(findings, PROJECTS)) == LISTED
