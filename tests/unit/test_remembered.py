"""What a second build takes from the cache is what the first one made, and of nothing else."""

import gzip
import json
import os
import re
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tpsgd_edge.errors import DataError, MismatchError, SpecError
from tpsgd_edge.frontend import fitted, idx, remembered
from tpsgd_edge.spec import spec_from_dict
from tpsgd_edge.stages import check_binary, prepare, projects, render_project
from tpsgd_edge.stages import firmware as stage

CONV = {"kind": "conv2d", "name": "conv", "filters": 4, "kernel": 3}
NET = {
    "name": "toy",
    "model": {"layers": [CONV, {"name": "out", "units": 2}]},
    "data": {"file": "toy.npz", "scaling": "unit"},
    "projection": {"kind": "fitted"},
}
# What the second build of a net must not load: it neither renders nor trains nor draws.
NEEDLESS = {
    *("jinja2", "matplotlib", "onnx", "optuna", "scipy", "sklearn", "torch"),
    *("elftools", "capstone", "tpsgd_edge.codegen.rendering", "tpsgd_edge.reference.reference"),
    *("tpsgd_edge.frontend.imports.onnx_net", "tpsgd_edge.frontend.tflite.net"),
    *("tpsgd_edge.stages.proof", "tpsgd_edge.stages.adapting", "tpsgd_edge.reports.html"),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache of this test's own, and beside it the data of a small net."""
    monkeypatch.setenv("TPSGD_EDGE_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(3)
    y = rng.integers(2, size=60)
    x = rng.integers(0, 200, (60, 6, 6, 1)).astype(np.uint8)
    x[y == 1, :3] += 50
    np.savez(tmp_path / "toy.npz", x=x, y=y)
    return tmp_path


@pytest.fixture
def made(monkeypatch):
    """Notes what is really made: fits and projects."""
    noted: list[str] = []
    for module, name in ((fitted, "_fitted"), (projects, "_rendered")):
        real = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda task, real=real, name=name: noted.append(name) or real(task)
        )
    return noted


def built(folder, **changes):
    prepared = prepare(spec_from_dict(NET | changes, folder=folder))
    return prepared.graph.fitted, render_project(prepared)


def test_the_second_time_nothing_is_made(folder, made):
    fits, project = built(folder)
    assert made == ["_fitted", "_rendered"]
    again, same = built(folder)
    assert made == ["_fitted", "_rendered"]
    assert same == project
    assert list(same.files) == list(project.files)
    assert fits["conv"].dtype == again["conv"].dtype == np.int8
    assert (fits["conv"] == again["conv"]).all()


@pytest.mark.parametrize("how", ["seed", "layer", "data", "labels", "scaling", "code", "computer"])
def test_whatever_goes_in_is_fitted_again(how, folder, made, monkeypatch):
    built(folder)
    changes = {}
    if how == "seed":
        changes["seed"] = 2
    if how == "layer":
        changes["model"] = {
            "layers": [CONV | {"activation": "leaky_relu"}, {"name": "out", "units": 2}]
        }
    if how in ("data", "labels"):
        with np.load(folder / "toy.npz") as found:
            x, y = found["x"], found["y"]
        if how == "data":
            x[0, 0, 0] += 1
        else:
            y[0] = 1 - y[0]
        np.savez(folder / "toy.npz", x=x, y=y)
    if how == "scaling":
        changes["data"] = NET["data"] | {"scaling": "standard_all"}
    if how == "code":
        monkeypatch.setattr(remembered, "code_digest", lambda: b"another")
    if how == "computer":
        monkeypatch.setattr(remembered, "processor", lambda: ("another",))
    built(folder, **changes)
    assert made.count("_fitted") == 2


@pytest.mark.parametrize("how", ["key", "name", "platform", "code"])
def test_whatever_goes_in_is_rendered_again(how, folder, made, monkeypatch):
    first = built(folder)[1]
    changes = {}
    if how == "key":
        changes["firmware"] = {"store": True}
    if how == "name":
        changes["name"] = "other"
    if how == "platform":
        changes["platform"] = {"name": "cortex-m4f"}
    if how == "code":
        monkeypatch.setattr(projects, "code_digest", lambda: b"another")
    second = built(folder, **changes)[1]
    assert made.count("_rendered") == 2
    assert (second == first) == (how == "code")


def test_a_spec_that_cannot_be_rendered_says_so_each_time(folder):
    for _ in range(2):
        with pytest.raises(SpecError, match="a hop is longer than a window"):
            built(folder, firmware={"hop": 99})


def test_entries_that_are_damaged_are_made_again(folder, made):
    first = built(folder)[1]
    for entry in (folder / "cache").iterdir():
        entry.write_bytes(entry.read_bytes()[:-1])
    assert built(folder)[1] == first
    assert made == 2 * ["_fitted", "_rendered"]


class TestUnpacking:
    """IDX files in gzip."""

    @pytest.fixture
    def packed(self, folder):
        def write(values, cut=0, name="x.gz"):
            header = struct.pack(">4BI", 0, 0, 8, 1, len(values))
            content = gzip.compress(header + bytes(values), mtime=0)
            (folder / name).write_bytes(content[: len(content) - cut])
            return folder / name

        return write

    def test_a_file_is_unpacked_once(self, packed, monkeypatch):
        path = packed([1, 2, 3])
        first = idx.read_idx(path)
        with monkeypatch.context() as without:
            without.setattr(idx.gzip, "GzipFile", None)
            again = idx.read_idx(path)
            same = idx.read_idx(packed([1, 2, 3], name="elsewhere.gz"))
        assert first.tolist() == again.tolist() == same.tolist() == [1, 2, 3]
        assert idx.read_idx(packed([1, 2, 4])).tolist() == [1, 2, 4]

    def test_what_is_cut_short_is_never_taken(self, packed):
        for _ in range(2):
            with pytest.raises(DataError, match="not a complete gzip file"):
                idx.read_idx(packed([1, 2, 3], cut=4))
        assert idx.read_idx(packed([1, 2, 3])).tolist() == [1, 2, 3]


class TestSelfTest:
    """An emulator tests the same binary once."""

    @pytest.fixture
    def prepared(self, folder):
        return prepare(spec_from_dict(NET | {"platform": {"name": "cortex-m4f"}}, folder=folder))

    @pytest.fixture
    def binary(self, prepared, tmp_path):
        (tmp_path / "toy.elf").write_bytes(b"code")
        return stage.Binary(
            tmp_path / "toy.elf", "firmware", "toy", prepared.platform, None, False, ""
        )

    @pytest.fixture
    def opened(self, monkeypatch):
        """Notes each device that is opened; whether it passes is in `passes`."""
        noted, passes = [], [True]

        class Device:
            def __enter__(self):
                noted.append(1)
                return self

            def __exit__(self, *_):
                pass

        def check(*_):
            if not passes[0]:
                raise MismatchError("the self-test fails")

        monkeypatch.setattr(stage, "can_emulate", lambda _: True)
        monkeypatch.setattr(stage, "find_emulator", lambda _: "qemu")
        monkeypatch.setattr(stage, "open_device", lambda *_: Device())
        monkeypatch.setattr(stage, "check_selftest", check)
        return noted, passes

    def test_what_has_passed_is_not_run_again(self, prepared, binary, opened):
        for _ in range(2):
            check_binary(prepared, binary)
        assert len(opened[0]) == 1
        binary.path.write_bytes(b"other code")
        check_binary(prepared, binary)
        check_binary(prepared, replace(binary, platform=replace(binary.platform, name="other")))
        assert len(opened[0]) == 3

    def test_what_has_failed_fails_again(self, prepared, binary, opened):
        opened[1][0] = False
        for _ in range(2):
            with pytest.raises(MismatchError):
                check_binary(prepared, binary)
        opened[1][0] = True
        check_binary(prepared, binary)
        assert len(opened[0]) == 3


def test_the_second_build_loads_only_what_it_needs(folder):
    (folder / "toy.toml").write_text(
        'name = "toy"\n[model]\n'
        'layers = [{ name = "fc", units = 4 }, { name = "out", units = 2 }]\n'
        '[data]\nfile = "toy.npz"\n'
    )
    code = (
        "import json, sys\n"
        "from tpsgd_edge.cli import run\n"
        "code = run(['build', 'toy.toml', '--platform', 'host'])\n"
        "print(json.dumps([code, *sys.modules]))\n"
    )
    done = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        ).stdout.splitlines()
        for _ in range(2)
    ]
    first, second = (json.loads(lines[-1]) for lines in done)
    assert first[0] == second[0] == 0
    assert {"jinja2", "tpsgd_edge.reference.reference"} <= {*first}
    assert NEEDLESS & {*second} == set()
    assert re.search(r"compiled", "\n".join(done[1]))
