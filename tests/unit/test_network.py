"""From the layers of a spec to a graph."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tpsgd_edge.errors import DataError, SpecError
from tpsgd_edge.frontend.data import Dataset, dataset_from_arrays
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.spec import Spec, spec_from_dict

X = np.arange(120.0).reshape(20, 3, 2)
Y = np.arange(20) % 4
WEIGHTS = {
    "fc1.w": np.ones((5, 6)),
    "fc1.b": np.zeros(5),
    "fc2.w": np.full((4, 5), 2, np.int8),
    "fc2.b": np.zeros(4, np.float32),
}


def make_spec(folder: Path, layers: list[dict[str, Any]] | None = None, **model: Any) -> Spec:
    layers = layers or [{"name": "fc1", "units": 5}, {"name": "fc2", "units": 4}]
    content = {"name": "toy", "model": {"layers": layers, **model}, "data": {"file": "toy.npz"}}
    return spec_from_dict(content, folder=folder)


def dataset(spec: Spec, y: Any = Y) -> Dataset:
    return dataset_from_arrays(spec, X, y)


def test_layers_from_inputs_to_classes(tmp_path: Path) -> None:
    spec = make_spec(tmp_path)
    graph = build_graph(spec, dataset(spec))
    assert [(d.name, d.n_in, d.n_out, d.activation) for d in graph.layers] == [
        ("fc1", 6, 5, "tanh"),
        ("fc2", 5, 4, "linear"),
    ]
    assert (graph.name, graph.n_in) == ("toy", 6)
    assert (graph.labels.kind, graph.labels.count) == ("class", 4)
    assert graph.weights == {}


def test_weights_from_a_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", **WEIGHTS, other=np.zeros(3))
    spec = make_spec(tmp_path, weights_file="w.npz")
    graph = build_graph(spec, dataset(spec))
    assert set(graph.weights) == {"fc1", "fc2"}
    assert graph.weights["fc2"].w.dtype == np.float64
    np.testing.assert_array_equal(graph.weights["fc2"].w, np.full((4, 5), 2.0))


def weights_error(folder: Path, **changes: Any) -> str:
    arrays = {**WEIGHTS, **{name.replace("_", "."): value for name, value in changes.items()}}
    np.savez(folder / "w.npz", **{name: a for name, a in arrays.items() if a is not None})
    spec = make_spec(folder, weights_file="w.npz")
    with pytest.raises(DataError) as error:
        build_graph(spec, dataset(spec))
    return str(error.value)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    message = weights_error(tmp_path, fc1_b=None, fc2_w=None)
    assert "'w.npz' has no weights fc1.b, fc2.w" in message
    assert "found: arrays: fc1.w, fc2.b" in message
    assert "LAYER.w of shape (units, inputs)" in message


def test_bad_weights(tmp_path: Path) -> None:
    assert "weights 'fc1.w' hold NaN or infinity" in weights_error(
        tmp_path, fc1_w=np.full((5, 6), np.nan)
    )
    message = weights_error(tmp_path, fc1_w=np.ones((6, 5)))
    assert "weights 'fc1.w' do not fit the layer" in message
    assert "shape (6, 5), expected (5, 6)" in message
    assert "weights 'fc2.b' must be numbers" in weights_error(tmp_path, fc2_b=np.array(["a"] * 4))
    assert "pickled objects, which are refused" in weights_error(
        tmp_path, fc2_b=np.array([None] * 4)
    )


def test_a_missing_weights_file(tmp_path: Path) -> None:
    spec = make_spec(tmp_path, weights_file="w.npz")
    with pytest.raises(DataError, match=r"there is no data file 'w\.npz'"):
        build_graph(spec, dataset(spec))


def test_the_last_layer_must_fit_the_labels(tmp_path: Path) -> None:
    spec = make_spec(tmp_path, [{"name": "fc1", "units": 9}])
    with pytest.raises(SpecError, match="the last layer 'fc1' has 9 units for 4 classes"):
        build_graph(spec, dataset(spec))
    with pytest.raises(SpecError, match="has 9 units for 1 label values"):
        build_graph(spec, dataset(spec, Y / 2))


def test_losses_must_fit_the_labels(tmp_path: Path) -> None:
    layers: list[dict[str, Any]] = [{"name": "fc1", "units": 4, "activation": "tanh"}]
    spec = make_spec(tmp_path, layers)
    with pytest.raises(SpecError, match="'softmax_cross_entropy' of layer 'fc1' needs the activ"):
        build_graph(spec, dataset(spec))
    layers = [{"name": "fc1", "units": 1, "loss": "softmax_cross_entropy"}]
    spec = make_spec(tmp_path, layers)
    with pytest.raises(SpecError, match="needs classes, but the labels are real values"):
        build_graph(spec, dataset(spec, Y / 2))


def test_a_custom_loss_is_read_before_anything_is_computed(tmp_path: Path) -> None:
    loss = {"kind": "custom", "expression": "t - y"}
    spec = make_spec(
        tmp_path, [{"name": "fc1", "units": 5, "loss": loss}, {"name": "fc2", "units": 4}]
    )
    with pytest.raises(SpecError, match=r"cannot be read(.|\n)*loss of layer 'fc1'"):
        build_graph(spec, dataset(spec))
