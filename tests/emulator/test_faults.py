"""Firmware that does not build, crashes, hangs or is not the right one."""

import dataclasses
import sys

import pytest

from tests.support.fake_project import FILES, INTERFACE, samples
from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain import unicorn_link
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.open_device import find_emulator, open_device
from tpsgd_edge.toolchain.platforms import load_platform

RUNS = [
    ("cortex-m4f", "unicorn"),
    ("cortex-m4f", "qemu"),
    ("rv32imc", "unicorn"),
    ("rv32imc", "qemu"),
]


def step_that(statement: str) -> dict[str, str]:
    """The project with a statement more in its training step."""
    line = "    forward(model, x, arena_out);\n"
    return {"fake.c": FILES["fake.c"].replace(line, f"    {statement}\n{line}")}


@pytest.mark.parametrize(("platform", "emulator"), RUNS)
def test_a_crash_is_an_error(build_firmware, run_firmware, platform, emulator):
    extra = step_that("*(volatile uint32_t *)UINT32_C(0xF0000000) = 1;")
    binary = build_firmware(platform, extra=extra)
    device = run_firmware(binary, INTERFACE, emulator=emulator)
    with device, pytest.raises(ToolError) as caught:
        device.train(*samples(1))
    if emulator == "unicorn":
        assert "fake_train_step_with" in caught.value.where
    else:
        assert "QEMU failed" in caught.value.what
        assert "exit code 3" in caught.value.found


@pytest.mark.slow
@pytest.mark.parametrize(("platform", "emulator"), RUNS)
def test_firmware_that_hangs_is_ended(
    build_firmware, run_firmware, monkeypatch, platform, emulator
):
    monkeypatch.setattr(unicorn_link, "_PULSE_SECONDS", 0.1)
    extra = step_that("for (volatile int stay = 1; stay != 0;) {\n    }")
    binary = build_firmware(platform, extra=extra)
    device = run_firmware(binary, INTERFACE, emulator=emulator, timeout=3.0)
    with device, pytest.raises(ToolError, match=r"3 s"):
        device.train(*samples(1))


@pytest.mark.parametrize("emulator", ["unicorn", "qemu"])
def test_firmware_of_another_model_is_refused(build_firmware, run_firmware, emulator):
    other = dataclasses.replace(INTERFACE, n_in=17)
    with pytest.raises(ToolError, match="built from another model"):
        run_firmware(build_firmware("cortex-m4f"), other, emulator=emulator)


def test_a_source_that_does_not_compile_is_shown(build_firmware):
    with pytest.raises(ToolError) as caught:
        build_firmware(
            "cortex-m4f", extra={"tps_dense.c": "int broken(void) { return missing; }\n"}
        )
    assert caught.value.what == "compiling tps_dense.c failed"
    assert "missing" in caught.value.found


def test_a_project_that_does_not_fit_is_refused_by_the_linker(build_firmware):
    text = FILES["fake.c"].replace("arena_out[3];", "arena_out[4000000];")
    with pytest.raises(ToolError, match="does not fit into the memory of Arm Cortex-M4F"):
        build_firmware("cortex-m4f", extra={"fake.c": text})


def test_without_unicorn_the_error_says_how_to_get_it(build_firmware, monkeypatch):
    monkeypatch.setitem(sys.modules, "unicorn", None)
    with pytest.raises(ToolError, match="unicorn is not installed") as caught:
        open_device(build_firmware("cortex-m4f"), INTERFACE, emulator="unicorn")
    assert "pip install 'tpsgd-edge[emulator]'" in caught.value.help


def test_without_any_emulator_the_first_choice_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "unicorn", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="unicorn is not installed"):
        find_emulator(load_platform("cortex-m4f"))
    with pytest.raises(ToolError, match="qemu-system-arm is not installed") as caught:
        find_emulator(load_platform("cortex-m55"))
    assert "apt install qemu-system-arm" in caught.value.help


def test_a_missing_compiler_is_an_error_before_anything_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="no C compiler"):
        find_compiler(load_platform("cortex-m4f"), "gcc")
