"""What an emulator measured is remembered for the same code and samples, and for no other."""

import pytest

from tests.emulator.test_counting import needs
from tests.support.fake_project import INTERFACE, samples
from tpsgd_edge.stages import firmware


@pytest.fixture
def measured(build_firmware, monkeypatch, tmp_path):
    """Measures three samples, with a cache of this test's own; notes how often it ran a device."""
    needs("cortex-m4f", "unicorn")
    monkeypatch.setenv("TPSGD_EDGE_CACHE", str(tmp_path / "cache"))
    open_device = firmware.open_device
    x, labels = samples(4)

    def measure(extra=None, first=0, counted=2):
        binary = build_firmware("cortex-m4f", extra=extra)
        part = slice(first, first + 3)
        return firmware._measured(binary, INTERFACE, x[part], labels[part], counted)

    def noting(binary, interface):
        measure.opened += 1
        return open_device(binary, interface)

    measure.opened = 0
    monkeypatch.setattr(firmware, "open_device", noting)
    return measure


def test_the_second_time_runs_no_emulator(measured):
    stack, counts = measured()
    assert stack > 0
    assert counts.step.runs == counts.inference.runs == 2
    assert measured() == (stack, counts)
    assert measured.opened == 1


@pytest.mark.parametrize("how", ["code", "samples", "count", "tool"])
def test_whatever_goes_in_is_measured_again(how, measured, monkeypatch):
    measured()
    if how == "code":
        measured(extra={"fake_extra.h": "#define FAKE_BIAS 1\n"})
    if how == "samples":
        measured(first=1)
    if how == "count":
        assert measured(counted=3)[1].step.runs == 3
    if how == "tool":
        monkeypatch.setattr(firmware, "code_digest", lambda: b"another")
        measured()
    assert measured.opened == 2


def test_a_count_that_could_not_be_made_is_looked_for_again(measured, monkeypatch):
    def never(*_, **__):
        raise firmware.ToolError("no plugin")

    with monkeypatch.context() as patched:
        patched.setattr(firmware, "count_instructions", never)
        assert measured()[1] is None
    assert measured()[1] is not None
    assert measured.opened == 2
