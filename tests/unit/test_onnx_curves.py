"""Activations that become tables come in from ONNX, however they are written, and go out again."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")

from tests.support import onnx_nets as nets  # noqa: E402
from tests.support.onnx_files import message, node, write  # noqa: E402
from tpsgd_edge.errors import SpecError  # noqa: E402
from tpsgd_edge.frontend.data import dataset_from_arrays  # noqa: E402
from tpsgd_edge.frontend.imports.onnx_net import read_onnx  # noqa: E402
from tpsgd_edge.frontend.network import build_graph  # noqa: E402
from tpsgd_edge.rule.defined import check_activations  # noqa: E402
from tpsgd_edge.spec import spec_from_dict  # noqa: E402

nn = torch.nn
CURVES = {
    "elu": lambda: nn.ELU(0.7),
    "selu": nn.SELU,
    "softplus": nn.Softplus,
    "hard_sigmoid": nn.Hardsigmoid,
    "gelu": nn.GELU,
    "gelu_tanh": lambda: nn.GELU(approximate="tanh"),
    "silu": nn.SiLU,
    "hard_swish": nn.Hardswish,
}
LEARNING = ("elu", "selu", "softplus", "hard_sigmoid")


@pytest.mark.parametrize("name", CURVES)
def test_a_net_of_torch_predicts_the_same(name: str, tmp_path: Path) -> None:
    torch.manual_seed(3)
    make = CURVES[name]
    module = nn.Sequential(
        nn.Conv2d(2, 6, 3), make(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(36, 9), make(),
        nn.Linear(9, 3),
    )  # fmt: skip
    x = (3 * np.random.default_rng(1).normal(size=(12, 2, 8, 6))).astype(np.float32)
    path = nets.save_torch(tmp_path / "net.onnx", module, torch.from_numpy(x[:1]))
    spec = nets.spec_of(path)
    conv, _, dense, last = (la for la in spec.model.layers if la.kind != "flatten")
    assert (conv.activation, dense.activation, last.activation) == (name, name, "linear")
    assert (conv.train, dense.train, last.train) == (name in LEARNING, name in LEARNING, True)
    samples = nets.channels_last(x)
    y = nets.ours(nets.graph_of(spec, samples, 3), samples)
    np.testing.assert_allclose(y, nets.runtime(path, x), rtol=1e-5, atol=1e-5)


NUMBERS = {
    name: np.float32(value)
    for name, value in {
        "one": 1, "two": 2, "three": 3, "six": 6, "zero": 0, "half": 0.5, "sixth": 1 / 6,
        "root2": np.sqrt(2), "root_half": np.sqrt(0.5), "sq": np.sqrt(2 / np.pi), "cube": 0.044715,
    }.items()
}  # fmt: skip
WAYS: dict[str, tuple[str, list[Any]]] = {
    "x times sigmoid": (
        "silu", [node("Sigmoid", ["c"], ["g"]), node("Mul", ["g", "c"], ["a"])],
    ),
    "a division by 1 + e^-x": (
        "silu",
        [
            node("Neg", ["c"], ["n"]), node("Exp", ["n"], ["e"]), node("Add", ["one", "e"], ["mm"]),
            node("Div", ["c", "mm"], ["a"]),
        ],
    ),
    "x times hard sigmoid": (
        "hard_swish",
        [node("HardSigmoid", ["c"], ["g"], alpha=1 / 6), node("Mul", ["c", "g"], ["a"])],
    ),
    "clip, then divided": (
        "hard_swish",
        [
            node("Add", ["c", "three"], ["g"]), node("Clip", ["g", "zero", "six"], ["h"]),
            node("Mul", ["c", "h"], ["mm"]), node("Div", ["mm", "six"], ["a"]),
        ],
    ),
    "divided, then multiplied": (
        "hard_swish",
        [
            node("Add", ["c", "three"], ["g"]), node("Clip", ["g", "zero", "six"], ["h"]),
            node("Mul", ["h", "sixth"], ["mm"]), node("Mul", ["c", "mm"], ["a"]),
        ],
    ),
    "erf, half at the end": (
        "gelu",
        [
            node("Div", ["c", "root2"], ["d"]), node("Erf", ["d"], ["e"]),
            node("Add", ["e", "one"], ["f"]), node("Mul", ["c", "f"], ["mm"]),
            node("Mul", ["mm", "half"], ["a"]),
        ],
    ),
    "erf, half of x first": (
        "gelu",
        [
            node("Mul", ["c", "half"], ["h"]), node("Mul", ["c", "root_half"], ["d"]),
            node("Erf", ["d"], ["e"]), node("Add", ["one", "e"], ["f"]),
            node("Mul", ["h", "f"], ["a"]),
        ],
    ),
    "tanh of a cube": (
        "gelu_tanh",
        [
            node("Pow", ["c", "three"], ["p"]), node("Mul", ["p", "cube"], ["q"]),
            node("Add", ["c", "q"], ["r"]), node("Mul", ["r", "sq"], ["t"]),
            node("Tanh", ["t"], ["u"]), node("Add", ["u", "one"], ["v"]),
            node("Mul", ["v", "half"], ["w1"]), node("Mul", ["c", "w1"], ["a"]),
        ],
    ),
    "a cube of products": (
        "gelu_tanh",
        [
            node("Mul", ["c", "c"], ["p2"]), node("Mul", ["p2", "c"], ["p"]),
            node("Mul", ["cube", "p"], ["q"]), node("Add", ["q", "c"], ["r"]),
            node("Mul", ["sq", "r"], ["t"]), node("Tanh", ["t"], ["u"]),
            node("Add", ["one", "u"], ["v"]), node("Mul", ["c", "v"], ["w1"]),
            node("Mul", ["half", "w1"], ["a"]),
        ],
    ),
}  # fmt: skip
BEFORE = [node("MatMul", ["x", "w"], ["b0"]), node("Add", ["b0", "b"], ["c"])]
LAST = [node("MatMul", ["a", "w2"], ["y"])]


@pytest.mark.parametrize("way", WAYS)
def test_an_activation_in_several_operators_is_recognized(way: str, tmp_path: Path) -> None:
    name, nodes = WAYS[way]
    path = write(tmp_path, [*BEFORE, *nodes, *LAST], **NUMBERS)
    first, _ = read_onnx(path).layers
    assert (first["activation"], first["train"]) == (name, False)
    x = np.random.default_rng(2).normal(size=(8, 6)).astype(np.float32) * 2
    spec = nets.spec_of(path)
    y = nets.ours(nets.graph_of(spec, x, 3), x)
    np.testing.assert_allclose(y, nets.runtime(path, x), rtol=1e-5, atol=1e-5)


OTHERS: dict[str, tuple[list[Any], str]] = {
    "mish": (
        [
            node("Softplus", ["c"], ["s1"]), node("Tanh", ["s1"], ["t"]),
            node("Mul", ["c", "t"], ["a"]),
        ],
        "what layer 'dense' makes is read elsewhere without it",
    ),
    "a gate that a second reader has": (
        [
            node("Sigmoid", ["c"], ["g"]), node("Mul", ["g", "c"], ["mm"]),
            node("Add", ["g", "mm"], ["a"]),
        ],
        "is read where it is Swish, HardSwish or Gelu",
    ),
    "a factor for each value": (
        [
            node("Mul", ["c", "b"], ["d"]), node("Sigmoid", ["d"], ["g"]),
            node("Mul", ["c", "g"], ["a"]),
        ],
        "is read where it is Swish, HardSwish or Gelu",
    ),
    "a square": ([node("Mul", ["c", "c"], ["a"])], "Mul reads one value 2 times"),
    "two layers": (
        [
            node("MatMul", ["c", "q4"], ["d"]), node("Sigmoid", ["d"], ["g"]),
            node("Mul", ["c", "g"], ["a"]),
        ],
        "joins values in a way that no layer of ours does",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", OTHERS)
def test_what_is_none_of_them_is_refused(case: str, tmp_path: Path) -> None:
    nodes, words = OTHERS[case]
    q4 = np.eye(4, dtype=np.float32)
    path = write(tmp_path, [*BEFORE, *nodes, *LAST], q4=q4, **NUMBERS)
    assert words in message(path)


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([node("Elu", ["c"], ["a"], alpha=99.0)], "found: alpha = 99\n"),
        ([node("Elu", ["c"], ["a"], alpha=-1.0)], "Elu has numbers that our elu cannot have"),
        ([node("Elu", ["c"], ["a"], alpha=np.nan)], "'alpha' of Elu must be a number"),
        ([node("HardSigmoid", ["c"], ["a"], beta=50.0)], "beta between -16 and 16"),
        ([node("Selu", ["c"], ["a"], alpha=1.0)], "found: alpha = 1; ours has 1.67326324"),
        ([node("Swish", ["c"], ["a"], alpha=1.702)], "ours has 1"),
    ],
)
def test_numbers_that_our_activations_have_not(nodes: Any, words: str, tmp_path: Path) -> None:
    assert words in message(write(tmp_path, [*BEFORE, *nodes, *LAST]))


def test_what_is_not_monotone_does_not_move_before_a_pool(tmp_path: Path) -> None:
    """The largest of a window before it is not the largest behind it."""
    nodes = [
        node("Conv", ["x", "k"], ["c"]), node("MaxPool", ["c"], ["p"], kernel_shape=[2, 2]),
        node("Gelu", ["p"], ["g"]), node("Flatten", ["g"], ["f"]),
        node("MatMul", ["f", "m"], ["y"]),
    ]  # fmt: skip
    m = np.ones((8, 3), np.float32)
    words = message(write(tmp_path, nodes, ("n", 2, 5, 5), m=m))
    assert "Gelu stands apart from the layer before it" in words
    assert "need not be the largest behind it" in words


@pytest.mark.parametrize("kind", ["Elu", "HardSigmoid", "Softplus"])
def test_inside_of_rnn(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    arrays = {
        "wx": rng.normal(size=(1, 5, 4)), "wr": rng.normal(size=(1, 5, 5)) / 2,
        "bb": rng.normal(size=(1, 10)), "o": rng.normal(size=(5, 3)),
    }  # fmt: skip
    settings: dict[str, Any] = {"activation_alpha": [0.6]} if kind == "Elu" else {}
    rnn = node(
        "RNN", ["x", "wx", "wr", "bb"], ["", "h"], hidden_size=5, activations=[kind], **settings
    )
    zero = np.array([0])
    nodes = [rnn, node("Squeeze", ["h", "zero_axis"], ["s1"]), node("MatMul", ["s1", "o"], ["y"])]
    constants = {name: array.astype(np.float32) for name, array in arrays.items()}
    model = nets.model_of(nodes, {**constants, "zero_axis": zero}, (6, 1, 4))
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    x = rng.normal(size=(9, 6, 4)).astype(np.float32)
    spec = nets.spec_of(path)
    y = nets.ours(nets.graph_of(spec, x, 3), x)
    expected = nets.runtime(path, x[:, :, np.newaxis], takes_samples=True)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def hidden(**settings: Any) -> dict[str, Any]:
    layers = [{"name": "fc1", "units": 4, **settings}, {"name": "fc2", "units": 2}]
    return {"name": "net", "model": {"layers": layers}, "data": {"file": "x.npz"}}


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "silu", "hard_swish"])
def test_a_layer_that_learns_says_that_it_cannot(activation: str) -> None:
    with pytest.raises(SpecError) as error:
        spec_from_dict(hidden(activation=activation))
    words = str(error.value)
    assert f"layer 'fc1' cannot learn with activation = \"{activation}\"" in words
    assert "falls before it rises: its slope does not follow from its output" in words
    assert "set train = false for this layer and give it the weights of a trained net" in words
    assert "or take elu, softplus, relu or leaky_relu: they learn" in words
    spec_from_dict(hidden(activation=activation, train=False))
    content = hidden(activation=activation, train=False)
    content["model"]["pretrain"] = {"method": "backprop"}
    with pytest.raises(SpecError, match="cannot be pre-trained with activation"):
        spec_from_dict(content)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"activation": "relu", "alpha": 1.0},
            "'alpha' goes with activation = ",
        ),
        ({"activation": "elu", "beta": 1.0}, "'beta' goes with activation = \"hard_sigmoid\""),
        ({"activation": "elu", "alpha": 17.0}, "'alpha' is out of range"),
        ({"activation": "elu", "alpha": 0.0}, "'alpha' is out of range"),
        ({"activation": "hard_sigmoid", "beta": -17.0}, "'beta' is out of range"),
        ({"activation": "swish"}, "silu"),
    ],
)
def test_settings_that_do_not_go_together(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError) as error:
        spec_from_dict(hidden(**settings))
    assert words in str(error.value)


def test_rules_are_not_compared_on_a_net_that_none_of_them_trains() -> None:
    content = hidden(activation="silu", train=False)
    spec = spec_from_dict(content)
    x, y = np.random.default_rng(1).normal(size=(20, 5)), np.arange(20) % 2
    graph = build_graph(spec, dataset_from_arrays(spec, x, y))
    with pytest.raises(SpecError, match="no rule trains layer 'fc1' with activation = \"silu\""):
        check_activations(graph)
