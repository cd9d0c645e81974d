"""A device taken through every command, on the project of tests/support/fake_project.py."""

import numpy as np

from tests.support.fake_project import INTERFACE, Twin, samples
from tpsgd_edge.toolchain.device import Device


def check_device(device: Device) -> None:
    """Take a device through every command, and compare it with the twin."""
    x, labels = samples(40)
    twin = Twin()
    trace = device.trace(x, labels)
    outputs = [twin.train_step(*sample) for sample in zip(x, labels, strict=True)]
    replay = Twin()
    digests = [replay.digests(replay.train_step(*sample)) for sample in zip(x, labels, strict=True)]
    np.testing.assert_array_equal(trace.digests, digests)
    assert trace.tensors == (*INTERFACE.tensors, "output")
    np.testing.assert_array_equal(trace.final["output"], outputs[-1])
    for name, tensor in twin.state.items():
        np.testing.assert_array_equal(trace.final[name], tensor)

    np.testing.assert_array_equal(device.outputs(x), [twin.outputs(sample) for sample in x])
    answers = device.answers(x, labels)
    np.testing.assert_array_equal(answers.words, twin.answers(x, labels))
    assert (answers.bad_labels, answers.digest) == (0, twin.digest())
    trained = device.state()
    device.init()
    assert device.train(x, labels) == 0
    assert device.state() == trained
    device.init()
    order = np.arange(39, -1, -1)
    device.train(x[::-1], labels[::-1], order=order)
    assert device.state() == trained

    assert device.selftest()
    assert device.state() != trained
    device.load_state(trained)
    assert device.state() == trained
    assert device.train(x[:2], np.array([7, 1], np.uint16)) == 1
    assert not device.set_rate(32769)
    assert device.set_rate(7)
    device.restart_schedule()
    after = INTERFACE.layout.read(device.state())
    assert (int(after["rate"]), int(after["start"])) == (7, int(after["step"]))
    assert len(device.outputs(x[:0])) == 0
    assert device.trace(x[:0], labels[:0]).steps == 0
