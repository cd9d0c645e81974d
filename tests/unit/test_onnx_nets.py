"""Whole nets of other tools predict the same as a graph of ours."""

import itertools
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from tests.support.resolved import resolved
from tpsgd_edge.errors import ToolError
from tpsgd_edge.frontend.data import dataset_from_arrays, label_scaling
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.quantize import quantize, quantize_inputs
from tpsgd_edge.reference import Reference

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")

from tests.support import onnx_nets as nets  # noqa: E402

nn = torch.nn


def with_statistics(module):
    """A module with random weights, and statistics that batch normalisation could have."""
    generator = torch.Generator().manual_seed(3)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.running_mean.copy_(torch.randn(layer.num_features, generator=generator))
            layer.running_var.copy_(torch.rand(layer.num_features, generator=generator) + 0.5)
            with torch.no_grad():
                layer.weight.copy_(torch.randn(layer.num_features, generator=generator))
                layer.bias.copy_(torch.randn(layer.num_features, generator=generator))
    return module


class Sequences(nn.Module):
    def __init__(self, kind, *, layers=1, last_state=False):
        super().__init__()
        self.rnn = nn.RNN(6, 8, layers, batch_first=True, nonlinearity=kind)
        self.out = nn.Linear(8, 3)
        self.last_state = last_state

    def forward(self, x):
        y, h = self.rnn(x)
        return self.out(h[-1] if self.last_state else y[:, -1])


class Gated(Sequences):
    def __init__(self, *, layers=1, last_state=False):
        super().__init__("tanh", last_state=last_state)
        self.rnn = nn.GRU(6, 8, layers, batch_first=True)


class Cells(Sequences):
    def __init__(self, *, layers=1, last_state=False, **how):
        super().__init__("tanh", last_state=last_state)
        self.rnn = nn.LSTM(6, 8, layers, batch_first=True, **how)

    def forward(self, x):
        y, (h, _) = self.rnn(x)
        return self.out(h[-1] if self.last_state else y[:, -1])


class DepthwiseSeparable(nn.Sequential):
    def __init__(self, channels):
        super().__init__(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )


def dense_blocks(*widths):
    blocks = []
    for n_in, n_out in itertools.pairwise(widths[:-1]):
        blocks += [nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.ReLU()]
    return nn.Sequential(*blocks, nn.Linear(*widths[-2:]))


NETS = {
    "cnn": lambda: (
        nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1, stride=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 6, (2, 3), padding=(0, 1)),
            nn.Tanh(),
            nn.Flatten(),
            nn.Dropout(),
            nn.Linear(48, 9),
            nn.Sigmoid(),
            nn.Linear(9, 5),
        ),
        (3, 12, 18),
    ),
    "cnn that flattens first": lambda: (
        nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 5, 7), nn.Hardtanh(), nn.Linear(7, 3)),
        (3, 4, 5),
    ),
    "normalised after the activation": lambda: (
        nn.Sequential(
            nn.BatchNorm2d(2),
            nn.Conv2d(2, 4, 3),
            nn.ReLU(),
            nn.BatchNorm2d(4),
            nn.AvgPool2d(2),
            nn.Conv2d(4, 4, 2, groups=2),
            nn.MaxPool2d(2, 1),
            nn.ReLU(),
            nn.Flatten(),
            nn.BatchNorm1d(16),
            nn.Linear(16, 3),
        ),
        (2, 10, 11),
    ),
    "cnn along time": lambda: (
        nn.Sequential(
            nn.Conv1d(6, 8, 5, stride=2, padding=2),
            nn.BatchNorm1d(8),
            nn.ReLU(),
            nn.AvgPool1d(2),
            nn.Conv1d(8, 4, 3),
            nn.ReLU(),
            nn.AdaptiveAvgPool1d(1),
            nn.Flatten(),
            nn.Linear(4, 6),
        ),
        (6, 32),
    ),
    "cnn with leaky units": lambda: (
        nn.Sequential(
            nn.Conv2d(2, 4, 3),
            nn.LeakyReLU(),
            nn.BatchNorm2d(4),
            nn.Conv2d(4, 3, 3, 2),
            nn.MaxPool2d(2),
            nn.LeakyReLU(0.3),
            nn.Flatten(),
            nn.Linear(6, 7),
            nn.PReLU(),
            nn.Linear(7, 4),
        ),
        (2, 11, 10),
    ),
    "cnn that ends in a convolution": lambda: (
        nn.Sequential(
            nn.Conv2d(2, 6, 3),
            nn.ReLU6(),
            nn.Conv2d(6, 5, 3, padding=1),
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(5, 7, 1),
            nn.Tanh(),
            nn.Conv2d(7, 4, 1),
            nn.Flatten(),
        ),
        (2, 8, 9),
    ),
    "cnn with zeros of its own": lambda: (
        nn.Sequential(
            nn.ZeroPad2d((1, 2, 0, 1)),
            nn.Conv2d(2, 4, 3, 2, padding=(1, 0)),
            nn.ReLU(),
            nn.ZeroPad2d(1),
            nn.Conv2d(4, 3, 2),
            nn.Flatten(),
            nn.Linear(3 * 7 * 7, 4),
        ),
        (2, 10, 11),
    ),
    "mlp": lambda: (dense_blocks(20, 16, 12, 4), (20,)),
    "keyword spotting": lambda: (
        nn.Sequential(
            nn.Conv2d(1, 16, (10, 4), stride=2, padding=(5, 1), bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            DepthwiseSeparable(16),
            DepthwiseSeparable(16),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(16, 12),
            nn.Softmax(1),
        ),
        (1, 49, 10),
    ),
    "anomaly autoencoder": lambda: (
        dense_blocks(640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640),
        (640,),
    ),
    "rnn": lambda: (Sequences("tanh", layers=2), (9, 6)),
    "gru": lambda: (Gated(layers=2), (9, 6)),
    "gru, last state": lambda: (Gated(last_state=True), (9, 6)),
    "lstm": lambda: (Cells(layers=2), (9, 6)),
    "lstm, last state, no bias": lambda: (Cells(last_state=True, bias=False), (9, 6)),
    "rnn, last state, relu": lambda: (Sequences("relu", last_state=True), (9, 6)),
}


@pytest.mark.parametrize("name", NETS)
def test_a_torch_net_predicts_the_same(name, tmp_path: Path):
    torch.manual_seed(5)
    module, shape = NETS[name]()
    path = nets.save_torch(tmp_path / "net.onnx", with_statistics(module), torch.zeros(1, *shape))
    x = np.random.default_rng(7).normal(size=(16, *shape)).astype(np.float32)
    expected = nets.runtime(path, x)
    samples = np.moveaxis(x, 1, -1) if "cnn" in name or x.ndim == 4 else x
    spec = nets.spec_of(path)
    y = nets.ours(nets.graph_of(spec, samples, expected.shape[1]), samples)
    if name == "anomaly autoencoder":
        labels = nets.label_vectors(len(samples), 640)
        dataset = dataset_from_arrays(spec, samples, labels)
        mean, std = label_scaling(spec, dataset.y_train)
        y = y * std + mean
    if name == "keyword spotting":
        y = nets.softmax(y)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def digits_net(tmp_path: Path, *scaling):
    """A small net of scikit-learn, trained for a moment, and the digits."""
    skl2onnx = pytest.importorskip("skl2onnx")
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline

    x, y = load_digits(return_X_y=True)
    x = x.astype(np.float32)
    mlp = MLPClassifier((24, 16), max_iter=30, random_state=1, learning_rate_init=0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = make_pipeline(*scaling, mlp).fit(x[:1200], y[:1200])
        onnx_model = skl2onnx.to_onnx(model, x[:1], options={"zipmap": False})
    path = tmp_path / "digits.onnx"
    path.write_bytes(onnx_model.SerializeToString())
    return path, x, y


@pytest.mark.parametrize("is_scaled", [False, True])
def test_a_scikit_learn_net_predicts_the_same(is_scaled, tmp_path: Path):
    from sklearn.preprocessing import StandardScaler

    path, x, _ = digits_net(tmp_path, *([StandardScaler()] if is_scaled else []))
    expected = nets.runtime(path, x[:64], output=1)
    graph = nets.graph_of(nets.spec_of(path), x[:64], 10)
    np.testing.assert_allclose(nets.softmax(nets.ours(graph, x[:64])), expected, atol=1e-5)
    assert [layer.activation for layer in graph.weighted] == ["relu", "relu", "linear"]


@pytest.mark.parametrize("weights", ["s16", "s8"])
def test_integers_predict_digits_as_well(weights, tmp_path: Path):
    path, x, y = digits_net(tmp_path)
    spec = nets.spec_of(path, numbers={"weights": weights})
    spec, dataset = resolved(spec, x[:1200], y[:1200], x[1200:], y[1200:])
    model = quantize(spec, build_graph(spec, dataset), dataset)
    reference = Reference(model)
    outputs = [reference.output(row) for row in quantize_inputs(model, dataset.x_test)]
    predicted = np.argmax(outputs, axis=1)
    expected = nets.runtime(path, x[1200:], output=1).argmax(axis=1)
    loss = (expected == y[1200:]).mean() - (predicted == dataset.y_test).mean()
    # The promise for 8-bit numbers: at most one point.
    assert loss <= 0.01, f"{100 * loss:.2f} points lost"
    assert (predicted == dataset.y_test).mean() > 0.85


def test_maps_that_lie_channels_last_in_the_file(tmp_path: Path):
    rng = np.random.default_rng(2)
    constants = {
        "k": rng.normal(size=(4, 3, 3, 3)),
        "w": rng.normal(size=(6 * 7 * 4, 5)),
        "b": rng.normal(size=5),
        "flat": np.array([-1, 6 * 7 * 4]),
    }
    constants = {
        n: a.astype(np.float32 if a.dtype.kind == "f" else np.int64) for n, a in constants.items()
    }
    node = onnx.helper.make_node
    model = nets.model_of(
        [
            node("Transpose", ["x"], ["a"], perm=[0, 3, 1, 2]),
            node("Conv", ["a", "k"], ["c"], name="model/conv2d/Conv2D"),
            node("Relu", ["c"], ["d"]),
            node("Transpose", ["d"], ["e"], perm=[0, 2, 3, 1]),
            node("Reshape", ["e", "flat"], ["f"]),
            node("MatMul", ["f", "w"], ["g"], name="model/dense/MatMul"),
            node("Add", ["g", "b"], ["y"]),
        ],
        constants,
        ("n", 8, 9, 3),
    )
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    x = rng.normal(size=(16, 8, 9, 3)).astype(np.float32)
    graph = nets.graph_of(nets.spec_of(path), x, 5)
    assert [layer.name for layer in graph.layers] == ["model_conv2d_conv2d", "model_dense"]
    np.testing.assert_allclose(nets.ours(graph, x), nets.runtime(path, x), rtol=1e-5, atol=1e-5)


def test_steps_that_come_before_samples(tmp_path: Path):
    class StepsFirst(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.out = nn.RNN(6, 8), nn.Linear(8, 3)

        def forward(self, x):
            return self.out(self.rnn(x - 0.5)[1][0])

    torch.manual_seed(5)
    path = nets.save_torch(tmp_path / "net.onnx", StepsFirst(), torch.zeros(9, 1, 6))
    x = np.random.default_rng(7).normal(size=(16, 9, 6)).astype(np.float32)
    # The runtime gets (steps, 1, values) for each sample.
    expected = nets.runtime(path, x[:, :, np.newaxis], takes_samples=True)
    graph = nets.graph_of(nets.spec_of(path), x, 3)
    assert (graph.steps, graph.recurrent[0].leaks) == (9, (1.0,))
    np.testing.assert_allclose(nets.ours(graph, x), expected, rtol=1e-5, atol=1e-5)


def test_a_regression_of_scikit_learn_in_the_units_of_the_labels(tmp_path: Path):
    skl2onnx = pytest.importorskip("skl2onnx")
    from sklearn.datasets import load_diabetes
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = load_diabetes(scaled=False, return_X_y=True)
    x = x.astype(np.float32)
    net = MLPRegressor(
        hidden_layer_sizes=(8,), activation="tanh", max_iter=20, random_state=1, solver="lbfgs"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = skl2onnx.to_onnx(make_pipeline(StandardScaler(), net).fit(x, y), x[:1])
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    spec = nets.spec_of(path)
    dataset = dataset_from_arrays(spec, x, y)
    mean, std = label_scaling(spec, dataset.y_train)
    predicted = nets.ours(build_graph(spec, dataset), x[:64]) * std + mean
    np.testing.assert_allclose(predicted, nets.runtime(path, x[:64]), rtol=1e-5, atol=1e-3)


def test_reading_a_net_needs_onnx_only_when_there_is_one(tmp_path: Path, monkeypatch):
    code = "import sys, tpsgd_edge.stages; print('onnx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    (tmp_path / "net.onnx").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ToolError, match="needs the package onnx"):
        nets.spec_of(tmp_path / "net.onnx")
