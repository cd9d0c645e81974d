"""Firmware on every platform, emulator and family of compilers: the same numbers as the twin's."""

import pytest

from tests.support.check_device import check_device
from tests.support.fake_project import INTERFACE, Twin, samples
from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain import qemu_link, unicorn_link
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


def test_a_state_that_is_known_needs_no_boot(build_firmware, run_firmware, monkeypatch):
    x, labels = samples(10)
    with run_firmware(build_firmware("cortex-m55"), INTERFACE, emulator="qemu") as device:
        first = device.state()
        device.train(x, labels)
        with monkeypatch.context() as without:
            without.setattr(qemu_link.QemuLink, "_run", None)
            trained = device.state()
            device.load_state(first)
            assert device.state() == first != trained
        device.train(x, labels)
        assert device.state() == trained


def calls_on(device, foreseen=()):
    """Four calls in turn, of which some may be foreseen; what they say, and the state after."""
    x, labels = samples(40)
    halves = slice(0, 20), slice(20, 40)
    calls = [(what, x[half], labels[half]) for half in halves for what in ("trace", "answers")]
    device.init()
    device.foresee([calls[index] for index in foreseen])
    said = []
    for what, *given in calls:
        made = getattr(device, what)(*given)
        said.append(made.digests if what == "trace" else (made.words, made.bad_labels, made.digest))
    return repr(said), device.state(), device.stack_bytes()


@pytest.mark.parametrize(
    ("foreseen", "boots"),
    [((), 5), ((0, 1, 2, 3), 2), ((0, 1), 4), ((1, 0), 6), ((0, 3), 5), ((2,), 6)],
    ids=["none", "all", "some", "other order", "other than said", "one that comes later"],
)
def test_foreseen_calls_share_a_boot_and_say_the_same(
    build_firmware, run_firmware, monkeypatch, foreseen, boots
):
    run, booted = qemu_link.QemuLink._run, []
    monkeypatch.setattr(qemu_link.QemuLink, "_run", lambda *given: booted.append(1) or run(*given))
    binary = build_firmware("cortex-m55")
    with run_firmware(binary, INTERFACE, emulator="qemu") as device:
        expected = calls_on(device)
        booted.clear()
        assert calls_on(device, foreseen) == expected
        assert len(booted) == boots


def test_foreseen_calls_that_fail_fail_when_they_come(build_firmware, run_firmware, monkeypatch):
    x, labels = samples(10)
    with run_firmware(build_firmware("cortex-m55"), INTERFACE, emulator="qemu") as device:
        before = device.state()
        with monkeypatch.context() as broken:
            broken.setattr(qemu_link, "run_tool", lambda *_, **__: "")
            device.foresee([("trace", x, labels)])
            with pytest.raises(ToolError, match="stopped"):
                device.trace(x, labels)
        assert device.state() == before
        assert device.trace(x, labels).digests.shape[0] == 10
