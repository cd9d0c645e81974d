"""The same input gives the same bytes: in another process, folder, time zone, locale, hash seed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPECS = {
    "classes": ROOT / "tests/golden/classes.toml",
    "regression": ROOT / "tests/golden/regression.toml",
    "digits": ROOT / "examples/digits.toml",
    "custom_loss": ROOT / "examples/custom_loss.toml",
}
_RENDER = """
import json, sys
from tpsgd_edge.spec import load_spec
from tpsgd_edge.stages import prepare, render_project
files = render_project(prepare(load_spec(sys.argv[1]))).files
print(json.dumps(dict(files), ensure_ascii=True))
"""


def rendered(spec: str, folder: Path, **environment: str) -> dict[str, str]:
    """The files of a project, rendered by a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _RENDER, spec],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        timeout=120,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECS)
def test_rendering_again_elsewhere_gives_the_same_bytes(name, tmp_path):
    spec = SPECS[name]
    first = rendered(
        spec.name, spec.parent, PYTHONHASHSEED="1", TZ="UTC", LC_ALL="C", OMP_NUM_THREADS="1"
    )
    elsewhere = tmp_path / "другое место"
    shutil.copytree(spec.parent, elsewhere, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    second = rendered(
        str(elsewhere / spec.name),
        tmp_path,
        PYTHONHASHSEED="4242",
        TZ="Pacific/Auckland",
        LC_ALL="C.UTF-8",
        OMP_NUM_THREADS="2",
        OPENBLAS_NUM_THREADS="2",
        HOME=str(tmp_path),
    )
    assert first.keys() == second.keys()
    assert [path for path in first if first[path] != second[path]] == []


@pytest.mark.series(1)
@pytest.mark.parametrize("name", SPECS)
def test_no_file_names_this_machine(name):
    files = rendered(SPECS[name].name, SPECS[name].parent)
    telling = [str(ROOT), str(Path.home()), os.uname().nodename]
    for path, text in files.items():
        assert not [word for word in telling if len(word) > 3 and word in text], path
