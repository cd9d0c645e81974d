"""The same layer in the many forms in which exporters write it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tpsgd_edge
from tests.support.resolved import resolved
from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.imports.onnx_net import read_onnx
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.quantize import quantize, quantize_inputs
from tpsgd_edge.quantize.samples import read_outputs
from tpsgd_edge.reference import Reference

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")

from tests.support import onnx_nets as nets  # noqa: E402

nn = torch.nn
node = onnx.helper.make_node
RNG = np.random.default_rng(11)
Y = np.arange(24) % 3


def real(*shape: int) -> Any:
    return RNG.normal(size=shape).astype(np.float32)


def save(folder: Path, nodes: Any, shape: Any, *, opset: int = 18, **constants: Any) -> Path:
    path = folder / "net.onnx"
    held = {name: np.asarray(array) for name, array in constants.items()}
    last = nodes[-1].output[0]
    path.write_bytes(nets.model_of(nodes, held, shape, last, opset=opset).SerializeToString())
    return path


def check(path: Path, x: Any, samples: Any | None = None) -> list[str]:
    """Compare answers; the activations of the layers come back."""
    y, graph = nets.answers(path, x if samples is None else samples, Y)
    expected = nets.runtime(path, x)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    return [layer.activation for layer in graph.weighted]


def bounded(*ops: tuple[str, ...]) -> Any:
    """A dense layer, these operators behind it, and another dense layer."""
    nodes, name = [node("MatMul", ["x", "w"], ["a0"])], "a0"
    for index, (op, *constants) in enumerate(ops, 1):
        inputs = [name if part == "_" else part for part in constants]
        name = f"a{index}"
        nodes.append(node(op, inputs, [name]))
    return [*nodes, node("MatMul", [name, "v"], ["y"])]


LIMITS = {"zero": 0.0, "one": 1.0, "six": 6.0, "less": -1.0, "half": 0.5, "low": -0.5}
BOUNDS = {
    "relu": ([("Max", "_", "zero")], "relu"),
    "relu, constant first": ([("Max", "zero", "_")], "relu"),
    "relu6": ([("Max", "_", "zero"), ("Min", "_", "six")], "relu6"),
    "relu6, from above": ([("Min", "_", "six"), ("Max", "_", "zero")], "relu6"),
    "relu6 of Relu": ([("Relu", "_"), ("Min", "six", "_")], "relu6"),
    "hard tanh": ([("Max", "less", "_"), ("Min", "_", "one")], "hard_tanh"),
    "between other bounds": ([("Min", "_", "half"), ("Max", "_", "low")], "hard_tanh"),
    "bounds that meet others": (
        [("Max", "_", "less"), ("Max", "_", "zero"), ("Min", "_", "half"), ("Min", "_", "six")],
        "relu6",
    ),
    "from another bound upwards": ([("Max", "_", "half")], "relu"),
    "up to a bound": ([("Min", "_", "half")], "relu"),
    "up to a bound below zero": ([("Min", "_", "low")], "relu"),
    "a move between": ([("Max", "_", "zero"), ("Identity", "_"), ("Min", "_", "six")], "relu6"),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_max_and_min_are_activations(name: str, tmp_path: Path) -> None:
    ops, activation = BOUNDS[name]
    limits = {key: np.float32(value) for key, value in LIMITS.items()}
    # Large values, so that bounds are reached.
    path = save(tmp_path, bounded(*ops), ("n", 6), w=4 * real(6, 7), v=real(7, 3), **limits)
    assert check(path, real(24, 6)) == [activation, "linear"]


def test_max_and_min_that_are_none(tmp_path: Path) -> None:
    for ops, words in (
        ([("Max", "_", "b")], "Max is no activation of ours"),
        ([("Max", "_", "one"), ("Min", "_", "one")], "MatMul has no activation of ours"),
        ([("Max", "_", "a0")], "Max reads one value 2 times"),
    ):
        constants = {"w": real(6, 7), "v": real(7, 3), "b": real(7), "one": np.float32(1)}
        path = save(tmp_path, bounded(*ops), ("n", 6), **constants)
        with pytest.raises(DataError, match=words):
            read_onnx(path)


def test_bounds_at_the_end_of_a_net(tmp_path: Path) -> None:
    nodes = [node("MatMul", ["x", "w"], ["a"]), node("Max", ["a", "zero"], ["y"])]
    path = save(tmp_path, nodes, ("n", 6), w=real(6, 3), zero=np.float32(0))
    assert read_onnx(path).layers[-1]["activation"] == "relu"


POOLS = {
    "ReduceMax of rows and columns": ("ReduceMax", [2, 3], 1),
    "ReduceMax without axes that stay": ("ReduceMax", [-1, -2], 0),
    "ReduceMean": ("ReduceMean", [3, 2], 1),
    "ReduceMean without": ("ReduceMean", [2, 3], 0),
}


@pytest.mark.parametrize("opset", [13, 18])
@pytest.mark.parametrize("is_turned", [False, True])
@pytest.mark.parametrize("name", POOLS)
def test_reductions_over_the_whole_map_are_pools(
    name: str,
    opset: int,
    is_turned: bool,  # noqa: FBT001
    tmp_path: Path,
) -> None:
    op, axes, keeps = POOLS[name]
    nodes, shown = [node("Conv", ["x", "k"], ["a"]), node("Relu", ["a"], ["r"])], "r"
    if is_turned:  # channels last, as Keras writes it
        nodes.append(node("Transpose", ["r"], ["t"], perm=[0, 2, 3, 1]))
        shown, axes = "t", [1, 2]
    if opset < 18:
        nodes.append(node(op, [shown], ["m"], axes=axes, keepdims=keeps))
    else:
        nodes.append(node(op, [shown, "axes"], ["m"], keepdims=keeps))
    nodes += [node("Flatten", ["m"], ["f"]), node("MatMul", ["f", "v"], ["y"])]
    constants = {"k": real(4, 2, 3, 3), "v": real(4, 3)}
    if opset >= 18:
        constants["axes"] = np.array(axes)
    path = save(tmp_path, nodes, ("n", 2, 7, 6), opset=opset, **constants)
    x = real(24, 2, 7, 6)
    check(path, x, np.moveaxis(x, 1, -1))


@pytest.mark.parametrize("axes", [[1], [0, 2, 3], [1, 2, 3], [2]])
def test_reductions_that_are_none(axes: list[int], tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "k"], ["a"]),
        node("ReduceMax", ["a", "axes"], ["m"], keepdims=0),
        node("MatMul", ["m", "v"], ["y"]),
    ]
    constants = {"k": real(4, 2, 3, 3), "v": real(4, 3), "axes": np.array(axes)}
    with pytest.raises(DataError, match="ReduceMax is no global pooling"):
        read_onnx(save(tmp_path, nodes, ("n", 2, 7, 6), **constants))


WITHOUT_BATCH: dict[str, Any] = {
    "a vector, then Reshape": ([node("Reshape", ["x", "row"], ["f"])], (6,), 6),
    "a vector, then Unsqueeze": ([node("Unsqueeze", ["x", "zero"], ["f"])], (6,), 6),
    "an image, then Reshape": ([node("Reshape", ["x", "row"], ["f"])], (3, 4), 12),
    "an image, then Flatten": ([node("Flatten", ["x"], ["f"], axis=0)], (2, 3, 4), 24),
    "a vector as it is": ([node("Identity", ["x"], ["f"])], (6,), 6),
}


@pytest.mark.parametrize("name", WITHOUT_BATCH)
@pytest.mark.parametrize("is_computed", [False, True])
def test_nets_that_take_one_sample(name: str, is_computed: bool, tmp_path: Path) -> None:  # noqa: FBT001
    first, shape, count = WITHOUT_BATCH[name]
    constants = {"row": np.array([1, count]), "zero": np.array([0]), "w": real(count, 3)}
    nodes = [*first, node("MatMul", ["f", "w"], ["y"])]
    if is_computed:
        held = ("row", "zero")
        values = {n: onnx.numpy_helper.from_array(constants.pop(n)) for n in held}
        nodes = [*(node("Constant", [], [n], value=v) for n, v in values.items()), *nodes]
    path, x = save(tmp_path, nodes, shape, **constants), real(24, *shape)
    y, _ = nets.answers(path, x, Y)
    expected = nets.runtime(path, x, takes_samples=True)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_images_without_a_batch(tmp_path: Path) -> None:
    nodes = [
        node("Unsqueeze", ["x", "zero"], ["i"]),
        node("Conv", ["i", "k"], ["c"]),
        node("Flatten", ["c"], ["f"]),
        node("MatMul", ["f", "v"], ["y"]),
    ]
    constants = {"k": real(4, 3, 3, 3), "v": real(4 * 4 * 3, 3), "zero": np.array([0])}
    path, x = save(tmp_path, nodes, (3, 6, 5), **constants), real(24, 3, 6, 5)
    y, _ = nets.answers(path, np.moveaxis(x, 1, -1), Y)
    expected = nets.runtime(path, x, takes_samples=True)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_a_first_length_that_counts_samples_stays_that(tmp_path: Path) -> None:
    nodes = [node("Reshape", ["x", "row"], ["f"]), node("MatMul", ["f", "w"], ["y"])]
    path = save(tmp_path, nodes, (8, 2, 3), row=np.array([8, 6]), w=real(6, 3))
    assert read_onnx(path).input_lengths == (2, 3)


def two_class_net(folder: Path) -> tuple[Path, Any]:
    torch.manual_seed(6)
    module = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 1), nn.Sigmoid())
    return nets.save_torch(folder / "net.onnx", module, torch.zeros(1, 5)), real(24, 5)


@pytest.mark.parametrize("kind", ["i8", "f4", "bool", "names"])
def test_one_sigmoid_unit_tells_two_classes_apart(kind: str, tmp_path: Path) -> None:
    path, x = two_class_net(tmp_path)
    p = nets.runtime(path, x)[:, 0]
    labels = (p > np.median(p)).astype(int)
    y = np.array(["no", "yes"])[labels] if kind == "names" else labels.astype(kind)
    np.savez(tmp_path / "x.npz", x=x, y=y)
    task = {"task": "classification"} if kind in ("f4", "bool") else {}
    answers, graph = nets.answers(path, x, labels, **task)
    assert [layer.n_out for layer in graph.layers] == [7, 2]
    np.testing.assert_allclose(nets.softmax(answers)[:, 1], p, rtol=1e-5, atol=1e-6)


def test_one_sigmoid_unit_stays_one_for_values(tmp_path: Path) -> None:
    path, x = two_class_net(tmp_path)
    values = np.linspace(0.1, 0.9, 24).reshape(-1, 1)
    np.savez(tmp_path / "x.npz", x=x, y=values)
    answers, graph = nets.answers(path, x, values)
    assert [layer.n_out for layer in graph.layers] == [7, 1]
    np.testing.assert_allclose(answers, nets.runtime(path, x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("activation", [nn.Sigmoid(), nn.Tanh(), nn.ReLU()], ids=str)
def test_values_of_a_bounded_unit_are_in_the_units_of_the_labels(
    activation: Any, tmp_path: Path
) -> None:
    torch.manual_seed(6)
    module = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 2), activation)
    path, x = nets.save_torch(tmp_path / "net.onnx", module, torch.zeros(1, 5)), real(24, 5)
    expected = nets.runtime(path, x)
    # Labels of some other range, as real ones have.
    labels = 0.3 + 0.1 * RNG.random((24, 2))
    spec, dataset = resolved(nets.spec_of(path), x, labels, x, labels)
    model = quantize(spec, build_graph(spec, dataset), dataset)
    reference = Reference(model)
    outputs = [reference.output(row) for row in quantize_inputs(model, dataset.x_test)]
    np.testing.assert_allclose(read_outputs(model, outputs), expected, atol=0.02)


@pytest.mark.parametrize(
    ("ending", "half"),
    [
        ([node("Greater", ["p", "half"], ["y"])], 0.5),
        ([node("Round", ["p"], ["y"])], 0.5),
        ([node("Sub", ["one", "p"], ["q"]), node("Concat", ["q", "p"], ["y"], axis=1)], 0.5),
        ([node("Sub", ["one", "p"], ["q"]), node("Concat", ["p", "q"], ["y"], axis=-1)], -0.5),
    ],
)
def test_ends_of_one_unit(ending: Any, half: float, tmp_path: Path) -> None:
    w = real(5, 1)
    nodes = [node("MatMul", ["x", "w"], ["z"]), node("Sigmoid", ["z"], ["p"]), *ending]
    path = save(tmp_path, nodes, ("n", 5), w=w, half=np.float32(0.5), one=np.float32(1))
    net = read_onnx(path)
    assert (net.layers[-1]["units"], net.layers[-1]["activation"]) == (2, "linear")
    np.testing.assert_allclose(
        next(iter(net.weights.values())).w, [-half * w[:, 0], half * w[:, 0]]
    )


@pytest.mark.parametrize(
    "ending",
    [
        [node("Greater", ["p", "third"], ["y"])],
        [node("Sub", ["third", "p"], ["q"]), node("Concat", ["q", "p"], ["y"], axis=1)],
    ],
)
def test_ends_of_one_unit_that_are_none(ending: Any, tmp_path: Path) -> None:
    nodes = [node("MatMul", ["x", "w"], ["z"]), node("Sigmoid", ["z"], ["p"]), *ending]
    with pytest.raises(DataError):
        read_onnx(save(tmp_path, nodes, ("n", 5), w=real(5, 1), third=np.float32(0.3)))


def test_a_torch_net_that_flattens_images_reads_them_channels_last() -> None:
    torch.manual_seed(2)
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 5, 3))
    net = tpsgd_edge.from_torch(module, torch.zeros(1, 3, 4, 5))
    assert net.input_shape == (4, 5, 3)
    x = real(6, 3, 4, 5)
    with torch.no_grad():
        expected = module(torch.from_numpy(x)).numpy()
    (weights,) = net.weights.values()
    y = np.moveaxis(x, 1, -1).reshape(6, -1) @ weights.w.T + weights.b
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_a_torch_net_that_shifts_its_samples_goes_by_way_of_a_file() -> None:
    class Shifting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.out = nn.Conv2d(1, 2, 3, padding=1), nn.Linear(50, 3)

        def forward(self, x: Any) -> Any:
            return self.out(torch.flatten(torch.relu(self.conv(x - 0.5)), 1))

    with pytest.raises(DataError, match="name that file as the model's source"):
        tpsgd_edge.from_torch(Shifting(), torch.zeros(1, 1, 5, 5))


def test_a_recurrent_layer_that_was_taken_apart_comes_with_advice(tmp_path: Path) -> None:
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        node("MatMul", ["t", "w"], ["y"]),
    ]
    with pytest.raises(DataError, match=r"torch\.onnx\.export\(\.\.\., dynamo=False\)"):
        read_onnx(save(tmp_path, nodes, ("n", 6, 4), w=real(4, 8)))
