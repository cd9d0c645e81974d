"""Numbers of a file: whole ones without a scale are refused, sparse ones and 16 bits are read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.imports.onnx_net import read_onnx

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")

from tests.support import onnx_nets as nets  # noqa: E402

nn = torch.nn
node = onnx.helper.make_node
RNG = np.random.default_rng(9)
Y = np.arange(24) % 3


def real(*shape: int) -> Any:
    return RNG.normal(size=shape).astype(np.float32)


def whole(*shape: int, kind: str = "i1") -> Any:
    return RNG.integers(-90, 90, shape).astype(kind)


def save(
    folder: Path, nodes: Any, constants: Any, shape: Any, *, opset: int = 21, kind: int = 1
) -> Path:
    path = folder / "net.onnx"
    constants = {name: np.asarray(array) for name, array in constants.items()}
    model = nets.model_of(nodes, constants, shape, opset=opset)
    model.ir_version = 10
    model.graph.input[0].type.tensor_type.elem_type = kind
    path.write_bytes(model.SerializeToString())
    return path


END = [node("Relu", ["c"], ["r"]), node("Flatten", ["r"], ["f"]), node("MatMul", ["f", "v"], ["y"])]
ROW, MAP = ("n", 6), ("n", 2, 5, 5)
# The node, its constants, which of them is of whole numbers, and the shape of a sample.
PLACES: dict[str, Any] = {
    "weights of Gemm": (node("Gemm", ["x", "t"], ["c"]), whole(6, 4), ROW),
    "bias of Gemm": (node("Gemm", ["x", "w", "t"], ["c"]), whole(4), ROW),
    "weights of MatMul": (node("MatMul", ["x", "t"], ["c"]), whole(6, 4), ROW),
    "weights of Conv": (node("Conv", ["x", "t"], ["c"]), whole(2, 2, 3, 3), MAP),
    "bias of Conv": (node("Conv", ["x", "k", "t"], ["c"]), whole(2, kind="i4"), MAP),
    "constant of Add": (node("Add", ["x", "t"], ["c"]), whole(6), ROW),
    "constant of Mul": (node("Mul", ["x", "t"], ["c"]), whole(6, kind="i8"), ROW),
    "constant of Max": (node("Max", ["x", "t"], ["c"]), np.int64(0), ROW),
    "slope of PRelu": (node("PRelu", ["x", "t"], ["c"]), whole(1), ROW),
    "var of BatchNormalization": (
        node("BatchNormalization", ["x", "s", "s", "s", "t"], ["c"]),
        np.ones(2, np.uint8),
        MAP,
    ),
    "scale of QuantizeLinear": (node("QuantizeLinear", ["x", "t"], ["c"]), np.int32(1), ROW),
}


@pytest.mark.parametrize("what", PLACES)
def test_whole_numbers_without_a_scale_are_named(what: str, tmp_path: Path) -> None:
    one, tensor, shape = PLACES[what]
    constants = {"w": real(6, 4), "k": real(2, 2, 3, 3), "s": np.ones(2, np.float32), "t": tensor}
    constants["v"] = real(18 if shape == MAP else 4, 3)
    path = save(tmp_path, [one, *END], constants, shape)
    with pytest.raises(DataError) as error:
        read_onnx(path)
    assert f"the {what}: whole numbers without a scale" in str(error.value)
    assert "QuantizeLinear and DequantizeLinear" in str(error.value)


def test_recurrent_weights_of_whole_numbers_are_named(tmp_path: Path) -> None:
    nodes = [
        node("RNN", ["x", "w", "t"], ["", "s"], hidden_size=4),
        node("Squeeze", ["s", "first"], ["h"]),
        node("MatMul", ["h", "v"], ["y"]),
    ]
    constants = {"w": real(1, 4, 3), "t": whole(1, 4, 4), "v": real(4, 3), "first": np.array([0])}
    with pytest.raises(DataError, match="the recurrent weights of RNN: whole numbers"):
        read_onnx(save(tmp_path, nodes, constants, (5, "n", 3)))


def test_samples_of_whole_numbers_need_a_scale(tmp_path: Path) -> None:
    constants = {"w": real(6, 4), "v": real(4, 3), "s": np.float32(0.02), "z": np.uint8(9)}
    dense = node("MatMul", ["a", "w"], ["c"])
    x = RNG.integers(0, 200, (24, 6)).astype(np.uint8)
    for first in (
        node("Cast", ["x"], ["a"], to=1),
        node("DequantizeLinear", ["x", "s", "z"], ["a"]),
    ):
        path = save(tmp_path, [first, dense, *END], constants, ROW, kind=2)
        y, _ = nets.answers(path, x, Y)
        np.testing.assert_allclose(y, nets.runtime(path, x), rtol=1e-5, atol=1e-4)
    for first in (node("Identity", ["x"], ["a"]), node("Mul", ["x", "s"], ["a"])):
        path = save(tmp_path, [first, dense, *END], constants, ROW, kind=2)
        with pytest.raises(DataError, match="computes with whole numbers without a scale"):
            read_onnx(path)


SCALINGS = {
    "a shift before zeros": ([node("Sub", ["x", "half"], ["a"])], {"half": np.float32(0.5)}),
    "a scale for each place": (
        [node("Mul", ["x", "wide"], ["b"]), node("Add", ["b", "deep"], ["a"])],
        {"wide": np.abs(real(2, 6, 5)) + 0.1, "deep": real(2, 6, 5)},
    ),
    "bytes with a zero point": (
        [
            node("QuantizeLinear", ["x", "fine", "mid"], ["q"]),
            node("DequantizeLinear", ["q", "fine", "mid"], ["d"]),
            node("Sub", ["d", "half"], ["a"]),
        ],
        {"fine": np.float32(2e-4), "mid": np.int16(5), "half": np.float32(0.25)},
    ),
}


@pytest.mark.parametrize("name", SCALINGS)
@pytest.mark.parametrize("scaling", ["none", "standard", "unit"])
def test_what_a_net_makes_of_its_samples_first(name: str, scaling: str, tmp_path: Path) -> None:
    before, constants = SCALINGS[name]
    nodes = [*before, node("Conv", ["a", "k"], ["c"], pads=[1, 1, 1, 1]), *END]
    path = save(tmp_path, nodes, {**constants, "k": real(3, 2, 3, 3), "v": real(90, 3)}, MAP56)
    x = real(24, 2, 6, 5)
    given, shift = x, 0.0
    if scaling != "none":  # the net then takes scaled samples
        flat = x.reshape(24, -1).astype(np.float64)
        shift = flat.mean(axis=0) if scaling == "standard" else 0.0
        std = flat.std(axis=0) if scaling == "standard" else np.abs(flat).max()
        given = ((flat - shift) / std).reshape(x.shape).astype(np.float32)
    y, _ = nets.answers(path, np.moveaxis(x, 1, -1), Y, scaling=scaling)
    tolerance = 1e-4 if name != "bytes with a zero point" else 1e-2
    np.testing.assert_allclose(y, nets.runtime(path, given), rtol=tolerance, atol=tolerance)


MAP56 = ("n", 2, 6, 5)


def sparse(name: str, dense: Any, *, is_flat: bool) -> Any:
    """A tensor that names only what is not zero."""
    at = np.flatnonzero(dense) if is_flat else np.argwhere(dense)
    values = onnx.numpy_helper.from_array(dense[dense != 0], name)
    indices = onnx.numpy_helper.from_array(at.astype(np.int64), f"{name}_at")
    return onnx.helper.make_sparse_tensor(values, indices, dense.shape)


@pytest.mark.parametrize("is_flat", [True, False])
@pytest.mark.parametrize("place", ["initializer", "attribute"])
def test_sparse_tensors(is_flat: bool, place: str, tmp_path: Path) -> None:  # noqa: FBT001
    w = real(6, 4)
    w[np.abs(w) < 0.7] = 0
    v = real(4, 3)
    tensor = sparse("w", w, is_flat=is_flat)
    constant = [node("Constant", [], ["w"], sparse_value=tensor)] if place == "attribute" else []
    nodes = [*constant, node("MatMul", ["x", "w"], ["c"]), *END]
    model = onnx.load(save(tmp_path, nodes, {"v": v}, ROW))
    if place == "initializer":
        model.graph.sparse_initializer.append(tensor)
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    x = real(24, 6)
    y, _ = nets.answers(path, x, Y)
    np.testing.assert_allclose(y, np.maximum(x @ w, 0) @ v, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("indices", "dims"),
    [
        (np.array([24]), (6, 4)),
        (np.array([-1]), (6, 4)),
        (np.array([[6, 0]]), (6, 4)),
        (np.array([[0, 0, 0]]), (6, 4)),
        (np.array([0, 1]), (6, 4)),
        (np.array([0]), (2**20, 2**20)),
    ],
)
def test_sparse_tensors_that_reach_outside(indices: Any, dims: Any, tmp_path: Path) -> None:
    tensor = onnx.SparseTensorProto(dims=dims)
    tensor.values.CopyFrom(onnx.numpy_helper.from_array(np.ones(1, np.float32), "w"))
    tensor.indices.CopyFrom(onnx.numpy_helper.from_array(indices.astype(np.int64), "at"))
    model = onnx.load(save(tmp_path, [node("MatMul", ["x", "w"], ["c"]), *END], {}, ROW))
    model.graph.sparse_initializer.append(tensor)
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(DataError, match=r"outside of its shape|absurd shape"):
        read_onnx(path)


def test_an_empty_file_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"the file 'net\.onnx' is empty"):
        read_onnx(path)


def test_a_pointer_to_a_file_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(DataError, match="git lfs pull"):
        read_onnx(path)


@pytest.mark.parametrize(
    ("domain", "tool"), [("onnx.brevitas", "Brevitas"), ("qonnx.custom_op.general", "QONNX")]
)
def test_numbers_of_other_tools_are_named(domain: str, tool: str, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    for nodes in (
        [node("MultiThreshold", ["w"], ["q"], domain=domain), node("MatMul", ["x", "q"], ["y"])],
        [node("MatMul", ["x", "w"], ["a"]), node("MultiThreshold", ["a"], ["y"], domain=domain)],
    ):
        path.write_bytes(nets.model_of(nodes, {"w": real(6, 3)}, ROW).SerializeToString())
        with pytest.raises(DataError) as error:
            read_onnx(path)
        assert f"MultiThreshold is {tool}'s own: export the net in real numbers" in str(error.value)


STATIC = {
    "images": (
        nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 6, 3),
            nn.ReLU6(),
            nn.AdaptiveMaxPool2d(1),
            nn.Flatten(),
            nn.Linear(6, 3),
        ),
        (2, 12, 10),
    ),
    "along time": (
        nn.Sequential(
            nn.Conv1d(3, 4, 3),
            nn.ReLU(),
            nn.AvgPool1d(2),
            nn.Conv1d(4, 5, 2),
            nn.Tanh(),
            nn.Flatten(),
            nn.Linear(30, 4),
            nn.Softmax(1),
        ),
        (3, 16),
    ),
    "dense": (
        nn.Sequential(nn.Linear(6, 8), nn.LeakyReLU(0.1), nn.Linear(8, 3), nn.Softmax(-1)),
        (6,),
    ),
}


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("name", STATIC)
def test_nets_that_onnx_runtime_quantized(name: str, bits: int, tmp_path: Path) -> None:
    from onnxruntime import quantization as ort

    module, shape = STATIC[name]
    # Weights of this test's own, whatever ran before: how far 8 bits are off hangs on them.
    torch.manual_seed(4)
    for layer in module.modules():
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    path = nets.save_torch(tmp_path / "real.onnx", module, torch.zeros(1, *shape))
    x = np.random.default_rng(3).normal(size=(24, *shape)).astype(np.float32)

    class Samples(ort.CalibrationDataReader):  # type: ignore[misc, name-defined]
        rows = iter(x)

        def get_next(self) -> Any:
            row = next(self.rows, None)
            return None if row is None else {"x": row[np.newaxis]}

    kinds = (ort.QuantType.QUInt8, ort.QuantType.QInt8)
    if bits == 16:
        kinds = (ort.QuantType.QInt16, ort.QuantType.QInt16)
    out, act, weight = tmp_path / "net.onnx", *kinds
    ort.quantize_static(
        path,
        out,
        Samples(),
        quant_format=ort.QuantFormat.QDQ,
        per_channel=True,
        activation_type=act,
        weight_type=weight,
    )
    samples = np.moveaxis(x, 1, -1) if x.ndim > 2 else x
    n = STATIC[name][0](torch.zeros(1, *shape)).shape[1]
    y, _ = nets.answers(out, samples, np.arange(24) % n)
    has_softmax = isinstance(module[-1], nn.Softmax)
    y = nets.softmax(y) if has_softmax else y
    expected, quantized = nets.runtime(path, x), nets.runtime(out, x)
    # Weights are those of the file; values between layers, which the runtime rounds, stay real.
    assert np.abs(y - expected).max() < {8: 0.02, 16: 2e-4}[bits]
    assert np.abs(y - quantized).max() < {8: 0.1, 16: 2e-4}[bits]
