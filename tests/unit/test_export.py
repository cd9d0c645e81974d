"""Trained weights as ONNX files: what ONNX Runtime predicts beside what the device does."""

import json
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tpsgd_edge import export
from tpsgd_edge.cli import run
from tpsgd_edge.errors import DataError, ToolError
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.frontend.exports.layers import JOIN, MAKE
from tpsgd_edge.frontend.exports.onnx_net import sample_lengths
from tpsgd_edge.frontend.imports.source import with_source
from tpsgd_edge.memory import digest_order, state_layout
from tpsgd_edge.memory.dump import read_dump
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.quantize.samples import read_outputs
from tpsgd_edge.reference import Reference
from tpsgd_edge.reference.layer import GATED, UNTRAINED, WEIGHTED
from tpsgd_edge.spec import load_spec, spec_from_dict
from tpsgd_edge.stages import prepare
from tpsgd_edge.stages.export import onnx_of, with_state
from tpsgd_edge.trace import digest

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

EXAMPLES = Path(__file__).parents[2] / "examples"
CONV = {
    "kind": "conv2d",
    "name": "c",
    "filters": 4,
    "kernel": [3, 2],
    "stride": [2, 1],
    "padding": [1, 0, 1, 1],
}
DEPTHWISE = {"kind": "conv2d", "name": "d", "filters": 4, "kernel": 3, "groups": 2}
POOL = {"kind": "max_pool", "size": 2}
MEAN = {"kind": "global_avg_pool"}
OUT = {"name": "out", "units": 3}
LEAKY = {"kind": "rnn", "name": "r", "units": 6, "leak": [1.0, 0.5, 0.25]}
PLAIN = {"kind": "rnn", "name": "p", "units": 5, "leak": 1.0}
SLOPING = {**PLAIN, "name": "s", "activation": "leaky_relu", "negative_slope": 0.2}
GATES = {"kind": "gru", "name": "g", "units": 5}
CELLS = {"kind": "lstm", "name": "k", "units": 5}
NETS = {
    "dense": ([{"name": "a", "units": 7}, {"name": "b", "units": 5}, OUT], (9,)),
    "activations": (
        [
            {"name": "a", "units": 7, "activation": "relu"},
            {"name": "b", "units": 7, "activation": "hard_tanh"},
            {"name": "m", "units": 7, "activation": "relu6"},
            {"name": "l", "units": 7, "activation": "leaky_relu", "negative_slope": 0.3},
            {"name": "c", "units": 7, "activation": "sigmoid"},
            {"name": "d", "units": 7, "activation": "linear"},
            OUT,
        ],
        (9,),
    ),
    "curves": (
        [
            {"name": "a", "units": 7, "activation": "elu", "alpha": 0.7},
            {"name": "b", "units": 7, "activation": "selu"},
            {"name": "m", "units": 7, "activation": "softplus"},
            {"name": "l", "units": 7, "activation": "hard_sigmoid", "beta": 0.6},
            {"name": "c", "units": 7, "activation": "gelu", "train": False},
            {"name": "d", "units": 7, "activation": "gelu_tanh", "train": False},
            {"name": "e", "units": 7, "activation": "silu", "train": False},
            {"name": "f", "units": 7, "activation": "hard_swish", "train": False},
            OUT,
        ],
        (9,),
    ),
    "curves along time": (
        [
            {**PLAIN, "name": "e", "activation": "elu", "alpha": 0.6},
            {**PLAIN, "activation": "hard_sigmoid", "alpha": 0.3},
            OUT,
        ],
        (8, 4),
    ),
    "convolutions": ([CONV, DEPTHWISE, POOL, {"name": "a", "units": 8}, OUT], (11, 9, 2)),
    "a frozen convolution": ([{**CONV, "train": False}, MEAN, OUT], (11, 9, 2)),
    "one channel": ([{**CONV, "stride": 1}, MEAN, OUT], (7, 9)),
    "along time": (
        [
            {"kind": "conv1d", "name": "c", "filters": 4, "kernel": 3, "padding": "same"},
            {"kind": "avg_pool", "size": 2},
            OUT,
        ],
        (12, 3),
    ),
    "plain recurrent": ([SLOPING, PLAIN, OUT], (8, 4)),
    "cells": ([CELLS, {**CELLS, "name": "h"}, OUT], (8, 4)),
    "gated": ([{**GATES, "reset": "before", "train": False}, {**GATES, "name": "h"}, OUT], (8, 4)),
    "memories": (
        [{"kind": "memory", "every": 3}, {"name": "a", "units": 5}, {"kind": "memory"}, OUT],
        (8, 4),
    ),
    "cosines": ([{"kind": "memory", "cosines": 3}, {"name": "a", "units": 5}, OUT], (8, 4)),
    "stacked memories": (
        [
            {"kind": "memory", "leak": [1, 0.5], "differences": False, "every": 2},
            {"kind": "memory", "cosines": 2},
            OUT,
        ],
        (9, 2),
    ),
    "a memory behind a recurrent layer": ([LEAKY, {"kind": "memory", "cosines": 1}, OUT], (8, 4)),
    "a memory behind a convolution": (
        [{"kind": "conv1d", "name": "c", "filters": 4, "kernel": 3}, {"kind": "memory"}, OUT],
        (12, 3),
    ),
    "leaky, stacked": ([LEAKY, PLAIN, {"name": "a", "units": 4}, OUT], (8, 4)),
}


def prepared(layers, shape, *, weights="f32", labels=None, **sections):
    """A model for random samples of a shape, and the reference after some steps."""
    content = {"name": "net", "model": {"layers": layers}, "data": {"file": "x.npz"}}
    content |= {"numbers": {"weights": weights}, "rule": {"learning_rate": 0.01}, **sections}
    spec = spec_from_dict(content)
    rng = np.random.default_rng(4)
    x = rng.normal(1, 2, size=(90, *shape)).astype(np.float32)
    y = np.arange(90) % 3 if labels is None else labels(rng, x)
    ready = prepare(spec, dataset_from_arrays(spec, x, y))
    reference = Reference(ready.model)
    samples = quantize_inputs(ready.model, ready.dataset.x_train)
    for sample, label in zip(
        samples, quantize_labels(ready.model, ready.dataset.y_train), strict=True
    ):
        reference.train_step(sample, label)
    return ready, reference


def bytes_of(model, state):
    """The state struct in memory."""
    return state_layout(model).write(state)


def runtime(content, x):
    """What ONNX Runtime makes of samples, all at once."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x.astype(np.float32)})[0]


def both(ready, reference):
    """Outputs of the reference in real numbers, and of the exported net, for the test samples."""
    state = read_dump(ready.model, bytes_of(ready.model, reference.state()), where="dump")
    x = ready.dataset.x_test
    outputs = [reference.output(row) for row in quantize_inputs(ready.model, x)]
    content = onnx_of(ready, state)
    return np.array(outputs), runtime(content, x.reshape(len(x), *sample_lengths(ready.graph)))


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@pytest.mark.series(6)
@pytest.mark.parametrize("name", NETS)
def test_every_layer_kind_predicts_the_same(name):
    layers, shape = NETS[name]
    outputs, predicted = both(*prepared(layers, shape))
    np.testing.assert_allclose(predicted, softmax(outputs.astype(np.float64)), atol=2e-5)


def test_every_kind_of_the_reference_can_go_out():
    assert set(MAKE) == {kind for kind, _ in (*WEIGHTED, *GATED, *UNTRAINED)} - set(JOIN)


@pytest.mark.parametrize("scaling", ["none", "standard", "standard_channels", "standard_all"])
def test_the_scaling_of_samples_is_part_of_the_net(scaling):
    layers, shape = NETS["convolutions"]
    ready, reference = prepared(layers, shape, data={"file": "x.npz", "scaling": scaling})
    outputs, predicted = both(ready, reference)
    np.testing.assert_allclose(predicted, softmax(outputs.astype(np.float64)), atol=2e-5)
    x = ready.dataset.x_test
    scaled = (x - ready.model.inputs.mean) / ready.model.inputs.std
    content = onnx_of(ready, reference.state(), scaled_input=True)
    again = runtime(content, scaled.reshape(len(x), *shape))
    np.testing.assert_allclose(again, predicted, atol=2e-5)


@pytest.mark.parametrize("activation", ["linear", "tanh"])
def test_label_vectors_come_in_the_units_of_the_data(activation):
    layers = [{"name": "a", "units": 6}, {"name": "o", "units": 2, "activation": activation}]
    ready, reference = prepared(
        layers, (5,), labels=lambda rng, x: 40 + 9 * x[:, :2] + rng.normal(size=(90, 2))
    )
    outputs, predicted = both(ready, reference)
    np.testing.assert_allclose(predicted, read_outputs(ready.model, outputs), rtol=1e-4, atol=1e-3)


def test_each_step_has_an_answer():
    layers = [LEAKY, {"name": "a", "units": 5}, OUT]
    ready, reference = prepared(
        layers, (8, 4), labels=lambda rng, x: rng.permutation(np.arange(90 * 8) % 3).reshape(90, 8)
    )
    outputs, predicted = both(ready, reference)
    assert predicted.shape == (len(ready.dataset.x_test), 8, 3)
    np.testing.assert_allclose(predicted, softmax(outputs.astype(np.float64)), atol=2e-5)


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("name", ["dense", "convolutions", "along time"])
def test_scores_that_are_carried_are_part_of_the_net(name, learned):
    layers, shape = NETS[name]
    rule = {"learning_rate": 0.01, "scores": "carried"}
    projection = {"projection": {"kind": "learned"}} if learned else {}
    ready, reference = prepared(layers, shape, rule=rule, **projection)
    assert ready.model.carrying
    outputs, predicted = both(ready, reference)
    np.testing.assert_allclose(predicted, softmax(outputs.astype(np.float64)), atol=2e-5)


def test_a_memory_answers_at_each_step():
    layers = [{"kind": "memory"}, {"name": "a", "units": 5}, OUT]
    ready, reference = prepared(
        layers, (8, 4), labels=lambda rng, x: rng.permutation(np.arange(90 * 8) % 3).reshape(90, 8)
    )
    outputs, predicted = both(ready, reference)
    np.testing.assert_allclose(predicted, softmax(outputs.astype(np.float64)), atol=2e-5)


@pytest.mark.parametrize("weights", ["s16", "s8"])
@pytest.mark.parametrize("name", ["dense", "convolutions", "leaky, stacked", "curves along time"])
def test_integers_differ_by_their_steps_only(name, weights):
    layers, shape = NETS[name]
    ready, reference = prepared(layers, shape, weights=weights, numbers={"activations": "s16"})
    outputs, predicted = both(ready, reference)
    real = softmax(outputs * ready.model.last.y_scale)
    # Activations of 16 bits: what is left is one step of the last layer's outputs, 1/369. Scores
    # that are carried are read out of the upper 8 bits.
    np.testing.assert_allclose(predicted, real, atol=1e-2 if ready.model.carrying else 4e-3)


@pytest.mark.parametrize(
    "name", ["dense", "curves", "curves along time", "convolutions", "plain recurrent"]
)
def test_what_goes_out_comes_in_again(name, tmp_path):
    layers, shape = NETS[name]
    # A net that answers with a sum ends with an Add, and does not come in again.
    rule = {"learning_rate": 0.01, "scores": "own"}
    ready, reference = prepared(layers, shape, data={"file": "x.npz", "scaling": "none"}, rule=rule)
    graph = with_state(ready, reference.state())
    (tmp_path / "net.onnx").write_bytes(onnx_of(ready, reference.state()))
    content = {"name": "net", "model": {"source": "net.onnx"}}
    content["data"] = {"file": "x.npz", "scaling": "none"}
    spec = with_source(spec_from_dict(content, folder=tmp_path))
    x = np.resize(ready.dataset.x_test, (30, *ready.dataset.x_test.shape[1:]))
    again = prepare(spec, dataset_from_arrays(spec, x.reshape(30, *shape), np.arange(30) % 3))
    assert [layer.kind for layer in again.graph.layers] == [layer.kind for layer in graph.layers]
    assert [layer.name for layer in again.graph.weighted] == [la.name for la in graph.weighted]
    for was, now in zip(graph.weighted, again.graph.weighted, strict=True):
        assert was.activation == now.activation
        np.testing.assert_allclose(was.numbers, now.numbers, rtol=1e-6)
        w, b = graph.weights[was.name].w, graph.weights[was.name].b
        np.testing.assert_array_equal(w.astype(np.float32), again.graph.weights[now.name].w)
        np.testing.assert_array_equal(b.astype(np.float32), again.graph.weights[now.name].b)


def test_the_same_state_gives_the_same_bytes():
    ready, reference = prepared(*NETS["leaky, stacked"])
    first = onnx_of(ready, reference.state())
    assert first == onnx_of(ready, reference.state())
    assert b"net after 576 training steps" in first


@cache
def dumped(weights="s16"):
    ready, reference = prepared(*NETS["dense"], weights=weights)
    state = reference.state()
    return ready.model, state, bytes_of(ready.model, state)


def test_a_dump_gives_the_state_back():
    model, state, raw = dumped()
    crc = digest(state[name] for name in digest_order(model))
    read = read_dump(model, raw, where="dump", crc=crc)
    assert all(np.array_equal(read[name], tensor) for name, tensor in state.items())
    with pytest.raises(DataError, match="not what the device computed its digest of"):
        read_dump(model, raw, where="dump", crc=crc ^ 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda raw: raw[:-1], "not as long as the state"),
        (lambda raw: raw + b"\0", "not as long as the state"),
        (lambda raw: b"", "0 bytes, expected"),
        (lambda raw: b"\x7fELF" + raw, "an ELF file"),
        (lambda raw: b":10000000" + raw, "Intel HEX"),
        (lambda raw: bytes(len(raw)), "no state of this model"),
        (lambda raw: raw[4:] + raw[:4], "no state of this model"),
        (lambda raw: raw[:4] + b"\xff" + raw[5:], "no state of this model"),
    ],
)
def test_bytes_that_are_no_state(change, words):
    model, _, raw = dumped()
    with pytest.raises(DataError, match=words):
        read_dump(model, change(raw), where="dump")


def test_a_dump_of_another_model():
    model, _, raw = dumped()
    with pytest.raises(DataError, match="another seed or other layers"):
        read_dump(replace(model, seed=model.seed + 1), raw, where="dump")


@pytest.mark.parametrize(("weights", "tensor"), [("s16", "a.b"), ("f32", "b.w"), ("f32", "out.b")])
def test_values_that_no_device_holds(weights, tensor):
    model, state, _ = dumped(weights)
    broken = state[tensor].copy()
    broken.flat[3 % broken.size] = np.nan if weights == "f32" else 2**27 + 1
    raw = bytes_of(model, {**state, tensor: broken})
    with pytest.raises(DataError, match=f"what '{tensor}' can never be") as caught:
        read_dump(model, raw, where="dump")
    assert "1 such values in all" in caught.value.message()


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_damaged_dump_does_more_than_fail(data):
    model, _, good = dumped()
    raw = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
        raw = raw or bytearray(1)
    try:
        state = read_dump(model, bytes(raw), where="dump")
    except DataError:
        return
    Reference(model).load_state(state)


def spec_file(tmp_path):
    """digits.toml with absolute data, and a dump of its initial state."""
    spec = load_spec(EXAMPLES / "digits.toml")
    model = prepare(spec).model
    (tmp_path / "w.bin").write_bytes(bytes_of(model, Reference(model).state()))
    return str(EXAMPLES / "digits.toml"), str(tmp_path / "w.bin")


def test_the_command_says_what_it_wrote(tmp_path, capsys):
    spec, weights = spec_file(tmp_path)
    out = tmp_path / "d.onnx"
    assert run(["export", spec, "--weights", weights, "--onnx", str(out), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["onnx_bytes"] == out.stat().st_size
    assert (document["steps"], document["input_shape"]) == (0, [64])
    arguments = ["export", spec, "--weights", weights, "--onnx", str(out), "--digest"]
    assert run([*arguments, document["digest"]]) == 0
    assert "0 steps" in capsys.readouterr().out
    assert run([*arguments, "0x1"]) == 2
    assert "not what the device computed" in capsys.readouterr().err
    assert run([*arguments, "crc"]) == 2
    assert "a CRC-32 looks like 0x1a2b3c4d" in capsys.readouterr().err
    assert run(["export", spec, "--weights", str(tmp_path / "none")]) == 2
    assert "the dump 'none' cannot be read" in capsys.readouterr().err


def test_writing_needs_onnx_only_then(tmp_path, monkeypatch):
    spec, weights = spec_file(tmp_path)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ToolError, match="needs the package onnx"):
        export(load_spec(Path(spec)), weights=Path(weights), onnx=tmp_path / "d.onnx")
