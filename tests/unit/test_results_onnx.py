"""tools/results_onnx.py on files that this test writes."""

import re
from pathlib import Path

import numpy as np
import pytest

from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.platforms import load_platform

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")

from tests.support import onnx_nets as nets  # noqa: E402
from tools import results_onnx  # noqa: E402

node = onnx.helper.make_node
RNG = np.random.default_rng(12)


def save(folder: Path, nodes: list[onnx.NodeProto], opset: int) -> Path:
    path = folder / "net.onnx"
    constants = {
        "k": RNG.normal(size=(2, 1, 3, 3)).astype(np.float32),
        "b": RNG.normal(size=2).astype(np.float32),
        "w": RNG.normal(size=(18, 4)).astype(np.float32),
    }
    shape = (7, 1, 5, 5)  # a batch of 7
    path.write_bytes(nets.model_of(nodes, constants, shape, opset=opset).SerializeToString())
    return path


def test_an_old_file_is_compared_in_a_form_that_onnx_runtime_has(tmp_path: Path) -> None:
    try:
        find_compiler(load_platform("host"))
    except ToolError as error:
        pytest.skip(str(error))
    nodes = [
        node("Conv", ["x", "k"], ["a"]),
        node("Add", ["a", "b"], ["c"], axis=1, broadcast=1),
        node("Relu", ["c"], ["d"], consumed_inputs=[0]),
        node("Reshape", ["d"], ["f"], shape=[-1, 18]),
        node("MatMul", ["f", "w"], ["y"]),
    ]
    row = results_onnx.row(save(tmp_path, nodes, 1))
    match = re.fullmatch(r"(\S+) \| (\d+)%", row)
    assert match is not None, row
    assert float(match[1]) < 1e-5
    assert int(match[2]) > 80


def test_what_does_not_come_in_is_said(tmp_path: Path) -> None:
    row = results_onnx.row(save(tmp_path, [node("Erf", ["x"], ["y"])], 13))
    assert row == "no: the operator Erf has no layer of ours"
