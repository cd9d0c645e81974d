"""Weights read back from an emulated core: ONNX Runtime agrees with what the core predicts."""

from pathlib import Path

import numpy as np
import pytest

from tpsgd_edge import export
from tpsgd_edge.errors import ToolError
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.spec import load_spec
from tpsgd_edge.stages import compile_for_device, prepare, render_project, scratch_project
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import find_emulator, open_device

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

DIGITS = Path(__file__).parents[2] / "examples" / "digits.toml"
STEPS = 1438


def trained_on_a_core(spec, folder):
    """Class scores of the test samples on the core after an epoch, and the state's file."""
    ready = prepare(spec)
    project = render_project(ready)
    x = quantize_inputs(ready.model, ready.dataset.x_train)
    labels = quantize_labels(ready.model, ready.dataset.y_train)
    try:
        emulator = find_emulator(ready.platform)
    except ToolError as error:
        pytest.skip(error.what)
    with scratch_project(project) as built:
        binary = compile_for_device(ready, project, built)
        with open_device(binary, interface_of(ready.model), emulator=emulator) as device:
            device.train(x, labels)
            (folder / "weights.bin").write_bytes(device.state())
            outputs = device.outputs(quantize_inputs(ready.model, ready.dataset.x_test))
    return ready, outputs


@pytest.mark.slow
def test_onnx_runtime_agrees_with_the_core(tmp_path):
    spec = load_spec(DIGITS)
    ready, outputs = trained_on_a_core(spec, tmp_path)
    result = export(spec, weights=tmp_path / "weights.bin", onnx=tmp_path / "digits.onnx")
    assert result.steps == STEPS == len(ready.dataset.x_train)
    session = onnxruntime.InferenceSession(
        result.path.read_bytes(), providers=["CPUExecutionProvider"]
    )
    predicted = session.run(None, {"x": ready.dataset.x_test.astype(np.float32)})[0]
    by_core, by_runtime = outputs.argmax(axis=1), predicted.argmax(axis=1)
    assert (by_core == ready.dataset.y_test).mean() > 0.9
    # Where they differ, the core's activations of 8 bits decided between two that are nearly even:
    # a step of its outputs is 1/256 of a factor of two.
    rows = np.arange(len(outputs))
    margin = outputs[rows, by_core].astype(int) - outputs[rows, by_runtime]
    assert (margin < 16).all()
    assert (by_core == by_runtime).mean() > 0.99
