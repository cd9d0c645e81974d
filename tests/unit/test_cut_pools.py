"""Pools whose windows reach over the edges of a map: what a spec says, ONNX, numbers by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")

from tests.support import onnx_nets as nets  # noqa: E402
from tests.support.map_models import small  # noqa: E402
from tests.support.maps import pool_plan  # noqa: E402
from tpsgd_edge.errors import SpecError  # noqa: E402
from tpsgd_edge.frontend.data import dataset_from_arrays  # noqa: E402
from tpsgd_edge.frontend.network import build_graph  # noqa: E402
from tpsgd_edge.graph import Conv2d, Pool, pool  # noqa: E402
from tpsgd_edge.reference import Reference  # noqa: E402
from tpsgd_edge.rule.layers import forward, input_gradient  # noqa: E402
from tpsgd_edge.spec import spec_from_dict  # noqa: E402

nn = torch.nn
POOLS: dict[str, Any] = {
    "max, padded": lambda: nn.MaxPool2d(3, 2, padding=1),
    "max, padded in columns": lambda: nn.MaxPool2d((2, 3), 1, padding=(0, 1)),
    "max, ceil": lambda: nn.MaxPool2d(2, 2, ceil_mode=True),
    "max, padded and ceil": lambda: nn.MaxPool2d(3, 2, padding=1, ceil_mode=True),
    "average that counts, ceil": lambda: nn.AvgPool2d(2, 2, ceil_mode=True),
    "average": lambda: nn.AvgPool2d(3, 2, padding=1, count_include_pad=False),
    "average, ceil": lambda: nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False),
    "average, padded and ceil": lambda: nn.AvgPool2d(
        3, 2, padding=1, ceil_mode=True, count_include_pad=False
    ),
}


def samples(*shape: int) -> Any:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("size", [(7, 9), (8, 6), (5, 5)])
@pytest.mark.parametrize("name", POOLS)
def test_a_net_of_torch_predicts_the_same(name: str, size: tuple[int, int], tmp_path: Path) -> None:
    torch.manual_seed(2)
    body = nn.Sequential(nn.Conv2d(2, 4, 2), nn.Tanh(), POOLS[name](), nn.Flatten())
    x = samples(12, 2, *size)
    width = body(torch.from_numpy(x[:1])).shape[1]
    module = nn.Sequential(body, nn.Linear(width, 3))
    path = nets.save_torch(tmp_path / "net.onnx", module, torch.from_numpy(x[:1]))
    spec, rows = nets.spec_of(path), nets.channels_last(x)
    y = nets.ours(nets.graph_of(spec, rows, 3), rows)
    np.testing.assert_allclose(y, nets.runtime(path, x), rtol=1e-5, atol=1e-5)


def test_a_last_window_that_would_begin_outside_is_none() -> None:
    """As in torch; ONNX Runtime's own parts do not agree on how many windows there are."""
    x = torch.from_numpy(samples(4, 2, 7, 9)).double()
    layer = pool("p", "max", (7, 9, 2), (2, 2), (4, 4), padding=(1, 1, 1, 1), ceil_mode=True)
    rows, none = x.permute(0, 2, 3, 1).reshape(4, -1), torch.zeros(0)
    y = forward(layer, rows, none, none).reshape(4, *layer.y_shape).permute(0, 3, 1, 2)
    torch.testing.assert_close(y, nn.MaxPool2d(2, 4, padding=1, ceil_mode=True)(x))


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_auto_pad(op: str, auto_pad: str, stride: int, tmp_path: Path) -> None:
    from onnx.helper import make_node as node

    x = samples(12, 2, 6, 7)
    windows = {"kernel_shape": [3, 2], "strides": [stride] * 2, "auto_pad": auto_pad}
    counts = -(-6 // stride) * -(-7 // stride) * 2
    constants = {"w": samples(counts, 3)}
    nodes = [
        node(op, ["x"], ["p"], **windows),
        node("Flatten", ["p"], ["f"]),
        node("MatMul", ["f", "w"], ["y"]),
    ]
    path = tmp_path / "net.onnx"
    path.write_bytes(nets.model_of(nodes, constants, ("n", 2, 6, 7)).SerializeToString())
    spec, rows = nets.spec_of(path), nets.channels_last(x)
    y = nets.ours(nets.graph_of(spec, rows, 3), rows)
    np.testing.assert_allclose(y, nets.runtime(path, x), rtol=1e-5, atol=1e-5)


def test_along_time(tmp_path: Path) -> None:
    torch.manual_seed(2)
    module = nn.Sequential(
        nn.MaxPool1d(3, 2, padding=1), nn.AvgPool1d(2, ceil_mode=True, count_include_pad=False),
        nn.Flatten(), nn.Linear(12, 3),
    )  # fmt: skip
    x = samples(12, 4, 10)
    path = nets.save_torch(tmp_path / "net.onnx", module, torch.from_numpy(x[:1]))
    spec, rows = nets.spec_of(path), np.moveaxis(x, 1, -1)
    y = nets.ours(nets.graph_of(spec, rows, 3), rows)
    np.testing.assert_allclose(y, nets.runtime(path, x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", ["max", "average"])
def test_the_float_rule_passes_errors_as_autograd_does(mode: Any) -> None:
    layer = pool("p", mode, (7, 6, 2), (3, 2), (2, 2), padding=(1, 1, 1, 0), ceil_mode=True)
    assert layer.is_cut
    x = torch.randn((5, layer.x_count), dtype=torch.float64, requires_grad=True)
    none = torch.zeros(0)
    y = forward(layer, x, none, none)
    grad = torch.randn_like(y)
    (expected,) = torch.autograd.grad(y, x, grad)
    with torch.no_grad():
        torch.testing.assert_close(input_gradient(layer, x, none, grad), expected)


def graph_of(layer: dict[str, Any], shape: tuple[int, ...] = (6, 7, 2), **sections: Any) -> Any:
    layers = [{"kind": "conv2d", "name": "c", "filters": 3, "kernel": 1}, layer]
    if shape[0] == 1:
        layers = [{"kind": "conv1d", "name": "c", "filters": 3, "kernel": 1}, layer]
    content = {"name": "net", "model": {"layers": [*layers, {"name": "fc", "units": 2}]}}
    content |= {"data": {"file": "x.npz", "input_shape": list(shape)}, **sections}
    spec = spec_from_dict(content)
    x = samples(20, *shape)
    return build_graph(spec, dataset_from_arrays(spec, x.reshape(20, -1), np.arange(20) % 2))


@pytest.mark.parametrize(
    ("keys", "padding", "behind", "rows_columns"),
    [
        ({"size": 2, "ceil_mode": True}, (0, 0), (0, 1), (3, 4)),
        ({"size": 3, "stride": 2, "padding": 1}, (1, 1), (0, 1), (3, 4)),
        ({"size": 3, "stride": 2, "padding": [0, 1]}, (0, 1), (0, 1), (2, 4)),
        ({"size": 3, "stride": 3, "padding": [1, 2, 2, 1]}, (1, 2), (2, 0), (3, 3)),
        ({"size": 3, "stride": 1, "padding": "same"}, (1, 1), (1, 1), (6, 7)),
        ({"size": 2, "padding": 0}, (0, 0), (0, 0), (3, 3)),
    ],
)
def test_what_a_spec_says(keys: Any, padding: Any, behind: Any, rows_columns: Any) -> None:
    conv, made, _ = graph_of({"kind": "max_pool", **keys}).layers
    assert isinstance(made, Pool)
    assert isinstance(conv, Conv2d)
    assert (made.padding, made.behind, made.y_shape[:2]) == (padding, behind, rows_columns)
    assert made.is_cut == (made.padding != (0, 0) or made.behind != (0, 0))
    # A local loss sees through pools whose windows lie inside of the map.
    assert (conv.pool is None) == (made.is_cut or made.stride < made.kernel)


def test_one_number_is_columns_on_a_map_of_one_row() -> None:
    _, made, _ = graph_of({"kind": "avg_pool", "size": 3, "padding": 1}, (1, 9, 2)).layers
    assert (made.kernel, made.padding, made.y_shape) == ((1, 3), (0, 1), (1, 3, 3))


def test_words_of_a_spec_that_cannot_be() -> None:
    with pytest.raises(SpecError, match="the padding of layer 'pool1' is not smaller than its"):
        graph_of({"kind": "max_pool", "size": 2, "padding": 2})
    with pytest.raises(SpecError, match='\'padding\' is "valid", "same" or numbers of zeros'):
        graph_of({"kind": "max_pool", "size": 2, "padding": "full"})
    with pytest.raises(SpecError) as error:
        graph_of({"kind": "max_pool", "size": 2, "ceil_mode": True}, rule="backprop")
    assert "backpropagation does not pass through the pool 'pool1'" in str(error.value)
    assert "leave padding and ceil_mode out" in str(error.value)


@pytest.mark.parametrize(
    ("mode", "value_type", "y"),
    [
        ("max", "s8", [-5, -3, -7, -2]),
        ("average", "s8", [-5, -4, -8, -3]),
        ("max", "f32", [-5.0, -3.0, -7.0, -2.0]),
        ("average", "f32", [-5.0, -4.0, -8.0, -3.0]),
    ],
)
def test_pools_on_numbers_worked_out_by_hand(mode: Any, value_type: str, y: list[float]) -> None:
    """A map of 2 x 3, windows of 2 x 2 at a stride of 2, one row and one column outside first."""
    plan = pool_plan((2, 3, 1), mode, (2, 2), before=(1, 1), after=(1, 0))
    reference = Reference(small([plan], value_type=value_type, hidden=[], label_count=2))
    x = np.array([-5, -5, -3, -7, -9, -2], np.float32 if value_type == "f32" else np.int8)
    if mode == "average":
        x[1:] = [-5, -3, -8, -4, -2]
    values = reference._behind[0].forward(x)
    assert values.tolist() == y
