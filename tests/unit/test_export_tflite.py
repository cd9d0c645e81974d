"""Trained weights as TensorFlow Lite files: what LiteRT predicts beside what the device does."""

import json
import sys

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("ai_edge_litert")

from tests.support.tflite_nets import litert
from tests.unit.test_export import CONV, DEPTHWISE, NETS, OUT, prepared, softmax, spec_file
from tpsgd_edge.cli import run
from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.frontend.exports.onnx_net import sample_lengths
from tpsgd_edge.frontend.imports.source import with_source
from tpsgd_edge.frontend.tflite.outgoing import JOIN, MAKE
from tpsgd_edge.quantize import quantize_inputs
from tpsgd_edge.quantize.samples import read_outputs
from tpsgd_edge.spec import spec_from_dict
from tpsgd_edge.stages import prepare
from tpsgd_edge.stages.export import tflite_of, with_state

SKIP = {"kind": "add", "from": ["c", "d"], "activation": "relu6", "name": "s"}
SAME = {**CONV, "kernel": 3, "stride": 1, "padding": "same"}
OWN = {
    "dense": NETS["dense"],
    "activations": NETS["activations"],
    "curves": (
        [
            {"name": "l", "units": 7, "activation": "hard_sigmoid", "beta": 0.6},
            {"name": "a", "units": 7, "activation": "elu"},
            {"name": "c", "units": 7, "activation": "gelu", "train": False},
            {"name": "d", "units": 7, "activation": "gelu_tanh", "train": False},
            {"name": "e", "units": 7, "activation": "silu", "train": False},
            {"name": "f", "units": 7, "activation": "hard_swish", "train": False},
            OUT,
        ],
        (9,),
    ),
    "convolutions": NETS["convolutions"],
    "one channel": NETS["one channel"],
    "along time": NETS["along time"],
    "depthwise, apart": (
        [
            {**DEPTHWISE, "filters": 6, "groups": 2, "dilation": 2, "padding": "same"},
            {"kind": "max_pool", "size": 3, "stride": 2, "padding": [1, 1, 0, 0]},
            {"kind": "avg_pool", "size": 2, "stride": 2, "padding": [0, 0, 1, 1]},
            OUT,
        ],
        (11, 9, 2),
    ),
    "zeros on both sides": ([{**CONV, "kernel": 3, "stride": 2, "padding": 1}, OUT], (10, 8, 2)),
    "three ways": (
        [
            {**SAME, "activation": "relu"},
            {**SAME, "name": "d"},
            {**SAME, "name": "e", "kernel": 1, "activation": "linear"},
            {**SKIP, "from": ["c", "d", "e"]},
            OUT,
        ],
        (7, 6, 2),
    ),
    "ways that meet": (
        [
            {**SAME, "activation": "relu"},
            {**SAME, "name": "d", "groups": 4},
            SKIP,
            {"kind": "concat", "from": ["s", "c"], "name": "k"},
            OUT,
        ],
        (7, 6, 2),
    ),
}


def both(ready, reference):
    """Outputs of the reference in real numbers, and of the exported net, for the test samples."""
    x = ready.dataset.x_test
    outputs = [reference.output(row) for row in quantize_inputs(ready.model, x)]
    content = tflite_of(ready, reference.state())
    return np.array(outputs), litert(content, x.reshape(len(x), *sample_lengths(ready.graph)))


@pytest.mark.series(4)
@pytest.mark.parametrize("name", OWN)
def test_every_layer_kind_predicts_the_same(name):
    layers, shape = OWN[name]
    outputs, predicted = both(*prepared(layers, shape))
    np.testing.assert_allclose(predicted, softmax(outputs.astype(np.float64)), atol=2e-5)


def test_every_kind_goes_out_or_is_refused_by_its_name():
    from tpsgd_edge.frontend.exports import layers

    refused = {"rnn", "gru", "lstm", "memory", "norm"}
    assert set(layers.MAKE) - set(MAKE) == refused
    assert layers.JOIN.keys() == JOIN.keys()
    ready, reference = prepared(*NETS["plain recurrent"])
    with pytest.raises(SpecError, match="layer 's' cannot be written as TensorFlow Lite") as caught:
        tflite_of(ready, reference.state())
    assert caught.value.found == 'kind = "rnn", a loop over steps'
    assert caught.value.help == "ONNX has it: --onnx"
    ready, reference = prepared(*NETS["curves"])
    with pytest.raises(SpecError) as caught:
        tflite_of(ready, reference.state())
    assert caught.value.found == "activation elu"


@pytest.mark.parametrize("scaling", ["standard", "standard_channels"])
def test_the_scaling_of_samples_is_part_of_the_net(scaling):
    layers, shape = NETS["convolutions"]
    ready, reference = prepared(layers, shape, data={"file": "x.npz", "scaling": scaling})
    outputs, predicted = both(ready, reference)
    np.testing.assert_allclose(predicted, softmax(outputs.astype(np.float64)), atol=2e-5)


@pytest.mark.parametrize("activation", ["linear", "tanh"])
def test_label_vectors_come_in_the_units_of_the_data(activation):
    layers = [{"name": "a", "units": 6}, {"name": "o", "units": 2, "activation": activation}]
    ready, reference = prepared(
        layers, (5,), labels=lambda rng, x: 40 + 9 * x[:, :2] + rng.normal(size=(90, 2))
    )
    outputs, predicted = both(ready, reference)
    np.testing.assert_allclose(predicted, read_outputs(ready.model, outputs), rtol=1e-4, atol=1e-3)


def test_scores_that_are_carried_are_part_of_the_net():
    layers, shape = NETS["convolutions"]
    ready, reference = prepared(layers, shape, rule={"learning_rate": 0.01, "scores": "carried"})
    assert ready.model.carrying
    outputs, predicted = both(ready, reference)
    np.testing.assert_allclose(predicted, softmax(outputs.astype(np.float64)), atol=2e-5)


@pytest.mark.parametrize("name", ["dense", "convolutions", "ways that meet"])
def test_what_goes_out_comes_in_again(name, tmp_path):
    layers, shape = OWN[name]
    rule = {"learning_rate": 0.01, "scores": "own"}
    ready, reference = prepared(layers, shape, data={"file": "x.npz", "scaling": "none"}, rule=rule)
    graph = with_state(ready, reference.state())
    (tmp_path / "net.tflite").write_bytes(tflite_of(ready, reference.state()))
    content = {"name": "net", "model": {"source": "net.tflite"}}
    content["data"] = {"file": "x.npz", "scaling": "none"}
    spec = with_source(spec_from_dict(content, folder=tmp_path))
    x = np.resize(ready.dataset.x_test, (30, *ready.dataset.x_test.shape[1:]))
    again = prepare(spec, dataset_from_arrays(spec, x.reshape(30, *shape), np.arange(30) % 3))
    assert [layer.kind for layer in again.graph.layers] == [layer.kind for layer in graph.layers]
    assert [layer.name for layer in again.graph.weighted] == [la.name for la in graph.weighted]
    for was, now in zip(graph.weighted, again.graph.weighted, strict=True):
        assert was.activation == now.activation
        w, b = graph.weights[was.name].w, graph.weights[was.name].b
        np.testing.assert_array_equal(w.astype(np.float32), again.graph.weights[now.name].w)
        np.testing.assert_array_equal(b.astype(np.float32), again.graph.weights[now.name].b)


def test_the_same_state_gives_the_same_bytes():
    ready, reference = prepared(*NETS["dense"])
    first = tflite_of(ready, reference.state())
    assert first == tflite_of(ready, reference.state())
    assert b"tpsgd-edge: net after 72 training steps" in first


def test_the_command_writes_it_without_onnx(tmp_path, capsys, monkeypatch):
    spec, weights = spec_file(tmp_path)
    monkeypatch.setitem(sys.modules, "onnx", None)
    out = tmp_path / "d.tflite"
    arguments = ["export", spec, "--weights", weights, "--tflite", str(out)]
    assert run([*arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["tflite"], document["tflite_bytes"]) == (str(out), out.stat().st_size)
    # A file of its own is replaced, another one is not.
    assert run(arguments) == 0
    assert "TFLite" in capsys.readouterr().out
    out.write_bytes(b"precious")
    assert run(arguments) != 0
    assert "the TensorFlow Lite file would overwrite a file" in capsys.readouterr().err
    assert out.read_bytes() == b"precious"
    assert run([*arguments, "--onnx", str(out)]) != 0
    assert "one file is written at a time" in capsys.readouterr().err
