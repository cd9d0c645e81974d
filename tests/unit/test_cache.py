"""The user's cache: whole entries or none, bounded, private, and used by what takes long."""

import importlib
import multiprocessing
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fake_project import SOURCES, write_project
from tpsgd_edge import assets, cache
from tpsgd_edge.cache import cache_folder, fetch, fetch_view, keep, key_of
from tpsgd_edge.toolchain import build
from tpsgd_edge.toolchain.build import compile_firmware, compile_simulation
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.platforms import load_platform, port_files

needs_rights = pytest.mark.skipif(sys.platform == "win32", reason="rights are those of POSIX")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache of this test's own, empty."""
    monkeypatch.setenv("TPSGD_EDGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_was_kept_is_there_and_nothing_else(folder):
    keep("a", b"one")
    assert (fetch("a"), fetch("b")) == (b"one", None)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_what_was_looked_at_stays_as_it_was(folder):
    keep("a", b"one")
    seen = fetch_view("a")
    keep("a", b"two")
    assert (bytes(seen), fetch("a")) == (b"one", b"two")
    (folder / "a").unlink()
    assert bytes(seen) == b"one"


def test_an_empty_variable_is_no_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TPSGD_EDGE_CACHE", "")
    keep("a", b"one")
    assert (fetch("a"), cache_folder()) == (None, None)


def test_the_users_cache_folder_is_the_place(monkeypatch, tmp_path):
    monkeypatch.delenv("TPSGD_EDGE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "tpsgd-edge"


def test_a_relative_folder_is_no_cache(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TPSGD_EDGE_CACHE", "here")
    assert cache_folder() is None


@needs_rights
@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_folder_that_others_may_write_is_not_trusted(mode, folder):
    keep("a", b"one")
    folder.chmod(mode)
    assert (cache_folder(), fetch("a")) == (None, None)


@pytest.mark.parametrize("content", [b"", b"on", b"two", b"one more"])
def test_a_damaged_entry_is_none_and_goes(content, folder):
    keep("a", b"one")
    (entry,) = folder.iterdir()
    entry.write_bytes(entry.read_bytes()[:-3] + content)
    assert fetch("a") is None
    assert list(folder.iterdir()) == []
    keep("a", b"one")
    assert fetch("a") == b"one"


def test_the_least_used_goes_first(folder, monkeypatch):
    monkeypatch.setattr(cache, "LARGEST", 8 * (5 + 32))
    for i, key in enumerate("abc"):
        keep(key, bytes(5))
        entry = folder / key
        os.utime(entry, (i, i))
    assert fetch("a") is not None  # which makes it the latest one
    for key in "defghi":
        keep(key, bytes(5))
    assert (fetch("a"), fetch("b"), fetch("i")) == (bytes(5), None, bytes(5))
    assert sum(path.stat().st_size for path in folder.iterdir()) <= cache.LARGEST


def test_what_is_too_large_is_not_kept(folder, monkeypatch):
    monkeypatch.setattr(cache, "LARGEST", 43)
    keep("a", bytes(11))
    keep("b", bytes(10))
    assert (fetch("a"), fetch("b")) == (None, bytes(10))


def test_a_cache_that_cannot_be_written_is_no_error(folder, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.os, "replace", full)
    keep("a", b"one")
    assert fetch("a") is None
    assert list(folder.iterdir()) == []


def test_keys_heed_where_parts_end():
    assert key_of(("ab", "c")) != key_of(("a", "bc")) != key_of(("abc",))


def test_an_entry_that_was_cut_short_is_none(folder):
    keep("a", b"one")
    (folder / "a").write_bytes(b"")
    assert fetch("a") is None


@pytest.mark.parametrize("changed", ["graph/forward.py", "toolchain/platforms/host.toml"])
def test_the_digest_of_the_code_is_that_of_every_file(changed, tmp_path, monkeypatch):
    """What follows from code is kept under a key that holds all of it."""
    ours = Path(assets.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__")
    copy = shutil.copytree(ours, tmp_path / "tpsgd_edge", ignore=ignored)
    monkeypatch.setattr(assets, "_PACKAGE", copy)
    for name in ("firmware", "codegen_templates"):
        (tmp_path / name).mkdir()
    seen = [assets.code_digest.__wrapped__()]
    with (copy / changed).open("a") as file:
        file.write("\n")
    seen.append(assets.code_digest.__wrapped__())
    for name in ("firmware", "codegen_templates"):
        (tmp_path / name / "more.c").write_text("")
        seen.append(assets.code_digest.__wrapped__())
    (copy / "__pycache__").mkdir()
    (copy / "__pycache__" / "more.pyc").write_text("")
    assert len({*seen}) == len(seen)
    assert assets.code_digest.__wrapped__() == seen[-1]


def test_code_that_cannot_be_read_is_never_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(assets, "_PACKAGE", tmp_path / "package.zip" / "tpsgd_edge")
    assert len({assets.code_digest.__wrapped__() for _ in range(3)}) == 3


def _race(number: int) -> bool:
    for i in range(40):
        keep(f"k{i % 5}", bytes([i % 5]) * 1000)
        found = fetch(f"k{(i + number) % 5}")
        if found is not None and found != bytes([(i + number) % 5]) * 1000:
            return False
    return True


def test_processes_that_race_read_whole_entries(folder):
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert all(pool.map(_race, range(3)))
    assert not list(folder.glob("new-*"))


class TestCompiling:
    """Libraries and firmware out of the cache."""

    @pytest.fixture
    def runs(self, monkeypatch):
        """The purposes of the compiler's runs."""
        noted: list[str] = []
        run_tool = build.run_tool

        def run(command, *, purpose, **options):
            noted.append(purpose)
            return run_tool(command, purpose=purpose, **options)

        monkeypatch.setattr(build, "run_tool", run)
        return noted

    def library(self, place, extra=None, **options):
        compiler = find_compiler(load_platform("host"))
        project = write_project(place / "project", extra)
        binary = compile_simulation(
            project, "fake", SOURCES, compiler, build_dir=place / "b", **options
        )
        return binary.path.read_bytes()

    def test_the_same_project_elsewhere_is_not_compiled_again(self, folder, tmp_path, runs):
        first = self.library(tmp_path / "one")
        assert self.library(tmp_path / "two") == first
        assert runs == ["compiling 'fake' for the host"]

    @pytest.mark.parametrize("how", ["text", "flags", "processor", "compiler"])
    def test_whatever_goes_in_makes_another(self, how, folder, tmp_path, runs, monkeypatch):
        self.library(tmp_path / "one")
        extra, options = None, {}
        if how == "text":
            extra = {"more.h": "/* another file */\n"}
        if how == "flags":
            options["optimize"] = "-O1"
        if how == "processor":
            monkeypatch.setattr(build, "processor", lambda: ("another",))
        if how == "compiler":
            monkeypatch.setattr(build, "_program", lambda _: ("another",))
        self.library(tmp_path / "two", extra, **options)
        assert len(runs) == 2

    def test_what_the_compiler_warns_of_is_told_each_time(self, folder, tmp_path, runs):
        warned = {"fake_extra.h": "", "fake.c": "#warning look here\n"}
        compiler = find_compiler(load_platform("host"))
        for place in ("one", "two"):
            project = write_project(tmp_path / place / "project", warned)
            options = {"build_dir": tmp_path / place / "b"}
            binary = compile_simulation(project, "fake", ["fake.c"], compiler, **options)
            assert "look here" in binary.warnings
        assert len(runs) == 2

    def test_firmware_is_kept_too(self, folder, tmp_path, runs):
        platform = load_platform("cortex-m4f")
        compiler = find_compiler(platform)
        contents = []
        for place in ("one", "two"):
            project = write_project(tmp_path / place, port_files(platform))
            options = {"build_dir": tmp_path / place / "b"}
            binary = compile_firmware(project, "fake", SOURCES, platform, compiler, **options)
            contents.append(binary.path.read_bytes())
            assert os.access(binary.path, os.X_OK)
        assert contents[0] == contents[1]
        if compiler.family != "clang":
            assert sum("linking" in purpose for purpose in runs) == 1


def test_templates_are_translated_once(folder, monkeypatch):
    render = importlib.import_module("tpsgd_edge.codegen.rendering")
    environment = render._environment.__wrapped__
    first = environment().get_template("tps_layer.h.j2")
    assert len(list(folder.iterdir())) >= 1

    def never(*_, **__):
        raise AssertionError("translated again")

    again = environment()
    monkeypatch.setattr(type(again), "_generate", never)
    assert again.get_template("tps_layer.h.j2").root_render_func is not first.root_render_func


@pytest.mark.slow
def test_cross_validation_compiles_each_fold_once_for_all_processes(folder, tmp_path):
    """The second process finds what the first one compiled: no compiler is there any more."""
    pytest.importorskip("sklearn")
    code = (
        "from sklearn.datasets import load_iris\n"
        "from sklearn.model_selection import cross_val_score\n"
        "from tpsgd_edge import TPSGDClassifier\n"
        "from tpsgd_edge.toolchain import build\n"
        "import sys\n"
        "runs = []\n"
        "run_tool = build.run_tool\n"
        "build.run_tool = lambda *a, **k: (runs.append(1), run_tool(*a, **k))[1]\n"
        "net = TPSGDClassifier((4,), epochs=1, random_state=1)\n"
        "print(len(runs), cross_val_score(net, *load_iris(return_X_y=True), cv=3), len(runs))\n"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
        ).stdout
        for _ in range(2)
    ]
    assert said[0].startswith("0 [")
    assert said[0].endswith("] 3\n")
    assert said[1] == said[0][:-2] + "0\n"
