"""Forms of LSTM in ONNX files: those that come in as ONNX Runtime runs them, and the refused."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")

from tests.support import onnx_nets as nets
from tests.support.onnx_files import node
from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.imports.onnx_net import read_onnx

RNG = np.random.default_rng(29)
STEPS, N_X, UNITS = 7, 3, 4
PLACES = {"lengths": 4, "h": 5, "c": 6, "peeps": 7}


def real(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def onnx_file(folder: Path, *, outputs=("", "last"), read="last", more=None, **how) -> Path:
    inputs = ["t", "w", "r", "b", "", "", "", ""]
    constants = {
        "w": real(1, 4 * UNITS, N_X),
        "r": real(1, 4 * UNITS, UNITS),
        "b": real(1, 8 * UNITS),
        "v": real(UNITS, 3),
        "axis": np.zeros(1, np.int64),
        **(more or {}),
    }
    for name in more or {}:
        inputs[PLACES[name]] = name
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        node("LSTM", inputs, list(outputs), hidden_size=UNITS, **how),
        node("Squeeze", [read, "axis"], ["h2"]),
        node("MatMul", ["h2", "v"], ["y"]),
    ]
    path = folder / "net.onnx"
    model = nets.model_of(nodes, constants, ("n", STEPS, N_X), "y")
    path.write_bytes(model.SerializeToString())
    return path


FORMS = {
    "plain": {},
    "all said": {
        "activations": ["Sigmoid", "Tanh", "Tanh"],
        "direction": "forward",
        "input_forget": 0,
        "more": {
            "lengths": np.full(1, STEPS, np.int32),
            "h": np.zeros((1, 1, UNITS), np.float32),
            "c": np.zeros((1, 1, UNITS), np.float32),
            "peeps": np.zeros((1, 3 * UNITS), np.float32),
        },
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_an_lstm_of_onnx_is_what_onnx_runtime_runs(form, tmp_path):
    path = onnx_file(tmp_path, **FORMS[form])
    x = real(1 if form == "all said" else 12, STEPS, N_X)
    expected = nets.runtime(path, x)
    ours = nets.ours(nets.graph_of(nets.spec_of(path), x, 3), x)
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)


REFUSED = {
    "backwards": ({"direction": "reverse"}, "a LSTM of this kind has no layer of ours"),
    "clipped sums": ({"clip": 3.0}, "a LSTM of this kind has no layer of ours"),
    "other curves": (
        {"activations": ["HardSigmoid", "Tanh", "Tanh"]},
        "a LSTM of this kind has no layer of ours",
    ),
    "coupled gates": ({"input_forget": 1}, "LSTM has one gate for input and forgetting"),
    "peepholes": (
        {"more": {"peeps": np.ones((1, 3 * UNITS), np.float32)}},
        "LSTM has gates that look at its cells (peepholes)",
    ),
    "a first cell": (
        {"more": {"c": np.ones((1, 1, UNITS), np.float32)}},
        "LSTM starts from a state other than zero",
    ),
    "a bound that ONNX has not": ({"cell_clip": 3.0}, "an attribute that is not known here"),
    "cells that are read": (
        {"outputs": ("", "last", "cells"), "read": "cells"},
        "read its output or its last state",
    ),
}


@pytest.mark.parametrize("form", REFUSED)
def test_an_lstm_of_another_form_is_refused(form, tmp_path):
    how, words = REFUSED[form]
    with pytest.raises(DataError) as caught:
        read_onnx(onnx_file(tmp_path, **how))
    assert words in str(caught.value).replace("an LSTM of", "a LSTM of")
