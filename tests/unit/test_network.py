"""From the layers of a spec to a graph."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tpsgd_edge.errors import DataError, SpecError
from tpsgd_edge.frontend.data import Dataset, dataset_from_arrays
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.graph import Conv2d, Graph, Pool
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
    assert [(d.name, d.n_in, d.n_out, d.activation) for d in graph.weighted] == [
        ("fc1", 6, 5, "tanh"),
        ("fc2", 5, 4, "linear"),
    ]
    assert (graph.name, graph.n_inputs) == ("toy", 6)
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
    with pytest.raises(DataError, match="the last layer 'fc1' has 9 units for 4 classes"):
        dataset(spec)
    with pytest.raises(DataError, match="labels are real numbers, but the last layer has several"):
        dataset(spec, Y / 2)


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


IMAGES = np.arange(20.0 * 72).reshape(20, 9, 8)
CONV: list[dict[str, Any]] = [
    {"kind": "conv2d", "name": "conv1", "filters": 6, "padding": "same"},
    {"kind": "max_pool"},
    {"kind": "conv2d", "name": "conv2", "filters": 12, "kernel": [2, 1], "groups": "depthwise"},
    {"kind": "avg_pool", "name": "mean", "size": [1, 2], "stride": [2, 1]},
    {"kind": "flatten"},
    {"name": "fc", "units": 4},
]


def graph_of(folder: Path, layers: list[dict[str, Any]], x: Any = IMAGES, **data: Any) -> Graph:
    content = {
        "name": "toy",
        "model": {"layers": layers},
        "data": {"file": "toy.npz", **data},
    }
    spec = spec_from_dict(content, folder=folder)
    return build_graph(spec, dataset_from_arrays(spec, x, Y))


def test_layers_on_maps(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, CONV)
    assert [(layer.name, layer.kind, layer.y_count) for layer in graph.layers] == [
        ("conv1", "conv2d", 9 * 8 * 6),
        ("pool1", "max_pool", 4 * 4 * 6),
        ("conv2", "conv2d", 3 * 4 * 12),
        ("mean", "average_pool", 2 * 3 * 12),
        ("fc", "dense", 4),
    ]
    assert [layer.activation for layer in graph.weighted] == ["tanh", "tanh", "linear"]
    assert [layer.n_in for layer in graph.weighted] == [9, 2, 72]


def test_global_pooling_leaves_one_value_a_channel(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, [CONV[0], {"kind": "global_avg_pool"}, CONV[-1]])
    pooled = graph.layers[1]
    assert isinstance(pooled, Pool)
    assert (pooled.name, pooled.kernel, pooled.y_shape) == ("pool1", (9, 8), (1, 1, 6))


@pytest.mark.parametrize(
    ("x_shape", "data", "expected"),
    [
        ((9, 8), {}, (9, 8, 1)),
        ((9, 8, 2), {}, (9, 8, 2)),
        ((72,), {"input_shape": [9, 8, 1]}, (9, 8, 1)),
        ((9, 8), {"input_shape": [3, 8, 3]}, (3, 8, 3)),
    ],
)
def test_samples_as_maps(
    tmp_path: Path, x_shape: tuple[int, ...], data: dict[str, Any], expected: tuple[int, ...]
) -> None:
    x = np.zeros((20, *x_shape))
    first = graph_of(tmp_path, [CONV[0], CONV[-1]], x, **data).layers[0]
    assert isinstance(first, Conv2d)
    assert first.x_shape == expected


@pytest.mark.parametrize(
    ("layer", "y_shape", "zeros"),
    [
        ({"padding": 1}, (3, 2, 3), (1, 1)),
        ({"padding": [0, 2]}, (1, 4, 3), (0, 2)),
        ({"padding": [2, 1, 0, 0]}, (3, 1, 3), (2, 1)),
        ({"kind": "conv1d", "padding": [0, 2]}, (1, 3, 3), (0, 0)),
        ({"kind": "conv1d", "padding": 1}, (1, 3, 3), (0, 1)),
    ],
)
def test_padding_in_numbers(
    tmp_path: Path, layer: dict[str, Any], y_shape: Any, zeros: Any
) -> None:
    conv = {"kind": "conv2d", "name": "conv1", "filters": 3, "kernel": 3, **layer}
    spec = make_spec(tmp_path, [conv, {"name": "fc2", "units": 4}])
    x = X if conv["kind"] == "conv2d" else X[:, :, 0]
    made = build_graph(spec, dataset_from_arrays(spec, x, Y)).layers[0]
    assert isinstance(made, Conv2d)
    assert (made.y_shape, made.padding) == (y_shape, zeros)


@pytest.mark.parametrize(("x_shape", "channels"), [((30,), 1), ((30, 6), 6), ((1, 30, 2), 2)])
def test_sequences(tmp_path: Path, x_shape: tuple[int, ...], channels: int) -> None:
    layers = [
        {"kind": "conv1d", "name": "conv1", "filters": 4, "kernel": 5, "stride": 2},
        {"kind": "max_pool", "size": 3},
        {"kind": "avg_pool", "size": 2, "stride": 1},
        {"name": "fc", "units": 4},
    ]
    graph = graph_of(tmp_path, layers, np.zeros((20, *x_shape)))
    conv, first, second, _ = graph.layers
    assert isinstance(conv, Conv2d)
    assert (conv.x_shape, conv.y_shape) == ((1, 30, channels), (1, 13, 4))
    assert (conv.kernel, conv.stride, conv.windows) == ((1, 5), (1, 2), (1, 4))
    assert isinstance(first, Pool)
    assert isinstance(second, Pool)
    assert (first.y_shape, second.y_shape) == ((1, 4, 4), (1, 3, 4))


def test_impossible_maps(tmp_path: Path) -> None:
    def message(layers: list[dict[str, Any]], x: Any = IMAGES, **data: Any) -> str:
        with pytest.raises(SpecError) as error:
            graph_of(tmp_path, [*layers, CONV[-1]], x, **data)
        return str(error.value)

    flat = message([CONV[0]], IMAGES.reshape(20, 72))
    assert "the kernel of layer 'conv1' is larger than its input" in flat
    assert "help:  vectors are maps of 1 x 1; for samples that are images set data.input_sh" in flat
    after = message([{"name": "fc1", "units": 30}, {**CONV[0], "padding": "valid"}])
    assert "found: a kernel of 3 x 3 on a map of 1 x 1 x 30" in after
    pooled = message([{"kind": "flatten"}, {"kind": "max_pool", "size": [2, 1]}])
    assert "the windows of layer 'pool1' are larger than its input" in pooled
    sequence = message([CONV[0], {"kind": "conv1d", "name": "conv2", "filters": 2}])
    assert "layer 'conv2' needs sequences: maps that are one row high" in sequence
    shape = message([CONV[0]], input_shape=[9, 9, 1])
    assert "data.input_shape does not fit the samples" in shape
    assert "found: 9 x 9 x 1 = 81 values; samples of 9 x 8 have 72" in shape


@pytest.mark.parametrize("shape", [(6, 3, 3, 1), (6, 9)])
def test_filters_from_a_file(tmp_path: Path, shape: tuple[int, ...]) -> None:
    w = np.arange(54.0).reshape(shape)
    arrays = {"conv1.w": w, "conv1.b": np.zeros(6), "fc.w": np.zeros((4, 432)), "fc.b": np.ones(4)}
    np.savez(tmp_path / "w.npz", **arrays)
    spec = make_spec(tmp_path, [CONV[0], CONV[-1]], weights_file="w.npz")
    graph = build_graph(spec, dataset_from_arrays(spec, IMAGES, Y))
    np.testing.assert_array_equal(graph.weights["conv1"].w, w.reshape(6, 9))


def test_filters_of_another_shape_are_refused(tmp_path: Path) -> None:
    arrays = {
        "conv1.w": np.zeros((6, 1, 3, 3)),
        "conv1.b": np.zeros(6),
        "fc.w": np.zeros((4, 432)),
        "fc.b": np.ones(4),
    }
    np.savez(tmp_path / "w.npz", **arrays)
    spec = make_spec(tmp_path, [CONV[0], CONV[-1]], weights_file="w.npz")
    with pytest.raises(DataError, match=r"weights 'conv1\.w' do not fit the layer"):
        build_graph(spec, dataset_from_arrays(spec, IMAGES, Y))
