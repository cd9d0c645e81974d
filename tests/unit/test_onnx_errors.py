"""ONNX files that cannot become a chain of layers, or mean harm: an error, nothing else."""

import contextlib
import itertools
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tpsgd_edge.errors import DataError, SpecError, TpsgdError
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.frontend.imports.onnx_net import read_onnx
from tpsgd_edge.frontend.imports.source import with_source
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.spec import spec_from_dict

onnx = pytest.importorskip("onnx")
node = onnx.helper.make_node
RNG = np.random.default_rng(4)
SHAPES = {"w": (6, 4), "b": (4,), "w2": (4, 3), "k": (2, 2, 3, 3), "s": (2,), "m": (18, 3)}
REALS = {name: RNG.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
DENSE = [
    node("MatMul", ["x", "w"], ["a"]),
    node("Add", ["a", "b"], ["c"]),
    node("Relu", ["c"], ["d"]),
    node("MatMul", ["d", "w2"], ["y"]),
]


def write(folder: Path, nodes: Any, shape: Any = ("n", 6), **constants: Any) -> Path:
    """A file with these nodes; the names of all constants are free to use."""
    real = onnx.TensorProto.FLOAT
    tensors = [
        onnx.numpy_helper.from_array(np.asarray(array), name)
        for name, array in (REALS | constants).items()
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "net",
        [onnx.helper.make_tensor_value_info("x", real, shape)],
        [onnx.helper.make_tensor_value_info("y", real, None)],
        tensors,
    )
    path = folder / "net.onnx"
    path.write_bytes(onnx.helper.make_model(graph).SerializeToString())
    return path


def message(path: Path) -> str:
    with pytest.raises(DataError) as error:
        read_onnx(path)
    assert error.value.__cause__ is None or error.value.__suppress_context__
    return str(error.value)


def conv(**attributes: Any) -> Any:
    return node("Conv", ["x", "k"], ["c"], name="conv1", **attributes)


def pad(x: str = "x", pads: str = "around", **attributes: Any) -> Any:
    return node("Pad", [x, pads], ["p"], **attributes)


MAP = ("n", 2, 5, 5)
PADDED = [node("Conv", ["p", "k"], ["c"])]
LSTM = node("LSTM", ["x", "w", "w"], ["y"], name="lstm1", hidden_size=4)
WHOLE = node("QuantizeLinear", ["x", "one", "byte"], ["q"])
QUANTIZED = ["e", "one", "byte"]
CASES = [
    ([node("Elu", ["x"], ["y"])], "the operator Elu has no layer of ours"),
    ([node("LeakyRelu", ["x"], ["y"])], "LeakyRelu has no layer that could take it in"),
    ([*DENSE[:2], node("LeakyRelu", ["c"], ["y"], alpha=-0.5)], "found: -0.5 below zero"),
    ([*DENSE[:2], node("LeakyRelu", ["c"], ["y"], alpha=1e-6)], "0 is Relu"),
    ([*DENSE[:2], node("LeakyRelu", ["c"], ["y"], alpha=np.nan)], "'alpha' of LeakyRelu must be"),
    ([*DENSE[:2], node("PRelu", ["c", "b"], ["y"])], "PRelu has a slope for each channel"),
    ([LSTM], "use GRU, or RNN with Tanh"),
    ([node("QLinearConv", ["x", "s"], ["y"])], "with QuantizeLinear and DequantizeLinear"),
    ([node("QuantizeLinear", ["x", "two"], ["y"])], "has a scale for each channel"),
    ([node("QuantizeLinear", ["x", "nought"], ["y"])], "QuantizeLinear has odd scales"),
    ([node("QuantizeLinear", ["x", "one", "b"], ["y"])], "QuantizeLinear has an odd zero point"),
    ([node("DequantizeLinear", ["x", "one"], ["y"])], "reads what no QuantizeLinear made"),
    ([node("DequantizeLinear", ["b", "one"], ["y"])], "DequantizeLinear reads no whole numbers"),
    ([WHOLE, node("Relu", ["q"], ["y"])], "Relu computes with whole numbers"),
    (
        [*DENSE[:3], node("MatMul", ["d", "w2"], ["e"]), node("QuantizeLinear", QUANTIZED, ["y"])],
        "the outputs of the net are whole numbers",
    ),
    (
        [node("DequantizeLinear", ["bytes", "two"], ["v"]), node("MatMul", ["x", "v"], ["y"])],
        "has scales or zero points that do not fit",
    ),
    ([node("MatMul", ["x", "w"], ["y"], domain="evil")], "domain evil"),
    ([*DENSE[:3], node("Add", ["d", "a"], ["y"])], "a sum of two branches (residual)"),
    ([*DENSE[:3], node("MatMul", ["c", "w2"], ["y"])], "each layer is read by one other"),
    (
        [*DENSE[:2], node("Softmax", ["c"], ["p"]), node("MatMul", ["p", "w2"], ["y"])],
        "it can only come last",
    ),
    (
        [*DENSE[:2], node("Relu", ["c"], ["y"]), node("Tanh", ["y"], ["z"])],
        "already has the activation 'relu'",
    ),
    ([node("Relu", ["x"], ["y"])], "nothing with weights before it"),
    ([node("MatMul", ["z", "w"], ["y"])], "reads what no node before it makes"),
    ([node("MatMul", ["y", "w"], ["y"])], "reads what no node before it makes"),
    ([node("Add", ["z", "x"], ["y"]), node("Relu", ["y"], ["z"])], "without cycles"),
    ([DENSE[0], node("Relu", ["a"], ["a"])], "two nodes make the same tensor"),
    ([DENSE[0], node("Identity", ["a"], ["w"])], "two nodes make the same tensor"),
    (DENSE[:2], "the net does not come to its output"),
    ([node("Clip", ["x", "high", "low"], ["y"])], "Clip has no activation of ours"),
    ([node("Clip", ["x", "low", "high"], ["y"])], "nothing with weights before it"),
    ([node("MatMul", ["w", "x"], ["y"])], "MatMul has its constant first"),
    ([node("MatMul", ["x", "w2"], ["y"])], "the weights of MatMul do not fit"),
    ([node("MatMul", ["x", "text"], ["y"])], "a tensor is of a type that cannot be read"),
    ([node("MatMul", ["x", "nan"], ["y"])], "holds NaN, infinity"),
    (
        [
            node("MatMul", ["x", "w"], ["a"]),
            node("Mul", ["a", "b"], ["c"]),
            node("Relu", ["c"], ["d"]),
            node("Mul", ["d", "b"], ["y"]),
        ],
        "and a scaling behind it",
    ),
    (
        [
            node("MatMul", ["x", "w"], ["a"]),
            node("Relu", ["a"], ["c"]),
            node("Mul", ["c", "b"], ["d"]),
            node("Tanh", ["d"], ["y"]),
        ],
        "already has the activation 'relu'",
    ),
    ([node("Reshape", ["x", "absurd"], ["y"])], "Reshape does not fit"),
    ([node("Expand", ["b", "absurd"], ["z"]), node("Mul", ["x", "z"], ["y"])], "an absurd shape"),
    (
        [node("ConstantOfShape", ["absurd"], ["z"]), node("Mul", ["x", "z"], ["y"])],
        "ConstantOfShape makes an absurd shape",
    ),
    ([node("Transpose", ["x"], ["y"], perm=[0, 5])], "Transpose has no order of the axes"),
    ([node("Gather", ["x", "high"], ["y"], axis=1)], "Gather reaches outside of its input"),
    (
        [node("Gather", ["x", "first"], ["a"], axis=1), node("MatMul", ["a", "b1"], ["y"])],
        "every value of a layer goes to the next one",
    ),
    (
        [*DENSE[:3], node("Gather", ["d", "swapped"], ["y"], axis=1)],
        "the outputs of the net are reordered behind its last layer",
    ),
    ([*DENSE[:2], node("Softmax", ["c"], ["y"], axis=0)], "Softmax reads no vector"),
    ([node("If", ["x"], ["y"])], "without control flow"),
    ([node("Gemm", ["x", "w"], ["y"], alpha=1)], "the attribute 'alpha' of Gemm must be a number"),
    ([node("Gemm", ["x"], ["y"])], "Gemm has no weights"),
]
CASES_ON_MAPS = [
    ([pad(mode="reflect"), *PADDED], "found: mode reflect"),
    ([pad(pads="negative"), *PADDED], "Pad puts something else than zeros"),
    ([pad(pads="first"), *PADDED], "Pad puts something else than zeros"),
    ([node("Pad", ["x", "around", "one"], ["p"]), *PADDED], "Pad puts something else than zeros"),
    ([pad(pads="wide"), *PADDED], "Pad makes a map of absurd size"),
    ([pad(), node("MaxPool", ["p"], ["c"], kernel_shape=[2, 2])], "MaxPool reads zeros around"),
    ([pad(pads="channels"), *PADDED], "a map that was reordered before"),
    (
        [conv(), pad("c"), node("Flatten", ["p"], ["q"]), node("MatMul", ["q", "w"], ["y"])],
        "MatMul reads zeros around",
    ),
    ([conv(dilations=[2, 2])], "dilations must be 1"),
    ([conv(pads=[3, 0, 0, 0])], "the padding of layer 'conv1' is not smaller than its kernel"),
    ([conv(pads=[1] * 3)], "Conv has odd pads"),
    ([conv(pads=[10**9] * 4)], "Conv has odd pads"),
    ([conv(strides=[0, 1])], "Conv has windows that our layers have not"),
    ([conv(group=3)], "the weights of Conv do not fit"),
    ([conv(group=10**15)], "the weights of Conv do not fit"),
    ([conv(auto_pad="SOME")], "Conv has an unknown auto_pad"),
    ([conv(), node("Relu", ["c"], ["y"])], "the last layer of the net must be dense"),
    ([node("MaxPool", ["x"], ["c"], kernel_shape=[9, 9])], "are larger than its input"),
    ([node("MaxPool", ["x"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1])], "without padding"),
    (
        [node("MaxPool", ["x"], ["c"], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)],
        "set ceil_mode = 0",
    ),
    ([node("MaxPool", ["x"], ["c"])], "MaxPool has odd windows"),
    (
        [node("Transpose", ["x"], ["a"], perm=[0, 1, 3, 2]), node("Conv", ["a", "k"], ["c"])],
        "a map that was reordered before",
    ),
    (
        [
            node("BatchNormalization", ["x", "s", "s", "s", "s"], ["a"]),
            node("Conv", ["a", "k"], ["c"], pads=[1, 1, 1, 1]),
        ],
        "leave the shift of samples out of the net",
    ),
    (
        [
            conv(),
            node("Clip", ["c", "one", "high"], ["d"]),
            node("Conv", ["d", "k"], ["e"], pads=[1, 1, 1, 1]),
        ],
        "Clip before it must begin at 0",
    ),
    (
        [
            conv(),
            node("AveragePool", ["c"], ["d"], kernel_shape=[2, 2]),
            node("Relu", ["d"], ["e"]),
        ],
        "put the activation directly behind the layer",
    ),
]
OTHERS: dict[str, Any] = {
    "around": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
    "negative": np.array([0, 0, -1, 0, 0, 0, 0, 0]),
    "channels": np.array([0, 1, 0, 0, 0, 0, 0, 0]),
    "wide": np.array([0, 0, 998, 998, 0, 0, 998, 998]),
    "low": np.float32(0),
    "high": np.int64(6),
    "first": np.array([0]),
    "swapped": np.array([1, 0, 2, 3]),
    "b1": np.ones((1, 3), np.float32),
    "nan": np.full((6, 4), np.nan, np.float32),
    "one": np.float32(1),
    "two": np.ones(2, np.float32),
    "nought": np.float32(0),
    "byte": np.uint8(0),
    "bytes": np.zeros((6, 4), np.uint8),
    "text": np.array([["a"] * 4] * 6, object),
    "absurd": np.array([2**31, 2**31, 2**31]),
}
OTHERS["s"] = np.ones(2, np.float32)


@pytest.mark.parametrize(("nodes", "words"), CASES)
def test_nodes_without_a_layer_are_named(nodes: Any, words: str, tmp_path: Path) -> None:
    assert words in message(write(tmp_path, nodes, **OTHERS))


def test_products_over_the_steps_of_a_sequence_are_no_layer(tmp_path: Path) -> None:
    path = write(tmp_path, [node("MatMul", ["x", "w2"], ["y"])], ("n", 5, 4))
    words = message(path)
    assert "found: (4, 3) for values of shape (1, 5, 4)" in words
    assert "recurrent layers that were taken apart into products" in words


@pytest.mark.parametrize(("nodes", "words"), CASES_ON_MAPS)
def test_maps_that_our_layers_have_not(nodes: Any, words: str, tmp_path: Path) -> None:
    assert words in message(write(tmp_path, nodes, MAP, **OTHERS))


def test_a_message_says_node_operator_and_what_to_do(tmp_path: Path) -> None:
    path = write(tmp_path, [*DENSE[:2], node("Elu", ["c"], ["y"], name="act1")])
    assert message(path) == (
        "the operator Elu has no layer of ours\n"
        "  where: net.onnx, node 'act1' (Elu)\n"
        "  help:  train with Tanh, Relu or LeakyRelu instead"
    )


@pytest.mark.parametrize(
    "shape",
    [(), ("n",), ("n", "length"), ("n", 0), ("n", -6), ("n", 2**40), ("n", 2, 2, 2, 2)],
)
def test_inputs_that_samples_cannot_have(shape: Any, tmp_path: Path) -> None:
    assert "the input of the net is of a shape" in message(write(tmp_path, DENSE, shape))


def test_files_that_are_no_nets(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    assert "there is no model 'net.onnx'" in message(path)
    for content in (b"", b"PK\x03\x04 no net", b"\x00" * 1000, b"\xff" * 1000):
        path.write_bytes(content)
        message(path)
    whole = write(tmp_path, DENSE).read_bytes()
    for length in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:length])
        message(path)
    path.unlink()
    path.mkdir()
    assert "cannot be read" in message(path)


def external(folder: Path, **entries: Any) -> Path:
    """A net whose first weights lie in another file."""
    path = write(folder, DENSE)
    model = onnx.load(path)
    tensor = next(t for t in model.graph.initializer if t.name == "w")
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=str(value))
    path.write_bytes(model.SerializeToString())
    return path


def test_data_beside_the_model_are_read(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(b"1234" + REALS["w"].tobytes() + b"5")
    path = external(tmp_path, location="w.bin", offset=4, length=96)
    np.testing.assert_array_equal(read_onnx(path).weights["dense"].w, REALS["w"].T)


def test_data_outside_the_folder_are_never_read(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    secret = tmp_path / "secret"
    secret.write_bytes(REALS["w"].tobytes())
    (folder / "link").symlink_to(secret)
    (folder / "folder").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    outside = ["../secret", str(secret), "link", "folder/secret", "a/../../secret", "..\\secret"]
    for location in [*outside, "C:\\secret", "", ".", "pipe", "a\0b", "/dev/zero", "a" * 5000]:
        words = message(external(folder, location=location))
        assert "kept outside the model's folder, which is never read" in words, location


def test_data_that_are_not_all_there(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(b"x" * 95)
    for entries in (
        {"location": "w.bin"},
        {"location": "none.bin"},
        {"location": "w.bin", "offset": -4},
        {"location": "w.bin", "offset": "many"},
        {"location": "w.bin", "offset": 10**30},
        {"location": "w.bin", "length": 10**15},
    ):
        assert "the data of a tensor cannot be read" in message(external(tmp_path, **entries))


@pytest.mark.parametrize("dims", [[2**40, 2**40], [-6, -4], [6, 5], [0], [1] * 9, [2**62, 0]])
def test_tensors_of_absurd_shape(dims: list[int], tmp_path: Path) -> None:
    path = write(tmp_path, DENSE)
    model = onnx.load(path)
    tensor = next(t for t in model.graph.initializer if t.name == "w")
    tensor.ClearField("dims")
    tensor.dims.extend(dims)
    path.write_bytes(model.SerializeToString())
    message(path)


def test_too_many_nodes(tmp_path: Path) -> None:
    names = ["x", *(f"t{i}" for i in range(5000))]
    nodes = [node("Identity", [a], [b]) for a, b in itertools.pairwise(names)]
    assert "too many nodes" in message(write(tmp_path, nodes))


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
    assert [layer.name for layer in spec.model.trained] == ["dense", "dense_2"]
    assert [layer.learning_rate for layer in spec.model.trained] == [0.5, None]
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
    build_graph(spec, dataset_from_arrays(spec, np.zeros((12, 50)), y))
    with pytest.raises(DataError, match="the samples are channels first"):
        build_graph(spec, dataset_from_arrays(spec, np.zeros((12, 2, 5, 5)), y))
    with pytest.raises(SpecError, match="input_shape does not fit the samples"):
        build_graph(spec, dataset_from_arrays(spec, np.zeros((12, 5, 5)), y))
    asked = make_spec(tmp_path).model_copy(
        update={"data": spec.data.model_copy(update={"input_shape": (2, 5, 5)})}
    )
    with pytest.raises(SpecError, match="is not what the model's source reads"):
        with_source(asked)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_mutated_file_does_more_than_fail(data: Any, tmp_path: Path) -> None:
    flat = [
        node("Relu", ["c"], ["p"]),
        node("MaxPool", ["p"], ["q"], kernel_shape=[3, 3]),
        node("Flatten", ["q"], ["d"]),
        node("Gemm", ["d", "m"], ["y"]),
    ]
    shape = np.array([1, -1])
    nodes = [conv(pads=[1, 1, 1, 1]), *flat] if data.draw(st.booleans()) else DENSE
    raw = bytearray(
        write(tmp_path, nodes, MAP if nodes is not DENSE else ("n", 6), flat=shape).read_bytes()
    )
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(raw) - 1))
        kind = data.draw(st.sampled_from("set insert delete copy".split()))
        piece = data.draw(st.binary(min_size=1, max_size=9))
        if kind == "set":
            raw[at : at + len(piece)] = piece
        elif kind == "insert":
            raw[at:at] = piece
        elif kind == "delete":
            del raw[at : at + len(piece)]
        else:
            raw[at:at] = raw[at // 2 : at // 2 + 40]
        raw = raw or bytearray(1)
    path = tmp_path / "net.onnx"
    path.write_bytes(raw)
    with contextlib.suppress(TpsgdError):
        read_onnx(path)
