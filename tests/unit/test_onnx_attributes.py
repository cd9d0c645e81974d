"""Attributes: heeded, or refused in words; never passed over."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.imports.call import Attributes
from tpsgd_edge.frontend.imports.onnx_net import read_onnx

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")

from tests.support import onnx_nets as nets  # noqa: E402

node = onnx.helper.make_node
RNG = np.random.default_rng(6)
Y = np.arange(18) % 3


def real(*shape: int) -> Any:
    return RNG.normal(size=shape).astype(np.float32)


CONSTANTS = {
    "w": real(6, 4),
    "v": real(4, 3),
    "b": real(4),
    "k": real(2, 2, 3, 3),
    "m": real(18, 3),
    "two": np.abs(real(2)) + 1,
    "one": np.float32(1),
    "low": np.float32(0),
    "high": np.float32(6),
    "byte": np.uint8(0),
    "axes": np.array([2, 3]),
    "rr": real(1, 4, 6),
    "rs": real(1, 4, 4),
    "gr": real(1, 12, 6),
    "gs": real(1, 12, 4),
    "lr": real(1, 16, 6),
    "ls": real(1, 16, 4),
    "row": np.array([1, -1]),
}
CONSTANTS = {name: np.asarray(array) for name, array in CONSTANTS.items()}
ENDING = [node("MatMul", ["h", "v"], ["y"])]
FLAT = [node("Flatten", ["c"], ["f"]), node("MatMul", ["f", "m"], ["y"])]
MAPS, ROWS, STEPS = ("n", 2, 5, 5), ("n", 6), (3, "n", 6)
DENSE = node("MatMul", ["x", "w"], ["a"])
CONV = node("Conv", ["x", "k"], ["a"])
SCALE = node("DequantizeLinear", ["bytes", "one"], ["real"])
WIDEN = node("Unsqueeze", ["a", "last"], ["u"])
LAST = node("MatMul", ["h", "v2"], ["y"])
NORMALIZE = node("BatchNormalization", ["a", *["two"] * 4], ["c"])


def behind(op: Any) -> Any:
    return [DENSE, op, *ENDING]


def on_map(*ops: Any) -> Any:
    return [*ops, *FLAT]


# A net around each operator that we read, named h or c.
AROUND: dict[str, Any] = {
    "Gemm": ([node("Gemm", ["x", "w", "b"], ["h"]), *ENDING], ROWS),
    "MatMul": ([node("MatMul", ["x", "w"], ["h"]), *ENDING], ROWS),
    "Relu": (behind(node("Relu", ["a"], ["h"])), ROWS),
    "Tanh": (behind(node("Tanh", ["a"], ["h"])), ROWS),
    "Sigmoid": (behind(node("Sigmoid", ["a"], ["h"])), ROWS),
    "LeakyRelu": (behind(node("LeakyRelu", ["a"], ["h"], alpha=0.1)), ROWS),
    "PRelu": (behind(node("PRelu", ["a", "slope"], ["h"])), ROWS),
    "Clip": (behind(node("Clip", ["a", "low", "high"], ["h"])), ROWS),
    "Max": (behind(node("Max", ["a", "low"], ["h"])), ROWS),
    "Neg": (behind(node("Neg", ["a"], ["h"])), ROWS),
    "Add": (behind(node("Add", ["a", "b"], ["h"])), ROWS),
    "Mul": (behind(node("Mul", ["a", "b"], ["h"])), ROWS),
    "Identity": (behind(node("Identity", ["a"], ["h"])), ROWS),
    "Dropout": (behind(node("Dropout", ["a"], ["h"])), ROWS),
    "Cast": (behind(node("Cast", ["a"], ["h"], to=1)), ROWS),
    "Reshape": (behind(node("Reshape", ["a", "row"], ["h"])), ROWS),
    "Flatten": (behind(node("Flatten", ["a"], ["h"])), ROWS),
    "Softmax": ([*behind(node("Relu", ["a"], ["h"])), node("Softmax", ["y"], ["z"])], ROWS),
    "ArgMax": ([*behind(node("Relu", ["a"], ["h"])), node("ArgMax", ["y"], ["z"], axis=1)], ROWS),
    "Conv": (on_map(node("Conv", ["x", "k"], ["c"])), MAPS),
    "MaxPool": (on_map(CONV, node("MaxPool", ["a"], ["c"], kernel_shape=[1, 1])), MAPS),
    "AveragePool": (on_map(CONV, node("AveragePool", ["a"], ["c"], kernel_shape=[1, 1])), MAPS),
    "BatchNormalization": (
        on_map(CONV, node("BatchNormalization", ["a", *["two"] * 4], ["c"])),
        MAPS,
    ),
    "Transpose": (
        on_map(
            CONV,
            node("Transpose", ["a"], ["t"], perm=[0, 2, 3, 1]),
            node("Transpose", ["t"], ["c"], perm=[0, 3, 1, 2], name="last"),
        ),
        MAPS,
    ),
    "Pad": (on_map(node("Pad", ["x", "none"], ["p"]), node("Conv", ["p", "k"], ["c"])), MAPS),
    "QuantizeLinear": (
        on_map(
            CONV,
            node("QuantizeLinear", ["a", "one", "byte"], ["q"]),
            node("DequantizeLinear", ["q", "one", "byte"], ["c"]),
        ),
        MAPS,
    ),
    "DequantizeLinear": ([SCALE, node("MatMul", ["x", "real"], ["h"]), *ENDING], ROWS),
    "Gather": (behind(node("Gather", ["a", "all"], ["h"], axis=1)), ROWS),
    "Squeeze": ([DENSE, WIDEN, node("Squeeze", ["u", "last"], ["h"]), *ENDING], ROWS),
    "Slice": (behind(node("Slice", ["a", "start", "end"], ["h"])), ROWS),
    "Min": (behind(node("Min", ["a", "high"], ["h"])), ROWS),
    "Sub": (behind(node("Sub", ["a", "b"], ["h"])), ROWS),
    "Div": (behind(node("Div", ["a", "b"], ["h"])), ROWS),
    "LogSoftmax": ([*behind(node("Relu", ["a"], ["h"])), node("LogSoftmax", ["y"], ["z"])], ROWS),
    "GlobalMaxPool": (
        [CONV, node("GlobalMaxPool", ["a"], ["g"]), node("Flatten", ["g"], ["h"]), LAST],
        MAPS,
    ),
    "ReduceMax": ([CONV, node("ReduceMax", ["a", "axes"], ["h"], keepdims=0), LAST], MAPS),
    "GlobalAveragePool": (
        [CONV, node("GlobalAveragePool", ["a"], ["g"]), node("Flatten", ["g"], ["h"]), LAST],
        MAPS,
    ),
    "ReduceMean": (
        [CONV, node("ReduceMean", ["a", "axes"], ["h"], keepdims=0), LAST],
        MAPS,
    ),
    "RNN": ([node("RNN", ["x", "rr", "rs"], ["", "s"], hidden_size=4)], STEPS),
    "GRU": ([node("GRU", ["x", "gr", "gs"], ["", "s"], hidden_size=4)], STEPS),
    "LSTM": ([node("LSTM", ["x", "lr", "ls"], ["", "s"], hidden_size=4)], STEPS),
}
LAST_STATE = [node("Squeeze", ["s", "first"], ["h"]), *ENDING]
MORE = {"slope": np.full(1, 0.2, np.float32), "none": np.zeros(8, np.int64)}
MORE |= {"bytes": np.ones((6, 4), np.int8), "all": np.arange(4), "last": np.array([2])}
MORE |= {"start": np.zeros(2, np.int64), "end": np.full(2, 99)}
MORE |= {"v2": real(2, 3), "first": np.zeros(1, np.int64)}


def save(folder: Path, nodes: Any, shape: Any, opset: int = 18, **more: Any) -> Path:
    path = folder / "net.onnx"
    names = {name for one in nodes for name in one.input}
    known = {**CONSTANTS, **MORE, **more}
    constants = {name: known[name] for name in names if name in known}
    last = nodes[-1].output[0]
    model = nets.model_of(nodes, constants, shape, last, opset=opset)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("op", AROUND)
def test_an_attribute_that_nobody_knows_is_named(op: str, tmp_path: Path) -> None:
    nodes, shape = AROUND[op]
    nodes = [*nodes, *(LAST_STATE if op in ("RNN", "GRU", "LSTM") else [])]
    read_onnx(save(tmp_path, nodes, shape))
    for index, one in enumerate(nodes):
        if one.op_type != op:
            continue
        changed = onnx.NodeProto()
        changed.CopyFrom(one)
        changed.attribute.append(onnx.helper.make_attribute("mystery", 7))
        others = [*nodes[:index], changed, *nodes[index + 1 :]]
        with pytest.raises(DataError) as error:
            read_onnx(save(tmp_path, others, shape))
        assert f"{op} has an attribute that is not known here: 'mystery'" in str(error.value)
        assert "found: mystery = 7, opset 18" in str(error.value)


@pytest.mark.parametrize("opset", [18, 21])
@pytest.mark.parametrize("op", AROUND)
def test_attributes_that_say_what_holds_anyway_are_heeded(
    op: str, opset: int, tmp_path: Path
) -> None:
    # Some exporters write every attribute, with its default.
    schema = onnx.defs.get_schema(op, opset)
    nodes, shape = AROUND[op]
    nodes = [*nodes, *(LAST_STATE if op in ("RNN", "GRU", "LSTM") else [])]
    full = []
    for one in nodes:
        changed = onnx.NodeProto()
        changed.CopyFrom(one)
        said = {attribute.name for attribute in one.attribute}
        if one.op_type == op:
            changed.attribute.extend(
                attribute.default_value
                for name, attribute in schema.attributes.items()
                if attribute.default_value.name and name not in said
            )
        full.append(changed)
    plain = read_onnx(save(tmp_path, nodes, shape, opset=opset))
    net = read_onnx(save(tmp_path, full, shape, opset=opset))
    assert net.layers == plain.layers
    for name, weights in plain.weights.items():
        np.testing.assert_allclose(net.weights[name].w, weights.w, rtol=1e-6)


def test_what_was_looked_at_is_remembered_through_changes() -> None:
    attributes = Attributes({"a": 1, "b": 2, "c": ()})
    changed = attributes.changed(lambda name, value: value)
    assert changed["a"] == 1
    assert "b" in changed
    assert "z" not in changed
    assert attributes.unseen == ("c",)


def check(path: Path, expected: Any, x: Any) -> None:
    y, _ = nets.answers(path, x, Y)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


def test_constants_lie_from_the_axis_that_old_files_name(tmp_path: Path) -> None:
    x = real(18, 2, 5, 5)
    b = CONSTANTS["two"]
    attributes = {"axis": 1, "broadcast": 1}
    for op in ("Add", "Sub", "Mul", "Div"):
        old = [CONV, node(op, ["a", "two"], ["c"], **attributes), *FLAT]
        new = [CONV, node(op, ["a", "wide"], ["c"]), *FLAT]
        wide = b.reshape(2, 1, 1)
        expected = nets.runtime(save(tmp_path, new, MAPS, wide=wide), x)
        check(save(tmp_path, old, MAPS, opset=6), expected, np.moveaxis(x, 1, -1))
        # Without the axis they would lie along the columns, which are not as many.
        old = [CONV, node(op, ["a", "two"], ["c"], broadcast=1), *FLAT]
        with pytest.raises(DataError, match="constants that do not fit"):
            read_onnx(save(tmp_path, old, MAPS, opset=6))
        # Newer operators have no such attribute.
        path = save(tmp_path, [CONV, node(op, ["a", "two"], ["c"], **attributes), *FLAT], MAPS)
        with pytest.raises(DataError, match="constants that do not fit"):
            read_onnx(path)


BATCH_NORM = ["a", "two", "two", "two", "two"]


@pytest.mark.parametrize(
    ("op", "opset", "attributes", "words"),
    [
        ("BatchNormalization", 6, {}, "training mode"),
        ("BatchNormalization", 6, {"is_test": 0}, "training mode"),
        ("BatchNormalization", 6, {"is_test": 1}, None),
        ("BatchNormalization", 8, {"spatial": 0}, "spatial = 0"),
        ("BatchNormalization", 8, {"spatial": 1, "momentum": 0.5}, None),
        ("BatchNormalization", 14, {"training_mode": 1}, "training mode"),
        ("Dropout", 6, {}, "Dropout is still in training mode"),
        ("Dropout", 6, {"is_test": 1, "ratio": 0.3}, None),
        ("Dropout", 7, {"ratio": 0.3}, None),
        ("Relu", 1, {"consumed_inputs": [0]}, None),
        ("Cast", 1, {"to": "FLOAT"}, None),
        ("Cast", 1, {"to": "INT64"}, "Cast makes whole numbers of values"),
        ("Conv", 9, {"kernel_shape": [5, 5]}, "says another window than its weights have"),
    ],
)
def test_attributes_of_old_operators(
    op: str, opset: int, attributes: Any, words: str | None, tmp_path: Path
) -> None:
    inputs = BATCH_NORM if op == "BatchNormalization" else ["x", "k"] if op == "Conv" else ["a"]
    middle = [node(op, inputs, ["c"], **attributes)]
    path = save(tmp_path, [*([] if op == "Conv" else [CONV]), *middle, *FLAT], MAPS, opset=opset)
    if words is None:
        read_onnx(path)
        return
    with pytest.raises(DataError) as error:
        read_onnx(path)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("opset", "axis", "is_good"),
    [
        (11, None, True),
        (11, 1, True),
        (11, -1, False),
        (11, 0, True),
        (13, None, False),
        (13, 1, True),
    ],
)
def test_softmax_of_a_map_of_one_place(
    opset: int,
    axis: int | None,
    is_good: bool,  # noqa: FBT001
    tmp_path: Path,
) -> None:
    # Behind a global pool values are (1, n, 1, 1): over which axis does softmax go?
    nodes = [
        CONV,
        node("GlobalAveragePool", ["a"], ["g"]),
        node("Conv", ["g", "kk"], ["z"]),
        node("Softmax", ["z"], ["p"], **({} if axis is None else {"axis": axis})),
    ]
    path, x = save(tmp_path, nodes, MAPS, opset=opset, kk=real(3, 2, 1, 1)), real(18, 2, 5, 5)
    if not is_good:
        with pytest.raises(DataError, match="Softmax reads no vector"):
            read_onnx(path)
        return
    y, _ = nets.answers(path, np.moveaxis(x, 1, -1), Y)
    np.testing.assert_allclose(nets.softmax(y), nets.runtime(path, x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (node("ArgMax", ["y"], ["z"], axis=1, select_last_index=1), "the last of even values"),
        (node("ArgMax", ["y"], ["z"], axis=0), "ArgMax reads no vector"),
        (node("TopK", ["y", "one"], ["z", "zi"], largest=0), "the smallest values"),
    ],
)
def test_ends_that_answer_something_else(end: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=words):
        read_onnx(save(tmp_path, [*behind(node("Relu", ["a"], ["h"])), end], ROWS))
