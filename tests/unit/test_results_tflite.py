"""tools/results_tflite.py on files of the tests."""

import re
from pathlib import Path

import numpy as np
import pytest

from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.platforms import load_platform

pytest.importorskip("ai_edge_litert")

from tools import results_tflite

DATA = Path(__file__).parent.parent / "data"


def test_what_does_not_come_in_is_said(tmp_path):
    path = tmp_path / "net.tflite"
    path.write_bytes(b"0123TFL9")
    assert results_tflite.row(path) == "no: 'net.tflite' is no TensorFlow Lite file"


def test_samples_lie_within_what_the_integers_reach():
    path = DATA / "tf_cnn_int8.tflite"
    whole = results_tflite.samples(path, (12, 10, 1), np.dtype("i1"))
    assert whole.dtype == np.int8
    assert len(np.unique(whole)) > 20
    real = results_tflite.samples(DATA / "tf_cnn.tflite", (12, 10, 1), np.dtype("f4"))
    assert 0.9 < real.std() < 1.1


@pytest.mark.slow
def test_a_file_is_compared_and_learns(tmp_path):
    try:
        find_compiler(load_platform("host"))
    except ToolError as error:
        pytest.skip(str(error))
    row = results_tflite.row(DATA / "tf_steps.tflite", learns=True)
    match = re.fullmatch(r"(\S+) \| 100% \| (\d+)% \| bit for bit", row)
    assert match is not None, row
    assert float(match[1]) < 1e-5
    assert int(match[2]) > 80
