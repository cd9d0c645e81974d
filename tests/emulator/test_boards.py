"""A board as it is sold, with no more RAM than it has: the net of docs/RESULTS.md trains there."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.spec import spec_from_dict
from tpsgd_edge.stages import prepare, prove, render_project, scratch_project
from tpsgd_edge.toolchain.build import compile_firmware
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import open_device
from tpsgd_edge.toolchain.platforms import MemoryMap, Qemu, Region, load_platform

# STM32F405: 1 MB of flash, 128 KB of SRAM; its 64 KB beside the core are left alone.
FLASH, RAM = Region(0x08000000, 1024 * 1024), Region(0x20000000, 128 * 1024)
STACK = 4096
STEPS = 40

pytestmark = pytest.mark.emulator


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="needs qemu-system-arm")
def test_784_128_10_trains_in_128_kb(tmp_path: Path) -> None:
    board = replace(
        load_platform("cortex-m4f"),
        title="STM32F405 (QEMU: netduinoplus2)",
        memory=MemoryMap(FLASH, RAM, STACK),
        unicorn=None,
        qemu=Qemu("qemu-system-arm", ("-M", "netduinoplus2")),
    )
    content = {
        "name": "board",
        "numbers": {"weights": "s8"},
        "model": {"layers": [{"name": "fc1", "units": 128}, {"name": "fc2", "units": 10}]},
        "data": {"file": "x.npz"},
        "platform": {"name": "cortex-m4f", "ram": "128K", "flash": "1M"},
    }
    spec = spec_from_dict(content, folder=tmp_path)
    rng = np.random.default_rng(4)
    x, y = rng.integers(0, 256, (60, 784)).astype(np.uint8), np.arange(60) % 10
    prepared = replace(prepare(spec, dataset_from_arrays(spec, x, y)), platform=board)
    project, interface = render_project(prepared), interface_of(prepared.model)
    assert "LENGTH = 0x00020000" in project.files["port/link.ld"]
    with scratch_project(project) as folder:
        binary = compile_firmware(
            folder,
            project.name,
            project.sources,
            board,
            find_compiler(board),
            build_dir=folder / "build",
        )
        with open_device(binary, interface) as device:
            before = device.state()
            verdict = prove(device, prepared, STEPS, lambda *_: None)
            assert verdict.verdict == "equal", verdict.describe()
            after = np.frombuffer(device.state(), np.int8)
            moved = np.frombuffer(before, np.int8) != after
            assert np.count_nonzero(moved) > 10_000
