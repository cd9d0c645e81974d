"""Which compiler is chosen, and what is said where there is none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain import compilers
from tpsgd_edge.toolchain.compilers import PREFERENCE_VARIABLE, find_compiler, zig_environment
from tpsgd_edge.toolchain.platforms import load_platform

HOST, M4F = load_platform("host"), load_platform("cortex-m4f")


@pytest.fixture(autouse=True)
def _no_preference(monkeypatch):
    monkeypatch.delenv(PREFERENCE_VARIABLE, raising=False)


@pytest.fixture
def programs(monkeypatch, tmp_path):
    """Makes pretended compilers, the only ones on the PATH; no zig from PyPI."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(compilers.importlib.util, "find_spec", lambda name: None)

    def make(*names: str, says: str = "9.9.9") -> None:
        for name in names:
            path = tmp_path / name
            path.write_text(f"#!/bin/sh\necho {says}\n")
            path.chmod(0o755)

    return make


def test_devices_take_zig_first_and_the_host_takes_gcc(programs):
    programs("gcc", "clang", "zig", "arm-none-eabi-gcc")
    assert find_compiler(M4F).title == "zig 9.9.9"
    assert find_compiler(HOST).title == "gcc 9.9.9"


def test_the_next_one_is_taken_where_the_first_is_missing(programs):
    programs("cc", "arm-none-eabi-gcc")
    assert find_compiler(M4F).family == "gcc"
    assert Path(find_compiler(HOST).command[0]).name == "cc"


def test_the_environment_prefers_a_family(programs, monkeypatch):
    programs("zig", "arm-none-eabi-gcc")
    monkeypatch.setenv(PREFERENCE_VARIABLE, "gcc")
    assert Path(find_compiler(M4F).command[0]).name == "arm-none-eabi-gcc"


@pytest.mark.parametrize(
    ("name", "family"), [("clang-99", "clang"), ("my-zig", "zig"), ("other-cc", "gcc")]
)
def test_a_command_can_be_preferred(programs, monkeypatch, name, family):
    programs("zig", name)
    monkeypatch.setenv(PREFERENCE_VARIABLE, name)
    compiler = find_compiler(M4F)
    assert (Path(compiler.command[0]).name, compiler.family) == (name, family)


def test_no_compiler_says_how_to_get_one(programs):
    with pytest.raises(ToolError) as caught:
        find_compiler(M4F)
    assert caught.value.what == "no C compiler for platform 'cortex-m4f'"
    assert "arm-none-eabi-gcc" in caught.value.found
    assert "pip install 'tpsgd-edge[emulator]'" in caught.value.help
    assert caught.value.exit_code == 3


def test_a_preferred_compiler_is_not_replaced_by_another(programs, monkeypatch):
    programs("zig")
    monkeypatch.setenv(PREFERENCE_VARIABLE, "clang")
    with pytest.raises(ToolError) as caught:
        find_compiler(M4F)
    assert caught.value.where == PREFERENCE_VARIABLE


def test_finding_zig_does_not_import_its_package():
    code = (
        "import sys\n"
        "from tpsgd_edge.toolchain.compilers import find_zig\n"
        "find_zig(); assert 'ziglang' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.skipif(os.name == "nt", reason="zig's cache lies elsewhere on Windows")
def test_zig_gets_a_cache_where_there_is_no_home(monkeypatch, tmp_path):
    monkeypatch.delenv("ZIG_GLOBAL_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert zig_environment(tmp_path) == {}
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setenv("HOME", str(blocked))
    assert zig_environment(tmp_path) == {"ZIG_GLOBAL_CACHE_DIR": str(tmp_path / "zig-cache")}
