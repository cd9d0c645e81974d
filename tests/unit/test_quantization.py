"""What integers lose against real numbers: the command, and scales where nothing learns."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.models import random_model
from tests.unit.test_export import NETS, prepared
from tpsgd_edge import quantization
from tpsgd_edge.cli import run
from tpsgd_edge.graph import Dense, Graph, Labels, Learning, Weights
from tpsgd_edge.graph.forward import outputs
from tpsgd_edge.quantize import quantize_inputs
from tpsgd_edge.quantize.network import _growth
from tpsgd_edge.quantize.scales import weight_scale, with_room_for_biases
from tpsgd_edge.reference import Reference
from tpsgd_edge.spec import load_spec
from tpsgd_edge.stages.export import with_state
from tpsgd_edge.stages.quantization import layer_errors

ONNX = Path(__file__).parents[2] / "examples" / "digits_onnx.toml"


def silent(*_):
    """Progress that nobody watches."""


def test_layer_outputs_end_with_the_output():
    for seed in range(6):
        model = random_model(np.random.default_rng(seed), maps=None, recurrent=None)
        reference = Reference(model)
        x = np.random.default_rng(seed).integers(-100, 100, model.n_inputs)
        x = x.astype({"s8": "<i1", "s16": "<i2", "f32": "<f4"}[model.value_type])
        made = reference.layer_outputs(x)
        assert [len(y) for y in made] == [layer.y_count for layer in model.layers]
        assert np.array_equal(made[-1], reference.output(x).reshape(-1, model.n_out)[-1])


@pytest.mark.parametrize("name", ["dense", "convolutions", "along time", "leaky, stacked"])
def test_f32_has_no_error_and_integers_little(name):
    layers, shape = NETS[name]
    for weights, activations, most in (("f32", "s8", 1e-5), ("s16", "s16", 0.01)):
        numbers = {"weights": weights, "activations": activations}
        # With one scale and no shift the samples of the test reach no further than the others.
        data = {"file": "x.npz", "scaling": "unit"}
        ready, reference = prepared(layers, shape, numbers=numbers, data=data)
        errors = layer_errors(ready, reference.state(), 10, silent)
        assert [layer.layer for layer in errors] == [la.name for la in ready.model.layers]
        # The last layer started at zero: its outputs are still small beside one of their steps.
        assert max(layer.error for layer in errors[:-1]) < most


def test_the_error_is_that_of_all_layers_so_far():
    ready, reference = prepared(*NETS["dense"], weights="s8")
    x = ready.dataset.x_test
    rows = [reference.layer_outputs(row) for row in quantize_inputs(ready.model, x)]
    inputs = ready.model.inputs
    real = outputs(
        with_state(ready, reference.state()), (x - inputs.mean) / inputs.std, ready.spec.seed
    )
    errors = layer_errors(ready, reference.state(), len(x), silent)
    for layer, made, values, error in zip(
        ready.model.layers, zip(*rows, strict=True), real, errors, strict=True
    ):
        difference = np.array(made) * layer.y_scale - values
        expected = np.sqrt((difference**2).sum() / (values**2).sum())
        assert error.error == pytest.approx(expected)
        assert expected > 0
        assert error.reach == np.abs(values).max()


def test_what_does_not_learn_needs_no_room():
    assert weight_scale(
        "s8", 7, 64, 0.9, asked=None, trains=False, all_dense=True
    ) * 127 == pytest.approx(0.9)
    assert weight_scale("s8", 7, 64, 0.9, asked=None, trains=True, all_dense=True) * 2**7 == 1.125
    assert weight_scale("s8", 7, 64, 0.9, asked=0.5, trains=False, all_dense=True) == 0.5 / 2**7


def test_outputs_get_room_to_grow_where_something_learns():
    layers = (Dense("a", 3, 4, "relu"), Dense("b", 4, 4, "relu"), Dense("c", 4, 2, "linear"))
    given = {la.name: Weights(np.ones((la.n_out, la.n_in)), np.zeros(la.n_out)) for la in layers}
    labels = Labels("class", 2)
    for weights, frozen, expected in (
        ({}, "", [4.0, 4.0, 4.0]),
        ({}, "ac", [1.0, 4.0, 4.0]),
        (given, "", [1.5, 1.5, 1.5]),
        (given, "ab", [1.0, 1.0, 1.5]),
    ):
        learning = {la.name: Learning(trainable=la.name not in frozen) for la in layers}
        own = tuple(replace(layer, learning=learning[layer.name]) for layer in layers)
        graph = Graph("net", own, labels, weights)
        assert [_growth(graph, index) for index in range(3)] == expected


def test_large_first_biases_are_not_cut_off():
    biases = np.array([1.0, -100.0])
    assert with_room_for_biases(2.0**-14, biases, 2.0**-7) == 2.0**-12
    assert with_room_for_biases(2.0**-14, biases / 100, 2.0**-7) == 2.0**-14


def test_first_weights_of_a_frozen_layer_come_back_from_its_integers():
    layers = [{"name": "a", "units": 7, "train": False}, {"name": "out", "units": 3}]
    ready, _ = prepared(layers, (9,), weights="s8")
    layer = ready.model.layers[0]
    assert np.abs(layer.init.w).max() == 127


@pytest.mark.slow
def test_the_command_tells_of_a_net_made_elsewhere(capsys):
    pytest.importorskip("onnx")
    assert run(["quantization", str(ONNX), "--samples", "40", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert abs(document["real"] - document["integers"]) <= 0.01
    assert document["agreement"] > 0.99
    assert [layer["kind"] for layer in document["layers"]] == ["dense", "dense"]
    assert max(layer["error"] for layer in document["layers"]) < 0.02
    assert run(["quantization", str(ONNX), "--samples", "40"]) == 0
    out = capsys.readouterr().out
    assert "s16 weights, s8 -> s8" in out
    assert "nothing was trained" not in out
    assert "both give the same class to" in out


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["s16", "s8"])
def test_a_net_made_elsewhere_loses_less_than_a_point(weights):
    pytest.importorskip("onnx")
    overrides = (f'numbers.weights="{weights}"',)
    result = quantization(load_spec(ONNX, overrides), samples=10)
    assert result.real - result.integers <= 0.01


def test_a_net_that_learned_nothing_is_not_called_trained(tmp_path, capsys):
    spec = str(ONNX.parent / "digits.toml")
    dump = str(tmp_path / "weights.bin")
    assert run(["quantization", spec, "--samples", "10"]) == 0
    out = capsys.readouterr().out
    assert "nothing was trained: these are initial weights, drawn from the seed" in out
    assert "tpsgd-edge simulate digits.toml --weights-out weights.bin" in out
    assert run(["simulate", spec, "--epochs", "1", "--weights-out", dump]) == 0
    capsys.readouterr()
    assert run(["quantization", spec, "--samples", "10", "--weights", dump]) == 0
    assert "nothing was trained" not in capsys.readouterr().out
