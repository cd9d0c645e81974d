"""Convolutions whose weights see places that lie apart, and causal ones: spec, ONNX, float rule."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")

from tests.support import onnx_nets as nets  # noqa: E402
from tpsgd_edge.errors import SpecError  # noqa: E402
from tpsgd_edge.frontend.data import dataset_from_arrays  # noqa: E402
from tpsgd_edge.frontend.network import build_graph  # noqa: E402
from tpsgd_edge.graph import Conv2d, conv2d  # noqa: E402
from tpsgd_edge.rule.layers import forward, input_gradient, update_sums  # noqa: E402
from tpsgd_edge.spec import spec_from_dict  # noqa: E402

nn = torch.nn


class Causal(nn.Module):  # type: ignore[misc, name-defined]
    """A convolution along time that sees no later step."""

    def __init__(self, n_in: int, n_out: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.before = (kernel - 1) * dilation
        self.conv = nn.Conv1d(n_in, n_out, kernel, dilation=dilation)

    def forward(self, x: Any) -> Any:
        return self.conv(nn.functional.pad(x, (self.before, 0)))


CONVS: dict[str, Any] = {
    "2-D": (lambda: nn.Conv2d(2, 4, 3, dilation=2), (2, 9, 8)),
    "2-D, padded, strided": (
        lambda: nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(2, 1), dilation=(2, 3)),
        (2, 9, 8),
    ),
    "in groups": (lambda: nn.Conv2d(4, 8, 3, padding=2, dilation=2, groups=4), (4, 6, 7)),
    "along time": (lambda: nn.Conv1d(3, 5, 3, padding=4, dilation=4), (3, 12)),
    "causal": (
        lambda: nn.Sequential(Causal(3, 5, 3, 1), nn.ReLU(), Causal(5, 4, 2, 4), nn.ELU()),
        (3, 12),
    ),
}


@pytest.mark.parametrize("name", CONVS)
def test_a_net_of_torch_predicts_the_same(name: str, tmp_path: Path) -> None:
    torch.manual_seed(2)
    make, shape = CONVS[name]
    x = np.random.default_rng(1).normal(size=(12, *shape)).astype(np.float32)
    body = nn.Sequential(make(), nn.Flatten())
    module = nn.Sequential(body, nn.Linear(body(torch.from_numpy(x[:1])).shape[1], 3))
    path = nets.save_torch(tmp_path / "net.onnx", module, torch.from_numpy(x[:1]))
    spec, rows = nets.spec_of(path), np.moveaxis(x, 1, -1)
    y = nets.ours(nets.graph_of(spec, rows, 3), rows)
    np.testing.assert_allclose(y, nets.runtime(path, x), rtol=1e-5, atol=1e-5)


def test_auto_pad(tmp_path: Path) -> None:
    """As torch counts it: ONNX Runtime has no dilation with auto_pad."""
    from onnx.helper import make_node as node

    rng = np.random.default_rng(1)
    constants = {"k": rng.normal(size=(3, 2, 3, 2)), "w": rng.normal(size=(3 * 6 * 7, 3))}
    nodes = [
        node("Conv", ["x", "k"], ["p"], dilations=[2, 3], auto_pad="SAME_UPPER"),
        node("Flatten", ["p"], ["f"]),
        node("MatMul", ["f", "w"], ["y"]),
    ]
    arrays = {name: array.astype(np.float32) for name, array in constants.items()}
    path = tmp_path / "net.onnx"
    path.write_bytes(nets.model_of(nodes, arrays, ("n", 2, 6, 7)).SerializeToString())
    x = rng.normal(size=(12, 2, 6, 7)).astype(np.float32)
    spec, rows = nets.spec_of(path), nets.channels_last(x)
    y = nets.ours(nets.graph_of(spec, rows, 3), rows)
    k = torch.from_numpy(arrays["k"])
    maps = nn.functional.conv2d(torch.from_numpy(x), k, padding="same", dilation=(2, 3))
    expected = maps.flatten(1).numpy() @ arrays["w"]
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-4)


def test_the_float_rule_follows_autograd() -> None:
    how: dict[str, Any] = {"kernel": (3, 2), "stride": (2, 1), "padding": (3, 1, 2, 2)}
    layer = conv2d("c", (7, 6, 4), filters=6, dilation=(2, 3), groups=2, **how)
    x = torch.randn((5, layer.x_count), dtype=torch.float64, requires_grad=True)
    w = torch.randn((6, layer.n_in), dtype=torch.float64, requires_grad=True)
    b = torch.randn(6, dtype=torch.float64, requires_grad=True)
    z = forward(layer, x, w, b)
    assert z.shape == (5, layer.y_count)
    grad = torch.randn_like(z)
    expected = torch.autograd.grad(z, (x, w, b), grad)
    with torch.no_grad():
        torch.testing.assert_close(input_gradient(layer, x, w, grad), expected[0])
        for actual, wanted in zip(update_sums(layer, x, grad), expected[1:], strict=True):
            torch.testing.assert_close(actual, wanted)


def layer_of(keys: dict[str, Any], shape: tuple[int, ...], **sections: Any) -> Conv2d:
    first = {"name": "c", "filters": 3, **keys}
    content = {"name": "net", "model": {"layers": [first, {"name": "fc", "units": 2}]}}
    content |= {"data": {"file": "x.npz", "input_shape": list(shape)}, **sections}
    spec = spec_from_dict(content)
    x = np.random.default_rng(1).normal(size=(20, int(np.prod(shape))))
    layer = build_graph(spec, dataset_from_arrays(spec, x, np.arange(20) % 2)).layers[0]
    assert isinstance(layer, Conv2d)
    return layer


TIME, MAP = (1, 12, 2), (9, 8, 2)


@pytest.mark.parametrize(
    ("keys", "shape", "padding", "y_shape"),
    [
        ({"kind": "conv1d", "dilation": 4}, TIME, (0, 0), (1, 4, 3)),
        ({"kind": "conv1d", "dilation": 4, "padding": "causal"}, TIME, (0, 8), (1, 12, 3)),
        ({"kind": "conv1d", "dilation": 3, "padding": "same"}, TIME, (0, 3), (1, 12, 3)),
        ({"kind": "conv1d", "padding": "causal", "stride": 2}, TIME, (0, 2), (1, 6, 3)),
        ({"kind": "conv2d", "dilation": 2}, MAP, (0, 0), (5, 4, 3)),
        ({"kind": "conv2d", "dilation": [1, 3], "padding": [1, 2]}, MAP, (1, 2), (9, 6, 3)),
    ],
)
def test_what_a_spec_says(keys: Any, shape: Any, padding: Any, y_shape: Any) -> None:
    layer = layer_of(keys, shape)
    assert (layer.padding, layer.y_shape) == (padding, y_shape)


def test_words_of_a_spec_that_cannot_be() -> None:
    with pytest.raises(
        SpecError, match="the kernel of layer 'c' is larger than its input"
    ) as error:
        layer_of({"kind": "conv2d", "dilation": 5}, MAP)
    assert "a kernel of 11 x 11 on a map of 9 x 8" in str(error.value)
    with pytest.raises(SpecError, match="'dilation' looks like 3, or"):
        layer_of({"kind": "conv2d", "dilation": 0}, MAP)
    with pytest.raises(SpecError, match="numbers of zeros"):
        layer_of({"kind": "conv2d", "padding": "causal"}, MAP)
    with pytest.raises(SpecError, match="does not pass through the dilated layer 'c'"):
        layer_of({"kind": "conv1d", "dilation": 2}, TIME, rule="backprop")
