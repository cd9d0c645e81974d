"""Nets that adapt, on emulated cores: no bit differs, and large frozen ones fit a small RAM."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.emulator.test_random_networks import on_cores, run_on
from tests.random.test_adapting_nets import adapting_network
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.reports.costs import layer_costs
from tpsgd_edge.spec import spec_from_dict
from tpsgd_edge.stages import inspect_firmware, prepare, prove, render_project, scratch_project
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import open_device

pytestmark = pytest.mark.emulator


@pytest.mark.slow
@on_cores(number=range(8))
def test_a_core_does_what_the_reference_does(core, number):
    # Seeds of s8 and s16: f32 is for cores with a unit for it.
    seed = 14_000 + 3 * number + (1, 2)[number % 2]
    run_on(core, replace(adapting_network(seed), name="net"), number)


@pytest.mark.slow
def test_a_core_with_64k_of_ram_adapts_200k_of_frozen_weights(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    np.savez(
        tmp_path / "net.npz",
        **{
            "fc1.w": rng.normal(size=(264, 784)) / 28,
            "fc1.b": rng.normal(size=264) / 4,
            "out.w": rng.normal(size=(10, 264)) / 16,
            "out.b": np.zeros(10),
        },
    )
    layers = [
        {"name": "fc1", "units": 264, "weights": "s8", "train": False},
        {"name": "out", "units": 10},
    ]
    content = {
        "name": "large",
        "model": {"layers": layers, "weights_file": "net.npz"},
        "data": {"file": "x.npz"},
        "platform": {"name": "cortex-m4f", "ram": "64K", "flash": "512K"},
    }
    spec = spec_from_dict(content, folder=tmp_path)
    x, y = rng.integers(0, 256, (40, 784)).astype(np.uint8), np.arange(40) % 10
    prepared = prepare(spec, dataset_from_arrays(spec, x, y))
    frozen = layer_costs(prepared.model, prepared.plan)[0]
    assert frozen.ram_bytes == 0
    assert frozen.flash_bytes >= 200 * 1024
    project = render_project(prepared)
    with scratch_project(project) as folder:
        firmware = inspect_firmware(prepared, project, folder)
        assert firmware.sizes is not None
        assert firmware.sizes.ram.total <= 64 * 1024
        assert firmware.sizes.flash.total >= 200 * 1024
        with open_device(firmware.binary, interface_of(prepared.model)) as device:
            before = device.state()
            verdict = prove(device, prepared, 12, lambda *_: None)
            assert verdict.verdict == "equal", verdict.describe()
            assert device.state() != before
