"""A spec whose layers come from an ONNX file: what may stand beside it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.onnx_files import DENSE, MAP, conv, node, write
from tpsgd_edge.errors import DataError, SpecError
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.frontend.imports.source import with_source
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.spec import spec_from_dict


def make_spec(folder: Path, **model: Any) -> Any:
    content = {"name": "toy", "model": {"source": "net.onnx", **model}, "data": {"file": "x.npz"}}
    return spec_from_dict(content, folder=folder)


def test_a_spec_has_layers_or_a_source(tmp_path: Path) -> None:
    for model, words in (
        ({"layers": [{"name": "a", "units": 2}]}, "layers, or a source for them"),
        ({"source": None}, "a model needs layers, or a source for them"),
        ({"weights_file": "w.npz"}, "not from source and weights_file"),
        ({"pretrain": {}}, "not from source and pretrain"),
    ):
        with pytest.raises(SpecError, match=words):
            make_spec(tmp_path, **model)
    layers = [{"name": "a", "units": 2}]
    with pytest.raises(SpecError, match="settings are for a source"):
        make_spec(tmp_path, source=None, layers=layers, settings={"a": {}})
    with pytest.raises(SpecError, match="of an unknown kind"):
        with_source(make_spec(tmp_path, source="net.pt"))


def test_settings_of_single_layers(tmp_path: Path) -> None:
    write(tmp_path, DENSE)
    settings = {"dense": {"learning_rate": 0.5, "loss": "l2"}}
    spec = with_source(make_spec(tmp_path, settings=settings))
    assert [layer.name for layer in spec.model.weighted] == ["dense", "dense_2"]
    assert [layer.learning_rate for layer in spec.model.weighted] == [0.5, None]
    assert with_source(spec) is spec
    for name, setting, words in (
        ("dence", {}, "did you mean 'dense'"),
        ("dense", {"units": 3}, "'units' of layer 'dense' is what 'net.onnx' says"),
        ("dense", {"rate": 3}, "unknown key 'rate'"),
    ):
        with pytest.raises(SpecError, match=words):
            with_source(make_spec(tmp_path, settings={name: setting}))


def test_samples_that_do_not_fit_the_net(tmp_path: Path) -> None:
    flat = [node("Flatten", ["c"], ["d"]), node("MatMul", ["d", "m"], ["y"])]
    write(tmp_path, [conv(), *flat], MAP)
    spec = with_source(make_spec(tmp_path))
    assert spec.data.input_shape == (5, 5, 2)
    y = np.arange(12) % 3
    build_graph(spec, dataset_from_arrays(spec, np.zeros((12, 5, 5, 2)), y))
    with pytest.raises(DataError, match="it is not clear how the values of a sample lie"):
        build_graph(spec, dataset_from_arrays(spec, np.zeros((12, 50)), y))
    with pytest.raises(DataError, match="do not have the shape that the net reads"):
        build_graph(spec, dataset_from_arrays(spec, np.zeros((12, 5, 10)), y))
    with pytest.raises(SpecError, match="input_shape does not fit the samples"):
        build_graph(spec, dataset_from_arrays(spec, np.zeros((12, 5, 5)), y))
    asked = make_spec(tmp_path).model_copy(
        update={"data": spec.data.model_copy(update={"input_shape": (2, 5, 5)})}
    )
    with pytest.raises(SpecError, match="is not what the model's source reads"):
        with_source(asked)
