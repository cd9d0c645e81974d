"""Normalization in files of others: layers that normalize, and scalings that no layer takes in."""

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

RNG = np.random.default_rng(30)


class LastStep(nn.Module):
    """A recurrent layer, a norm of its last output and a dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.norm, self.out = nn.LSTM(3, 5), nn.LayerNorm(5), nn.Linear(5, 3)

    def forward(self, x):
        return self.out(self.norm(self.rnn(x.transpose(0, 1))[0][-1]))


class ByPlace(nn.Module):
    """A norm of the channels of each place, as of tokens, and one of the whole map."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 4, 3), nn.LayerNorm(4)
        self.whole, self.out = nn.LayerNorm([4, 3, 4]), nn.Linear(48, 3)

    def forward(self, x):
        y = self.norm(torch.relu(self.conv(x)).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self.out(self.whole(y).flatten(1))


class Scaled(nn.Module):
    """A sum that is scaled before its activation, one of whose parts is read elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.out = nn.Linear(6, 5), nn.Linear(6, 5), nn.Linear(5, 3)

    def forward(self, x):
        first = self.a(x)
        return self.out(torch.relu(0.5 * (first + self.b(x)) - 0.1) + first)


# A module, the shape of a sample, and the kinds of its layers.
NETS = {
    "folded forward": (
        lambda: nn.Sequential(nn.Linear(6, 5), nn.LayerNorm(5), nn.Linear(5, 3)),
        (6,),
        ["dense", "norm", "dense"],
    ),
    "before an activation": (
        lambda: nn.Sequential(nn.Linear(6, 5), nn.LayerNorm(5), nn.ReLU(), nn.Linear(5, 3)),
        (6,),
        ["dense", "norm", "conv2d", "dense"],
    ),
    "without scale and shift": (
        lambda: nn.Sequential(
            nn.Linear(6, 5),
            nn.LayerNorm(5, eps=0.1, elementwise_affine=False),
            nn.ReLU(),
            nn.Linear(5, 3),
        ),
        (6,),
        ["dense", "norm", "conv2d", "dense"],
    ),
    "of samples": (
        lambda: nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 3)),
        (6,),
        ["norm", "dense"],
    ),
    "behind a recurrent layer": (LastStep, (7, 3), ["lstm", "norm", "dense"]),
    "by place": (ByPlace, (2, 5, 6), ["conv2d", "norm", "conv2d", "norm", "dense"]),
    "a batch norm behind an activation and before zeros": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 3, 3),
            nn.SELU(),
            nn.BatchNorm2d(3),
            nn.Conv2d(3, 4, 3, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(48, 3),
        ),
        (2, 5, 6),
        ["conv2d", "conv2d", "conv2d", "dense"],
    ),
    "a sum that is scaled": (Scaled, (6,), ["dense", "dense", "add", "conv2d", "add", "dense"]),
    "a batch norm between two activations": (
        lambda: nn.Sequential(
            nn.Linear(6, 5), nn.Tanh(), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3)
        ),
        (6,),
        ["dense", "conv2d", "dense"],
    ),
}


def drawn(module):
    """The module with numbers of its norms that are not those of the start."""
    for layer in module.modules():
        for name, tensor in (*layer.named_parameters(recurse=False), *layer.named_buffers()):
            if "Norm" in type(layer).__name__ and tensor.dtype == torch.float32:
                values = RNG.normal(1, 0.3, tensor.shape)
                values = np.abs(values) if name == "running_var" else values
                tensor.data.copy_(torch.tensor(values))
    return module.eval()


@pytest.mark.parametrize("name", NETS)
def test_a_net_with_norms_answers_as_onnx_runtime_does(name, tmp_path: Path):
    torch.manual_seed(3)
    make, shape, kinds = NETS[name]
    path = tmp_path / "net.onnx"
    nets.save_torch(path, drawn(make()), torch.zeros(1, *shape))
    x = RNG.normal(size=(9, *shape)).astype(np.float32)
    expected = nets.runtime(path, x)
    spec = nets.spec_of(path)
    assert [layer.kind for layer in spec.model.layers] == kinds
    samples = nets.channels_last(x)
    ours = nets.ours(nets.graph_of(spec, samples, 3), samples)
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)


def test_a_norm_of_other_values_is_refused(tmp_path):
    """One of the columns of a map, whatever their channels."""
    nodes = [
        node("Conv", ["x", "k"], ["c"]),
        node("LayerNormalization", ["c", "s"], ["n"], axis=-1),
        node("Flatten", ["n"], ["f"]),
        node("MatMul", ["f", "v"], ["y"]),
    ]
    constants = {
        "k": RNG.normal(size=(4, 2, 3, 3)).astype(np.float32),
        "s": np.ones(4, np.float32),
        "v": RNG.normal(size=(48, 3)).astype(np.float32),
    }
    path = tmp_path / "net.onnx"
    path.write_bytes(nets.model_of(nodes, constants, ("n", 2, 5, 6), "y").SerializeToString())
    with pytest.raises(DataError, match="LayerNormalization normalizes values") as caught:
        read_onnx(path)
    assert "axes 3 of values of shape (1, 4, 3, 4)" in caught.value.found
