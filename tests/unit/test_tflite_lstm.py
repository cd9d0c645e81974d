"""LSTM of TensorFlow Lite files: our net in real numbers beside LiteRT, and what is refused."""

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")

from tests.support import onnx_nets as nets
from tests.support.tflite_nets import Builder, litert, options
from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.tflite.net import read_tflite

RNG = np.random.default_rng(29)
STEPS, N_X, UNITS = 6, 3, 4
TANH = 4
# Places of what an LSTM without extras leaves out.
LEFT_OUT = (9, 10, 11, 16, 17, 20, 21, 22, 23)


def normal(*shape):
    return RNG.normal(size=shape)


def net(*, big=1.0, given=None, left_out=(), time_major=False, **how) -> tuple[Builder, int]:
    """An LSTM, its last step and a dense layer.

    Args:
        big: factor of biases, by which cells come to their bound.
        given, left_out: places of inputs that are there in spite of all, or not there.
    """
    shape = (STEPS, 1) if time_major else (1, STEPS)
    b = Builder((*shape, N_X))
    inputs = [b.x]
    inputs += [b.constant(normal(UNITS, N_X)) for _ in range(4)]
    inputs += [b.constant(normal(UNITS, UNITS)) for _ in range(4)]
    inputs += [-1] * 3
    inputs += [b.constant(big * abs(normal(UNITS))) for _ in range(4)]
    inputs += [-1] * 2
    for name in ("h", "c"):
        inputs.append(b.tensor(name, (1, UNITS)))
        b.net.tensors[-1].isVariable = True
    inputs += [-1] * 4
    for place in left_out:
        inputs[place] = -1
    for place, array in (given or {}).items():
        inputs[place] = b.constant(array)
    known = {"fusedActivationFunction": TANH, "cellClip": 10.0, "timeMajor": time_major, **how}
    y = b.op(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        inputs,
        (*shape, UNITS),
        options("UnidirectionalSequenceLSTM", **known),
    )
    axis = 0 if time_major else 1
    last = b.op(
        "GATHER", [y, b.constant(np.array(STEPS - 1))], (1, UNITS), options("Gather", axis=axis)
    )
    inputs = [last, b.constant(normal(3, UNITS)), b.constant(normal(3))]
    return b, b.op("FULLY_CONNECTED", inputs, (1, 3), options("FullyConnected"))


FORMS = {
    "plain": {"cellClip": 0.0},
    "as converters write it": {},
    "cells at their bound": {"cellClip": 0.5, "big": 3.0},
    "steps first": {"time_major": True},
}


@pytest.mark.parametrize("form", FORMS)
def test_an_lstm_is_what_litert_runs(form, tmp_path):
    b, y = net(**FORMS[form])
    path, x = tmp_path / "net.tflite", normal(5, STEPS, N_X).astype(np.float32)
    path.write_bytes(b.content(y))
    spec = nets.spec_of(path)
    ours = nets.ours(nets.graph_of(spec, x, 3), x)
    np.testing.assert_allclose(ours, litert(b.content(y), x), rtol=1e-5, atol=1e-5)
    assert spec.model.layers[0].kind == "lstm"
    assert spec.model.layers[0].cell_clip == (FORMS[form].get("cellClip", 10.0) or None)


REFUSED = {
    "coupled gates": ({"left_out": (1, 5, 12)}, "one gate for input and forgetting"),
    "peepholes": ({"given": {9: normal(UNITS)}}, "look at its cells (peepholes)"),
    "a projection": ({"given": {16: normal(2, UNITS)}}, "a projection of its output"),
    "norms": ({"given": {21: normal(UNITS)}}, "sums that are normalized"),
    "another curve": ({"fusedActivationFunction": 1}, "activation number 1"),
    "a bound below 0": ({"cellClip": -1.0}, "cells limited to -1"),
    "weights that do not fit": ({"given": {2: normal(UNITS, 9)}}, "(4, 9)"),
}


@pytest.mark.parametrize("form", REFUSED)
def test_an_lstm_of_another_form_is_refused(form, tmp_path):
    how, words = REFUSED[form]
    b, y = net(**how)
    path = tmp_path / "net.tflite"
    path.write_bytes(b.content(y))
    with pytest.raises(DataError, match="UNIDIRECTIONAL_SEQUENCE_LSTM") as caught:
        read_tflite(path)
    assert words in caught.value.found
