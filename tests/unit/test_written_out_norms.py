"""Norms that exporters and people write as several operators.

`tests/data/torch_norms_*.onnx` were made once, with torch 2.13 and onnxscript, not needed here:

    class Norms(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(2, 4, 3), nn.RMSNorm(4)
            self.whole = nn.RMSNorm([4, 3, 4], eps=1e-3, elementwise_affine=False)
            self.out = nn.Linear(48, 3)

        def forward(self, x):
            y = self.norm(torch.relu(self.conv(x)).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            return self.out(self.whole(y).flatten(1))

    net = Norms().eval()
    net.norm.weight.data.normal_(1, 0.3)
    for opset in (18, 23):
        torch.onnx.export(net, (torch.zeros(1, 2, 5, 6),), f"torch_norms_{opset}.onnx",
                          dynamo=True, opset_version=opset, external_data=False)

and what the exporter says of its own source (metadata_props) was taken out.
"""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")

import torch
from torch import nn

from tests.support import onnx_nets as nets
from tests.support.onnx_files import node
from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.imports.onnx_net import read_onnx

DATA = Path(__file__).parent.parent / "data"
RNG = np.random.default_rng(31)


class Vectors(nn.Module):
    """A dense layer, a norm of its outputs, and a dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.out = nn.Linear(6, 5), nn.Linear(5, 3)
        self.w = nn.Parameter(torch.tensor(RNG.normal(1, 0.3, 5), dtype=torch.float32))

    def forward(self, x):
        return self.out(torch.relu(self.w * self.norm(self.a(x))))


class OfSquares(Vectors):
    """As language models have it."""

    def norm(self, h):
        return h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + 1e-4)


class OverLength(Vectors):
    """A vector over its length, with epsilon under the root."""

    def norm(self, h):
        return h / torch.sqrt((h * h).sum(-1, keepdim=True) / 5 + 1e-4)


class OfVariance(Vectors):
    def norm(self, h):
        var = h.var(-1, unbiased=False, keepdim=True)
        return (h - h.mean(-1, keepdim=True)) / torch.sqrt(var + 1e-2)


class OfUnbiasedVariance(Vectors):
    """Variance over n - 1 is a factor of ours, and another epsilon."""

    def norm(self, h):
        var = h.var(-1, unbiased=True, keepdim=True)
        return (h - h.mean(-1, keepdim=True)) / torch.sqrt(var + 1e-2)


class ChannelsFirst(nn.Module):
    """The channels of each place of a map, with scale and shift, as ConvNeXt has it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.out = nn.Conv2d(2, 4, 3), nn.Linear(48, 3)
        self.w, self.b = nn.Parameter(torch.randn(4)), nn.Parameter(torch.randn(4))

    def forward(self, x):
        x = torch.relu(self.conv(x))
        mean = x.mean(1, keepdim=True)
        var = (x - mean).pow(2).mean(1, keepdim=True)
        x = (x - mean) / torch.sqrt(var + 1e-6)
        return self.out((self.w[:, None, None] * x + self.b[:, None, None]).flatten(1))


class Beside(Vectors):
    """What is normalized goes on beside the norm."""

    def forward(self, x):
        h = self.a(x)
        return self.out(h + OfSquares.norm(self, h))


class Outside(Vectors):
    """A standard deviation with epsilon beside it; a small one shows in small values only."""

    epsilon = 1e-3

    def norm(self, h):
        return (h - h.mean(-1, keepdim=True)) / (h.std(-1, keepdim=True) + self.epsilon)


VECTORS = ["dense", "norm", "conv2d", "dense"]
FORMS = {
    OfSquares: ((6,), VECTORS, False, 1e-4),
    OverLength: ((6,), VECTORS, False, 1e-4),
    OfVariance: ((6,), VECTORS, True, 1e-2),
    OfUnbiasedVariance: ((6,), VECTORS, True, 0.8e-2),
    ChannelsFirst: ((2, 5, 6), ["conv2d", "norm", "dense"], True, 1e-6),
    Beside: ((6,), ["dense", "norm", "add", "dense"], False, 1e-4),
}


def same_as_onnx_runtime(path: Path, x):
    """The spec of a file whose net answers as ONNX Runtime does, sample by sample."""
    expected, spec, samples = nets.runtime(path, x), nets.spec_of(path), nets.channels_last(x)
    ours = nets.ours(nets.graph_of(spec, samples, expected.shape[1]), samples)
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)
    return spec


@pytest.mark.parametrize("opset", [18, 23])
def test_rms_norms_of_torch_s_newer_exporter(opset):
    x = RNG.normal(size=(9, 2, 5, 6)).astype(np.float32)
    spec = same_as_onnx_runtime(DATA / f"torch_norms_{opset}.onnx", x)
    layers = spec.model.layers
    assert [la.kind for la in layers] == ["conv2d", "norm", "conv2d", "norm", "dense"]
    of_places, whole = layers[1], layers[3]
    assert (of_places.over, of_places.center, whole.over) == ("channels", False, "all")
    assert [of_places.epsilon, whole.epsilon] == pytest.approx([2**-23, 1e-3], rel=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_a_norm_that_is_written_out_answers_as_onnx_runtime_does(form, tmp_path):
    torch.manual_seed(3)
    shape, kinds, is_centered, epsilon = FORMS[form]
    path = nets.save_torch(tmp_path / "net.onnx", form(), torch.zeros(1, *shape))
    spec = same_as_onnx_runtime(path, RNG.normal(size=(9, *shape)).astype(np.float32))
    assert [layer.kind for layer in spec.model.layers] == kinds
    norm = spec.model.layers[1]
    assert norm.center == is_centered
    assert norm.epsilon == pytest.approx(epsilon, rel=1e-5)


@pytest.mark.parametrize("epsilon", [1e-3, 1e-6])
def test_epsilon_beside_the_root_is_no_norm_of_ours(epsilon, tmp_path):
    net = Outside()
    net.epsilon = epsilon
    path = nets.save_torch(tmp_path / "net.onnx", net, torch.zeros(1, 6))
    with pytest.raises(DataError, match="make no norm that a layer of ours is") as caught:
        read_onnx(path)
    assert "epsilon is added under the root" in caught.value.help
    assert "ReduceMean" in caught.value.found


def small(nodes, constants):
    """The file of a net of vectors of 4, a dense layer of 5 before these nodes and one behind."""
    held = {
        "w": RNG.normal(size=(4, 5)).astype(np.float32),
        "v": RNG.normal(size=(5, 3)).astype(np.float32),
        **constants,
    }
    nodes = [node("MatMul", ["x", "w"], ["h"]), *nodes, node("MatMul", ["n", "v"], ["y"])]
    return nets.model_of(nodes, held, ("n", 4), "y", opset=17).SerializeToString()


def test_the_norm_of_onnx_runtime_s_optimizer(tmp_path):
    scale = RNG.normal(1, 0.3, 5).astype(np.float32)
    nodes = [node("SimplifiedLayerNormalization", ["h", "s"], ["n"], axis=-1, epsilon=1e-3)]
    path = tmp_path / "net.onnx"
    path.write_bytes(small(nodes, {"s": scale}))
    spec = same_as_onnx_runtime(path, RNG.normal(size=(9, 4)).astype(np.float32))
    assert [layer.kind for layer in spec.model.layers] == ["dense", "norm", "dense"]


def root_of_squares():
    return [
        node("Mul", ["h", "h"], ["q"]),
        node("ReduceMean", ["q"], ["m"], axes=[-1], keepdims=1),
        node("Add", ["m", "e"], ["p"]),
        node("Sqrt", ["p"], ["r"]),
    ]


def test_what_others_read_inside_of_a_norm_stays(tmp_path):
    """A root that is read beside the norm cannot go into it."""
    nodes = [*root_of_squares(), node("Div", ["h", "r"], ["d"]), node("Add", ["d", "r"], ["n"])]
    path = tmp_path / "net.onnx"
    path.write_bytes(small(nodes, {"e": np.array(1e-3, np.float32)}))
    with pytest.raises(DataError, match="make no norm"):
        read_onnx(path)


@pytest.mark.parametrize("epsilon", [0.0, -0.5])
def test_a_norm_without_epsilon_is_refused(epsilon, tmp_path):
    """Of zeros it is no number."""
    path = tmp_path / "net.onnx"
    nodes = [*root_of_squares(), node("Div", ["h", "r"], ["n"])]
    path.write_bytes(small(nodes, {"e": np.array(epsilon, np.float32)}))
    with pytest.raises(DataError, match="make no norm"):
        read_onnx(path)


def test_an_operator_of_the_same_name_in_a_file_is_refused(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(small([node("Normalization", ["h"], ["n"], nodes=[1, 2])], {}))
    with pytest.raises(DataError, match="the operator Normalization has no layer of ours"):
        read_onnx(path)


# Nodes between the outputs h of the first dense layer and the root r that they are divided by.
HOSTILE = {
    "an outer product": [
        node("Reshape", ["h", "column"], ["c"]),
        node("Mul", ["c", "h"], ["q"]),
        node("ReduceMean", ["q"], ["m"], axes=[-1], keepdims=1),
        node("Sqrt", ["m"], ["r"]),
    ],
    "whole numbers": [
        node("Cast", ["h"], ["c"], to=6),
        node("Mul", ["c", "c"], ["q"]),
        node("Cast", ["q"], ["s"], to=1),
        node("ReduceMean", ["s"], ["m"], axes=[-1], keepdims=1),
        node("Sqrt", ["m"], ["r"]),
    ],
    "an axis that is not there": [
        node("ReduceMean", ["h"], ["m"], axes=[7], keepdims=1),
        node("Sqrt", ["m"], ["r"]),
    ],
    "lengths that do not fit": [
        node("Reshape", ["h", "three"], ["c"]),
        node("ReduceMean", ["c"], ["m"], axes=[-1], keepdims=1),
        node("Sqrt", ["m"], ["r"]),
    ],
    "lengths to come from a place that is not there": [
        node("ReduceMean", ["h"], ["m"], axes=[-1], keepdims=0),
        node("Reshape", ["m", "zeros"], ["c"]),
        node("Sqrt", ["c"], ["r"]),
    ],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_norm_is_refused_in_words(name, tmp_path):
    path = tmp_path / "net.onnx"
    constants = {
        "column": np.array([5, 1]),
        "three": np.array([3]),
        "zeros": np.array([0, 0, 0]),
    }
    path.write_bytes(small([*HOSTILE[name], node("Div", ["h", "r"], ["n"])], constants))
    with pytest.raises(DataError, match="make no norm"):
        read_onnx(path)
