"""ONNX files that cannot become a chain of layers: an error in words."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.onnx_files import DENSE, MAP, conv, message, node, write


def pad(x: str = "x", pads: str = "around", **attributes: Any) -> Any:
    return node("Pad", [x, pads], ["p"], **attributes)


PADDED = [node("Conv", ["p", "k"], ["c"])]
WHOLE = node("QuantizeLinear", ["x", "one", "byte"], ["q"])
QUANTIZED = ["e", "one", "byte"]
CASES = [
    ([node("Mish", ["x"], ["y"])], "the operator Mish has no layer of ours"),
    ([node("LeakyRelu", ["x"], ["y"])], "LeakyRelu has no layer that could take it in"),
    ([*DENSE[:2], node("LeakyRelu", ["c"], ["y"], alpha=-0.5)], "found: -0.5 below zero"),
    ([*DENSE[:2], node("LeakyRelu", ["c"], ["y"], alpha=1e-6)], "0 is Relu"),
    ([*DENSE[:2], node("LeakyRelu", ["c"], ["y"], alpha=np.nan)], "'alpha' of LeakyRelu must be"),
    ([*DENSE[:2], node("PRelu", ["c", "b"], ["y"])], "PRelu has a slope for each channel"),
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
    ([*DENSE[:3], node("MatMul", ["c", "w2"], ["y"])], "is read elsewhere without it"),
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
    ([node("Clip", ["x", "top", "low"], ["y"])], "Clip has no activation of ours"),
    ([node("Clip", ["x", "low", "top"], ["y"])], "nothing with weights before it"),
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
COUNTED = {"kernel_shape": [2, 2], "pads": [1] * 4, "ceil_mode": 1, "count_include_pad": 1}
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
    ([conv(dilations=[2, 0])], "Conv has odd dilations"),
    ([conv(pads=[3, 0, 0, 0])], "the padding of layer 'conv1' is not smaller than its kernel"),
    ([conv(pads=[1] * 3)], "Conv has odd pads"),
    ([conv(pads=[10**9] * 4)], "Conv has odd pads"),
    ([conv(strides=[0, 1])], "Conv has windows that our layers have not"),
    ([conv(group=3)], "the weights of Conv do not fit"),
    ([conv(group=10**15)], "the weights of Conv do not fit"),
    ([conv(auto_pad="SOME")], "Conv has an unknown auto_pad"),
    ([conv(), node("Relu", ["c"], ["y"])], "the last layer of the net must be dense"),
    ([node("MaxPool", ["x"], ["c"], kernel_shape=[9, 9])], "are larger than its input"),
    ([node("MaxPool", ["x"], ["c"], kernel_shape=[2, 2], pads=[2, 0, 0, 0])], "not smaller than"),
    (
        [node("AveragePool", ["x"], ["c"], **COUNTED)],
        "AveragePool counts some of what lies outside of its map",
    ),
    ([node("MaxPool", ["x"], ["c"])], "MaxPool has odd windows"),
    (
        [
            conv(),
            node("Transpose", ["c"], ["a"], perm=[0, 1, 3, 2]),
            node("Conv", ["a", "k"], ["y"]),
        ],
        "a map that was reordered before",
    ),
    (
        [
            node("BatchNormalization", ["x", "minus", "s", "s", "s"], ["a"]),
            node("Conv", ["a", "k"], ["c"], pads=[1, 1, 1, 1]),
        ],
        "leave the shift of samples out of the net",
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
    "top": np.float32(6),
    "first": np.array([0]),
    "swapped": np.array([1, 0, 2, 3]),
    "b1": np.ones((1, 3), np.float32),
    "nan": np.full((6, 4), np.nan, np.float32),
    "one": np.float32(1),
    "minus": -np.ones(2, np.float32),
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
    path = write(tmp_path, [*DENSE[:2], node("ThresholdedRelu", ["c"], ["y"], name="act1")])
    assert message(path) == (
        "the operator ThresholdedRelu has no layer of ours\n"
        "  where: net.onnx, node 'act1' (ThresholdedRelu)\n"
        "  help:  train with Relu or LeakyRelu instead"
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
