"""Corners of section 24: samples that are kept and learned from again, on the device."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from tests.support.kinds import CLASSES, net
from tpsgd_edge.quantize import quantize_inputs
from tpsgd_edge.reference import Reference, trace
from tpsgd_edge.stages import Prepared, on_host, prepare
from tpsgd_edge.toolchain.device import Device

# One class for long, then the others, then all: some take the places of others, some do not.
LIFE = np.array([0] * 12 + [1] * 15 + [2] * 12 + [0, 1, 2] * 12, np.uint16)
END = 2**32 - 1


@contextmanager
def keeping(keep: str, again: int) -> Iterator[tuple[Prepared, Device, Reference]]:
    """A net that keeps four samples, on this computer, and its reference."""
    prepared = prepare(net(replay={"size": 4, "keep": keep, "again": again}))
    with on_host(prepared, check=False) as device:
        device.init()
        yield prepared, device, Reference(prepared.model)


def assert_same_life(prepared: Prepared, device: Device, reference: Reference) -> None:
    x = quantize_inputs(prepared.model, prepared.dataset.x_train)
    x = x[np.arange(len(LIFE)) % len(x)]
    expected = trace(prepared.model, x, LIFE, reference=reference)
    actual = device.trace(x, LIFE)
    assert expected.tensors == actual.tensors
    assert np.array_equal(expected.digests, actual.digests)


@pytest.mark.parametrize(("keep", "again"), [("reservoir", 1), ("balanced", 2)])
def test_the_device_keeps_and_repeats_what_the_contract_says(keep, again):
    with keeping(keep, again) as (prepared, device, reference):
        assert_same_life(prepared, device, reference)
        state = reference.state()
        kept = np.bincount(state["replay.label"], minlength=CLASSES)
        assert kept.sum() == 4
        assert keep == "reservoir" or sorted(kept) == [1, 1, 2]
        # Counters of what came stay at their ends, and nearly nothing is kept any more.
        seen = np.full_like(state["replay.seen"], END - 1)
        reference.load_state({**state, "replay.seen": seen})
        device.load_state(prepared.plan.state.write(reference.state()))
        assert_same_life(prepared, device, reference)
        assert (reference.state()["replay.seen"] == END).all()
        # A class without a kept sample takes the place of the first of those with most.
        for labels in ([2, 2, 1, 1], [2, 1, 1, 0], [1, 2, 2, 2]):
            own = np.array(labels, np.uint16)
            reference.load_state({**reference.state(), "replay.label": own})
            device.load_state(prepared.plan.state.write(reference.state()))
            assert_same_life(prepared, device, reference)
