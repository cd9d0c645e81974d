"""docs/ADD_A_LAYER.md works: its change applies here, and the kind trains bit for bit."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DIFF = ROOT / "docs" / "add_a_layer.diff"
GUIDE = ROOT / "docs" / "ADD_A_LAYER.md"
PARTS = ("codegen_templates", "docs", "examples", "firmware", "tests", "tools", "tpsgd_edge")

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def checkout(tmp_path):
    """A copy of what the change touches, without what tests have left there."""
    left = shutil.ignore_patterns("__pycache__", ".hypothesis", "hapt_*", "fashion_*", "mnist")
    for part in PARTS:
        shutil.copytree(ROOT / part, tmp_path / part, ignore=left)
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def run(folder, *command):
    """The output of a command there; its failure is the test's."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def apply(folder):
    # Outside of any repository, so that paths are those of the copy.
    run(folder, "git", f"--git-dir={folder / 'none'}", "apply", str(DIFF))


@needs_git
def test_the_change_applies(checkout):
    apply(checkout)
    made = (checkout / "tpsgd_edge" / "graph" / "upsample.py").read_text(encoding="utf-8")
    assert "class Upsample(Weightless):" in made


@needs_git
@pytest.mark.slow
def test_the_new_kind_goes_through_all_stages_and_trains(checkout):
    apply(checkout)
    run(checkout, sys.executable, "tools/make_reference.py")
    pytest_ = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore")
    said = run(checkout, *pytest_, "tests/unit/test_kinds.py", "-k", "upsample")
    assert re.search(r"^10 passed", said, re.MULTILINE)
    said = run(checkout, *pytest_, "tests/unit/test_tables.py")
    assert "failed" not in said


def test_the_guide_shows_what_the_change_has():
    added = {line[1:].strip() for line in DIFF.read_text(encoding="utf-8").splitlines()}
    guide = GUIDE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:python|c)\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    shown = [line.strip() for block in blocks for line in block.splitlines() if line.strip()]
    assert len(shown) > 15
    assert [line for line in shown if line not in added] == []


def test_the_guide_names_files_of_the_change():
    touched = set(re.findall(r"^\+\+\+ b/(.*)$", DIFF.read_text(encoding="utf-8"), re.MULTILINE))
    named = re.findall(r"`(tpsgd_edge/[\w/]+\.py)`", GUIDE.read_text(encoding="utf-8"))
    assert len(named) > 8
    others = [name for name in named if name not in touched and not (ROOT / name).is_file()]
    assert others == []
