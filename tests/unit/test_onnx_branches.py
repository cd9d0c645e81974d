"""Nets that branch, from ONNX and out again: what ONNX Runtime predicts, our float graph does."""

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")

from onnx.helper import make_node as node  # noqa: E402
from torch import nn  # noqa: E402

from tests.support import onnx_nets as nets  # noqa: E402
from tests.support.resnet8 import lively, resnet8  # noqa: E402
from tpsgd_edge.errors import DataError  # noqa: E402
from tpsgd_edge.frontend.exports.onnx_net import Ends, to_onnx  # noqa: E402
from tpsgd_edge.frontend.imports.onnx_net import read_onnx  # noqa: E402

RNG = np.random.default_rng(3)
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def real(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def saved(tmp_path: Path, net: nn.Module, shape: tuple[int, ...], **how: Any) -> Path:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = {"input_names": ["x"], "output_names": ["y"], "dynamo": False}
        torch.onnx.export(net.eval(), (torch.zeros(1, *shape),), buffer, **names, **how)
    path = tmp_path / "net.onnx"
    path.write_bytes(buffer.getvalue())
    return path


def check(path: Path, x: np.ndarray, n_out: int) -> Any:
    """Our graph says what ONNX Runtime says; and says it again after its way out and in."""
    spec = nets.spec_of(path)
    samples = nets.channels_last(x)
    graph = nets.graph_of(spec, samples, n_out)
    expected = nets.runtime(path, x)
    np.testing.assert_allclose(nets.ours(graph, samples), expected, **CLOSE)
    again = path.with_name("again.onnx")
    again.write_bytes(to_onnx(graph, Ends(None, None, has_softmax=False)))
    np.testing.assert_allclose(nets.runtime(again, samples), expected, **CLOSE)
    twice = nets.graph_of(nets.spec_of(again), samples, n_out)
    np.testing.assert_allclose(nets.ours(twice, samples), expected, **CLOSE)
    return graph


@pytest.mark.parametrize("how", [{"opset_version": 13}, {"opset_version": 17}, {"training": 2}])
def test_resnet_8(how, tmp_path):
    if "training" in how:
        # Batch norms stay operators of their own.
        how = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False}
    torch.manual_seed(1)
    path = saved(tmp_path, lively(resnet8()), (3, 32, 32), **how)
    graph = check(path, real(4, 3, 32, 32), 10)
    sums = [layer for layer in graph.layers if layer.kind == "add"]
    assert [layer.activation for layer in sums] == ["relu"] * 3
    assert [layer.y_shape for layer in sums] == [(32, 32, 16), (16, 16, 32), (8, 8, 64)]
    around = [graph.edges.inputs_of(layer.name) for layer in sums]
    assert all(len(inputs) == 2 for inputs in around)
    assert sum(layer.kind == "conv2d" for layer in graph.layers) == 9


class Dense(nn.Module):
    """Maps that are joined by their channels, one of them twice, as in a DenseNet."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(2, 3, 3, 1, 1), nn.Conv2d(5, 4, 1), nn.Conv2d(9, 2, 3)
        self.out = nn.Linear(2 * 3 * 4, 3)

    def forward(self, x):
        a = torch.relu(self.a(x))
        b = torch.cat([x, a], dim=1)
        c = torch.cat([torch.tanh(self.b(b)), a, x], dim=1)
        return self.out(torch.flatten(torch.tanh(self.c(c)), 1))


def test_maps_joined_by_their_channels(tmp_path):
    torch.manual_seed(2)
    graph = check(saved(tmp_path, Dense(), (2, 5, 6)), real(5, 2, 5, 6), 3)
    assert [la.y_shape for la in graph.layers if la.kind == "concat"] == [(5, 6, 5), (5, 6, 9)]


class Vectors(nn.Module):
    """Vectors: a skip over two layers, the sample itself in a sum, three values in one vector."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 4)
        self.out = nn.Linear(4 + 6 + 6, 3)

    def forward(self, x):
        a = torch.tanh(self.a(x))
        b = nn.functional.relu6(x + self.b(a))
        c = torch.sigmoid(self.c(b))
        return self.out(torch.cat([c, a, b], dim=1))


def test_vectors_with_skips(tmp_path):
    torch.manual_seed(3)
    graph = check(saved(tmp_path, Vectors(), (6,)), 2 * real(7, 6), 3)
    (total,) = (layer for layer in graph.layers if layer.kind == "add")
    assert total.activation == "relu6"
    assert graph.edges.inputs_of(total.name)[0] == "x"


class Flattened(nn.Module):
    """A map that goes on as a vector beside another vector."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.out = nn.Conv2d(2, 4, 3), nn.Conv2d(2, 3, 1), nn.Linear(7, 3)

    def forward(self, x):
        a = torch.tanh(self.a(x)).mean(dim=(2, 3))
        b = torch.relu(self.b(x)).amax(dim=(2, 3))
        return self.out(torch.cat([a, b], dim=1))


def test_two_ways_from_the_samples(tmp_path):
    torch.manual_seed(4)
    check(saved(tmp_path, Flattened(), (2, 5, 4)), real(5, 2, 5, 4), 3)


def test_a_sum_of_three_and_one_of_a_value_with_itself(tmp_path):
    nodes = [
        node("MatMul", ["x", "w"], ["a"]), node("Tanh", ["a"], ["t"]),
        node("MatMul", ["t", "v"], ["b"]), node("Add", ["b", "b"], ["bb"]),
        node("Sum", ["t", "bb", "x"], ["s"]), node("Relu", ["s"], ["r"]),
        node("MatMul", ["r", "u"], ["y"]),
    ]  # fmt: skip
    constants = {"w": real(5, 5), "v": real(5, 5), "u": real(5, 3)}
    path = tmp_path / "net.onnx"
    onnx.save(nets.model_of(nodes, constants, ("n", 5)), path)
    graph = check(path, real(6, 5), 3)
    assert graph.edges.consumers_of("x") == ("dense", "add")


BEFORE = [node("MatMul", ["x", "w"], ["a"]), node("Tanh", ["a"], ["t"])]
AFTER = [node("MatMul", ["t", "v"], ["b"])]
LAST = [node("MatMul", ["z", "u"], ["y"])]


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([node("Mul", ["t", "b"], ["z"])], "Mul joins values in a way that no layer of ours"),
        (
            [node("Add", ["t", "b"], ["s"]), node("Tanh", ["s"], ["z"])],
            "Tanh of a sum has no layer",
        ),
        (
            [node("Relu", ["b"], ["r"]), node("Add", ["r", "b"], ["z"])],
            "what layer 'dense_2' makes is read elsewhere without it",
        ),
        (
            [node("Mul", ["t", "k"], ["m"]), node("Add", ["m", "b"], ["z"])],
            "a scaling before Add cannot be folded",
        ),
        (
            [node("Add", ["x", "t"], ["z"]), node("Concat", ["z", "z"], ["q"], axis=1)],
            "Concat reads one value 2 times",
        ),
        ([node("Concat", ["t", "b"], ["z"], axis=0)], "Concat joins samples"),
        ([node("Concat", ["t", "b", "c"], ["z"], axis=1)], "in a way that no layer of ours"),
        (
            [node("Transpose", ["b"], ["p"], perm=[1, 0]), node("Add", ["p", "t"], ["z"])],
            "adds values that do not lie alike",
        ),
    ],
)  # fmt: skip
def test_what_joins_no_values_as_ours_do_is_refused_in_words(nodes, words, tmp_path):
    constants = {"w": real(5, 5), "v": real(5, 5), "u": real(5, 3), "k": np.array([2, 1, 1, 1, -3])}
    constants = {name: array.astype(np.float32) for name, array in constants.items()}
    constants["c"] = real(1, 5)
    path = tmp_path / "net.onnx"
    onnx.save(nets.model_of([*BEFORE, *AFTER, *nodes, *LAST], constants, ("n", 5)), path)
    with pytest.raises(DataError) as error:
        read_onnx(path)
    assert words in error.value.message()
