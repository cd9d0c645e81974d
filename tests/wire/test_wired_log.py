"""A log sees what is learned over the wire, and makes the same weights of it again."""

import numpy as np

from tests.unit.test_codegen_builds import compiler
from tests.wire.projects import LIMITS
from tools.line_devices import Process, build
from tpsgd_edge.link import LinkedDevice
from tpsgd_edge.memory import state_layout
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.reference import Reference
from tpsgd_edge.replaying import replay
from tpsgd_edge.spec import spec_from_dict
from tpsgd_edge.stages import prepare, render_project

STEPS, EVERY = 23, 5


def spec_in(folder):
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((60, 6)), np.arange(60) % 3
    x[:, 0] += 2 * y
    np.savez(folder / "own.npz", x=x, y=y)
    content = {
        "name": "net",
        "model": {"layers": [{"name": "fc1", "units": 5}, {"name": "out", "units": 3}]},
        "data": {"file": "own.npz"},
        "platform": {"name": "host"},
        "firmware": {"log": EVERY, "wire": True},
    }
    return spec_from_dict(content, folder=folder, source="net.toml")


def test_training_over_the_wire_is_written_down(tmp_path):
    spec = spec_in(tmp_path)
    ready = prepare(spec)
    flags = ("-O0", "-Wall", "-Wextra", "-Werror", "-fno-sanitize=all")
    program = build(render_project(ready), tmp_path / "built", *compiler(), *flags)
    x = quantize_inputs(ready.model, ready.dataset.x_train[:STEPS])
    labels = quantize_labels(ready.model, ready.dataset.y_train[:STEPS])
    with (
        Process(program, tmp_path) as process,
        LinkedDevice.open(process.port, ready.model, limits=LIMITS) as device,
    ):
        for sample, label in zip(x, labels, strict=True):
            device.train(sample, label)
        learned = device.pull()
        # Weights that come in begin the log anew.
        device.push(first_state(ready.model))
        for sample, label in zip(x[:EVERY], labels[:EVERY], strict=True):
            device.train(sample, label)
        digest = device.greet().digest
    said = replay(spec, tmp_path / "device.log", weights_out=tmp_path / "state.bin")
    told = said.replay
    assert (told.difference, told.damage) == (None, ())
    assert (told.sessions, told.compared, told.unchecked) == (2, STEPS // EVERY + 1, 0)
    assert said.crc == digest
    layout = state_layout(ready.model)
    assert int(layout.read((tmp_path / "state.bin").read_bytes())["step"]) == EVERY
    assert int(layout.read(learned)["step"]) == STEPS


def first_state(model):
    return state_layout(model).write(Reference(model).state())
