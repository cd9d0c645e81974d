"""Firmware on every platform, emulator and family of compilers: the same numbers as the twin's."""

import pytest

from tests.support.check_device import check_device
from tests.support.fake_project import INTERFACE, Twin, samples
from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain import process_link, unicorn_link
from tpsgd_edge.toolchain.platforms import all_platforms

DEVICES = [platform for platform in all_platforms() if not platform.is_host]
CORES = [platform for platform in DEVICES if platform.is_core]
RUNS = [(platform.name, emulator) for platform in DEVICES for emulator in platform.emulators]


@pytest.mark.parametrize(("platform", "emulator"), RUNS)
def test_every_platform_does_what_the_twin_does(build_firmware, run_firmware, platform, emulator):
    with run_firmware(build_firmware(platform), INTERFACE, emulator=emulator) as device:
        check_device(device)


@pytest.mark.parametrize(
    ("platform", "family"),
    [
        (platform.name, family)
        for platform in DEVICES
        for family in ("gcc", "clang")
        if family in platform.flags
    ],
)
def test_every_compiler_does_what_the_twin_does(build_firmware, run_firmware, platform, family):
    with run_firmware(build_firmware(platform, family=family), INTERFACE) as device:
        check_device(device)


@pytest.mark.parametrize(
    ("platform", "emulator"),
    [(platform.name, emulator) for platform in CORES for emulator in platform.emulators],
)
def test_the_stack_is_measured(build_firmware, run_firmware, platform, emulator):
    x, labels = samples(10)
    with run_firmware(build_firmware(platform), INTERFACE, emulator=emulator) as device:
        device.stack_bytes()
        device.outputs(x)
        inference = device.stack_bytes()
        device.train(x, labels)
        training = device.stack_bytes()
        device.outputs(x)
        assert device.stack_bytes() == inference
    assert 20 < inference < training < 512


@pytest.mark.parametrize("platform", ["cortex-m0plus", "cortex-m4f", "cortex-m55", "rv32imc"])
def test_firmware_without_training_predicts(build_firmware, run_firmware, platform):
    x, _ = samples(20)
    with run_firmware(build_firmware(platform, inference_only=True), INTERFACE) as device:
        twin = Twin()
        assert device.outputs(x).tolist() == [twin.outputs(sample).tolist() for sample in x]
        assert device.stack_bytes() > 0


@pytest.mark.parametrize("platform", ["cortex-m4f", "rv32imc"])
def test_pauses_change_nothing(build_firmware, run_firmware, monkeypatch, platform):
    binary = build_firmware(platform)
    x, labels = samples(3000)
    with run_firmware(binary, INTERFACE, emulator="unicorn") as device:
        device.train(x, labels)
        expected = device.state()
        monkeypatch.setattr(unicorn_link, "_PULSE_SECONDS", 0.0001)
        device.init()
        device.train(x, labels)
        assert device.state() == expected


@pytest.mark.parametrize("platform", ["cortex-m55", "rv32imc"])
def test_one_qemu_answers_all_calls(build_firmware, run_firmware, monkeypatch, platform):
    start, started = process_link.ProcessLink.__init__, []

    def counted(*words, **given):
        started.append(words)
        start(*words, **given)

    monkeypatch.setattr(process_link.ProcessLink, "__init__", counted)
    with run_firmware(build_firmware(platform), INTERFACE, emulator="qemu") as device:
        check_device(device)
    assert len(started) == 1


def test_requests_and_replies_may_be_longer_than_a_pipe(build_firmware, run_firmware):
    x, labels = samples(20_000)
    with run_firmware(build_firmware("cortex-m55"), INTERFACE, emulator="qemu") as device:
        traced = device.trace(x, labels)
        state = device.state()
        device.init()
        device.train(x, labels)
        assert device.state() == state
        assert len(traced.digests) == len(x)


def test_a_qemu_that_is_killed_is_an_error(build_firmware, run_firmware):
    x, labels = samples(10)
    with run_firmware(build_firmware("cortex-m55"), INTERFACE, emulator="qemu") as device:
        device._link._process._child.kill()
        with pytest.raises(ToolError, match="QEMU failed"):
            device.train(x, labels)
