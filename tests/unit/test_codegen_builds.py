"""The rendered project built as a user would: alone, with Makefile or CMake, without a warning."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.random.networks import project_of, samples_of
from tests.support.models import random_model
from tpsgd_edge.codegen import CProject
from tpsgd_edge.toolchain.compilers import find_zig
from tpsgd_edge.toolchain.folder import write_project
from tpsgd_edge.toolchain.platforms import all_platforms, port_files

STRICT = "-O2 -Werror -Wvla -Wcast-qual -Wundef -Wstrict-prototypes"
_MAIN = """
#include "net.h"

static struct net_model model;

int main(void)
{
    return net_selftest(&model) == TPS_OK ? 0 : 1;
}
"""
CASES: dict[str, dict[str, Any]] = {
    "bytes": {"value_type": "s8", "label_kind": "class", "hidden": [6, 5], "gate": True},
    "words": {"value_type": "s16", "label_kind": "vector", "hidden": [6]},
    "float": {"value_type": "f32", "label_kind": "class", "hidden": [6], "gate": True},
    "one layer": {"value_type": "s8", "label_kind": "vector", "hidden": []},
    "maps": {"value_type": "s8", "label_kind": "class", "hidden": [4], "maps": True},
}


def project(**wanted: Any) -> CProject:
    model = random_model(np.random.default_rng(2), projection="ternary", storage="seed", **wanted)
    x, labels = samples_of(model, 1)
    return project_of(model, x[:3], labels[:3])


def compilers() -> list[Any]:
    """Ways to call a C compiler, or reasons why there is none."""
    zig = find_zig()
    found = {name: shutil.which(name) for name in ("gcc", "clang")}
    found["zig"] = f"{' '.join(zig)} cc" if zig else None
    return [
        pytest.param(
            command, marks=[] if command else pytest.mark.skip(f"{name} is not installed"), id=name
        )
        for name, command in found.items()
    ]


def run(command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def make(folder: Path, cc: str, flags: str = STRICT) -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    # zig's instrumentation would need a runtime at the link.
    flags += " -fno-sanitize=all" if cc.endswith(" cc") else ""
    run(["make", f"CC={cc}", f"CFLAGS={flags}"], folder)


@pytest.mark.series(2)
@pytest.mark.parametrize("cc", compilers())
@pytest.mark.parametrize("name", CASES)
def test_make_builds_a_library_that_proves_itself(tmp_path, cc, name):
    write_project(project(**CASES[name]).files, tmp_path)
    make(tmp_path, cc)
    (tmp_path / "main.c").write_text(_MAIN)
    run([*cc.split(), "main.c", "-I.", "-L.", "-lnet", "-o", "selftest"], tmp_path)
    run([str(tmp_path / "selftest")], tmp_path)


@pytest.mark.series(1)
@pytest.mark.parametrize("cc", compilers())
@pytest.mark.parametrize("name", CASES)
def test_a_library_that_only_predicts_builds_too(tmp_path, cc, name):
    write_project(project(**CASES[name]).files, tmp_path)
    make(tmp_path, cc, f"{STRICT} -DNET_INFERENCE_ONLY")
    symbols = (tmp_path / "libnet.a").read_bytes()
    assert b"net_outputs" in symbols
    assert b"net_train_step" not in symbols
    assert b"tps_dense_update" not in symbols


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")
def test_cmake_builds_it_inside_another_project(tmp_path):
    write_project(project(**CASES["bytes"]).files, tmp_path / "net")
    (tmp_path / "main.c").write_text(_MAIN)
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.13)\nproject(mine C)\nadd_subdirectory(net)\n"
        "add_executable(selftest main.c)\ntarget_link_libraries(selftest PRIVATE net)\n"
    )
    run(["cmake", "-S", ".", "-B", "build"], tmp_path)
    run(["cmake", "--build", "build"], tmp_path)
    run([str(tmp_path / "build" / "selftest")], tmp_path)


def compiler() -> list[str]:
    """Any compiler of this computer."""
    zig = find_zig()
    for name in ("gcc", "cc", "clang"):
        if path := shutil.which(name):
            return [path]
    if zig is None:
        pytest.skip("no C compiler is installed")
    return [*zig, "cc"]


def refusal(folder: Path, source: str, *flags: str) -> str:
    """What the compiler says to a source that it must refuse."""
    command = [*compiler(), "-c", source, "-o", "refused.o", *flags]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode != 0
    return done.stderr


def test_another_version_of_the_runtime_is_refused(tmp_path):
    original = project(**CASES["bytes"])
    status = original.files["tps_status.h"].replace("VERSION 2", "VERSION 99")
    assert status != original.files["tps_status.h"]
    changed = replace(original, files={**original.files, "tps_status.h": status})
    write_project(changed.files, tmp_path)
    assert "net needs version 2 of the tps runtime" in refusal(tmp_path, "net.c")


def test_flags_that_would_change_results_are_refused(tmp_path):
    write_project(project(**CASES["float"]).files, tmp_path)
    message = refusal(tmp_path, "net_tps_dense_f32.c", "-ffast-math")
    assert "exact only without -ffast-math" in message


def test_float_vectors_that_flush_subnormals_are_refused(tmp_path):
    gcc = shutil.which("arm-none-eabi-gcc")
    if gcc is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    write_project(project(**CASES["float"]).files, tmp_path)
    command = [gcc, "-mthumb", "-mfloat-abi=hard", "-c", "net_tps_dense_f32.c", "-o", "x.o"]
    done = subprocess.run(
        [*command, "-mcpu=cortex-m55"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "compile with +nomve.fp" in done.stderr
    run([*command, "-mcpu=cortex-m55+nomve.fp"], tmp_path)


def test_a_build_system_may_compile_the_port_too(tmp_path):
    """Arduino, PlatformIO and others take every .c below a folder, for whatever core."""
    ports = [port_files(platform) for platform in all_platforms()]
    files = {path: text for port in ports for path, text in port.items()}
    write_project({**project(**CASES["bytes"]).files, **files}, tmp_path)
    for path in sorted(files):
        if path.endswith(".c"):
            run([*compiler(), "-Wall", "-Wextra", "-Wpedantic", "-c", path], tmp_path)
    run([*compiler(), "-c", *project(**CASES["bytes"]).sources], tmp_path)
    (tmp_path / "main.c").write_text(_MAIN)
    objects = sorted(path.name for path in tmp_path.glob("*.o"))
    assert "memory.o" in objects
    run([*compiler(), "-I.", "main.c", *objects, "-o", "selftest"], tmp_path)
    run([str(tmp_path / "selftest")], tmp_path)


# Names that the spec allows and that come close to those of the generated code.
AWKWARD = [
    "net",
    "forward",
    "decay",
    "decay_of",
    "start",
    "rate",
    "learn_hidden",
    "count",
    "best",
    "crc",
    "i",
    "k",
]


def test_layers_may_have_awkward_names(tmp_path):
    wanted = {"value_type": "s8", "label_kind": "class", "hidden": [3] * (len(AWKWARD) - 1)}
    model = random_model(
        np.random.default_rng(1), projection="sign", storage="s8", stored_weights=True, **wanted
    )
    layers = tuple(
        replace(layer, name=name) for layer, name in zip(model.layers, AWKWARD, strict=True)
    )
    model = replace(model, layers=layers)
    x, labels = samples_of(model, 1)
    write_project(project_of(model, x[:3], labels[:3]).files, tmp_path)
    make(tmp_path, " ".join(compiler()))
