"""Samples in every shape in which a net of another tool can meet them (docs/LAYOUT.md)."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.spec import spec_from_dict

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")

from tests.support import onnx_nets as nets  # noqa: E402

node = onnx.helper.make_node
RNG = np.random.default_rng(5)
Y = np.arange(24) % 3
HEIGHT, WIDTH, CHANNELS = 7, 6, 2


def real(*shape: int) -> Any:
    return RNG.normal(size=shape).astype(np.float32)


def numbers(*values: int) -> Any:
    return np.array(values, np.int64)


def save(folder: Path, nodes: Any, shape: Any, **constants: Any) -> Path:
    """A net with input x and output y."""
    path = folder / "net.onnx"
    path.write_bytes(nets.model_of(nodes, constants, shape).SerializeToString())
    return path


def ending(values: int, name: str = "c") -> Any:
    """Relu, Flatten and a dense layer behind `name`."""
    nodes = [
        node("Relu", [name], ["r"]),
        node("Flatten", ["r"], ["f"]),
        node("MatMul", ["f", "v"], ["y"]),
    ]
    return nodes, {"v": real(values, 3)}


def conv_net(folder: Path, *, first: bool) -> Path:
    """A convolution of images that come channels first, or last with a Transpose before it."""
    tail, constants = ending(4 * 5 * 4)
    turn = [] if first else [node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2])]
    nodes = [*turn, node("Conv", ["x" if first else "t", "w"], ["c"]), *tail]
    shape = (CHANNELS, HEIGHT, WIDTH) if first else (HEIGHT, WIDTH, CHANNELS)
    constants["w"] = real(4, CHANNELS, 4, 2)
    return save(folder, nodes, ("n", *shape), **constants)


def check(path: Path, own: Any, samples: Any, **data: Any) -> None:
    """Our answers for `samples` are the runtime's for `own`, the same as the net has them."""
    y, _ = nets.answers(path, samples, Y[: len(samples)], **data)
    np.testing.assert_allclose(y, nets.runtime(path, own), rtol=1e-5, atol=1e-5)


def images() -> Any:
    return real(24, HEIGHT, WIDTH, CHANNELS)


def as_first(x: Any) -> Any:
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


@pytest.mark.parametrize("first", [True, False])
def test_images_are_known_by_their_shape(first: bool, tmp_path: Path) -> None:  # noqa: FBT001
    path, x = conv_net(tmp_path, first=first), images()
    own = as_first(x) if first else x
    check(path, own, x)
    check(path, own, as_first(x))
    check(path, own, x, layout="channels_last")
    check(path, own, as_first(x), layout="channels_first")


@pytest.mark.parametrize("first", [True, False])
def test_flat_rows_of_images_lie_as_is_said(first: bool, tmp_path: Path) -> None:  # noqa: FBT001
    path, x = conv_net(tmp_path, first=first), images()
    own = as_first(x) if first else x
    check(path, own, x.reshape(24, -1), layout="channels_last")
    check(path, own, as_first(x).reshape(24, -1), layout="channels_first")
    if not first:  # the net's own order is the one there is
        check(path, own, x.reshape(24, -1))
        return
    with pytest.raises(DataError) as error:
        check(path, own, x.reshape(24, -1))
    assert str(error.value) == (
        "it is not clear how the values of a sample lie\n"
        "  where: arrays x, y; [data], layout\n"
        "  found: samples of 84; maps of 7 x 6 x 2, height x width x channels, could lie in them "
        "channels first or last\n"
        '  help:  say it: layout = "channels_first" (as PyTorch has images) or "channels_last" '
        "(as Keras has them)"
    )


def test_cubes_say_nothing(tmp_path: Path) -> None:
    tail, constants = ending(3 * 3 * 4)
    constants["w"] = real(4, 5, 3, 3)
    path = save(tmp_path, [node("Conv", ["x", "w"], ["c"]), *tail], ("n", 5, 5, 5), **constants)
    x = real(24, 5, 5, 5)
    with pytest.raises(DataError, match="it is not clear how"):
        check(path, as_first(x), x)
    check(path, as_first(x), x, layout="channels_last")
    check(path, x, x, layout="channels_first")


def test_samples_that_are_not_as_is_said(tmp_path: Path) -> None:
    path, x = conv_net(tmp_path, first=True), images()
    for samples, layout in ((x, "channels_first"), (as_first(x), "channels_last")):
        with pytest.raises(DataError, match="the samples are not channels"):
            check(path, as_first(x), samples, layout=layout)
    for samples in (x.swapaxes(1, 2), x.reshape(24, HEIGHT, -1)):
        with pytest.raises(DataError, match="do not have the shape that the net reads"):
            check(path, as_first(x), samples)


@pytest.mark.parametrize("op", ["Flatten", "Reshape"])
@pytest.mark.parametrize("shape", [(8, 8, 1), (1, 8, 8), (3, 5, 4), (5, 4, 3), (8, 8)])
def test_a_net_that_flattens_first_reads_samples_as_it_has_them(
    op: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    count = int(np.prod(shape))
    row = ["x"] if op == "Flatten" else ["x", "row"]
    nodes = [node(op, row, ["f"]), node("MatMul", ["f", "w"], ["y"])]
    constants = {"w": real(count, 3)} | ({} if op == "Flatten" else {"row": numbers(-1, count)})
    path, x = save(tmp_path, nodes, ("n", *shape), **constants), real(24, *shape)
    check(path, x, x)
    check(path, x, x.reshape(24, -1))
    if 1 in shape:
        check(path, x, x.reshape(24, 8, 8))
        check(path, x, x.reshape(24, 8, 8, 1))
        check(path, x, x.reshape(24, 1, 8, 8))
    if 3 in shape:  # channels at the other end
        check(path, x, as_first(x))
        check(path, x, np.moveaxis(x, 1, -1))
        with pytest.raises(DataError, match="do not have the shape that the net reads"):
            check(path, x, x.reshape(24, 3, 20))


def test_the_device_takes_samples_as_the_file_has_them(tmp_path: Path) -> None:
    nodes = [node("Flatten", ["x"], ["f"]), node("MatMul", ["f", "w"], ["y"])]
    path = save(tmp_path, nodes, ("n", 3, 5, 4), w=real(60, 3))
    x = real(24, 3, 5, 4)
    last = np.moveaxis(x, 1, -1)
    y, graph = nets.answers(path, last, Y)
    np.testing.assert_allclose(nets.ours(graph, last), y, rtol=1e-12)


def test_rows_that_a_net_makes_into_images(tmp_path: Path) -> None:
    tail, constants = ending(4 * 5 * 4)
    constants |= {"w": real(4, CHANNELS, 4, 2), "s": numbers(-1, CHANNELS, HEIGHT, WIDTH)}
    nodes = [node("Reshape", ["x", "s"], ["i"]), node("Conv", ["i", "w"], ["c"]), *tail]
    path = save(tmp_path, nodes, ("n", CHANNELS * HEIGHT * WIDTH), **constants)
    x = images()
    own = as_first(x).reshape(24, -1)
    check(path, own, own)
    check(path, own, as_first(x))
    check(path, own, x)
    check(path, own, x.reshape(24, -1), layout="channels_last")


def test_images_of_one_channel_that_a_net_reshapes_for_its_convolution(tmp_path: Path) -> None:
    tail, constants = ending(4 * 5 * 4)
    constants |= {"w": real(4, 1, 4, 2), "s": numbers(-1, 1, HEIGHT, WIDTH)}
    nodes = [node("Reshape", ["x", "s"], ["i"]), node("Conv", ["i", "w"], ["c"]), *tail]
    path = save(tmp_path, nodes, ("n", HEIGHT, WIDTH, 1), **constants)
    x = real(24, HEIGHT, WIDTH, 1)
    for samples in (x, x[..., 0], x.reshape(24, -1), as_first(x)):
        check(path, x, samples)
    with pytest.raises(DataError, match="do not have the shape that the net reads"):
        check(path, x, x[..., 0].swapaxes(1, 2))


def along_time(kind: str) -> Any:
    """Nodes of two convolutions along time, written in one or in two dimensions."""
    kernels = {"rows": (1, 4), "columns": (4, 1), "line": (4,)}[kind]
    constants = {"w": real(4, 3, *kernels), "u": real(5, 4, *kernels)}
    pool = [2 if k == 4 else 1 for k in kernels]
    nodes = [
        node("Conv", ["x" if kind == "line" else "i", "w"], ["a"], name="first"),
        node("Relu", ["a"], ["b"]),
        node("MaxPool", ["b"], ["p"], kernel_shape=pool, strides=pool),
        node("Conv", ["p", "u"], ["c"], name="second", strides=[1] * len(kernels)),
    ]
    return nodes, constants


@pytest.mark.parametrize("kind", ["rows", "columns"])
@pytest.mark.parametrize("is_mixed", [False, True])
def test_nets_along_time_written_in_two_dimensions(
    kind: str,
    is_mixed: bool,  # noqa: FBT001
    tmp_path: Path,
) -> None:
    nodes, constants = along_time(kind)
    shape = (3, 1, 20) if kind == "rows" else (3, 20, 1)
    nodes = [node("Identity", ["x"], ["i"]), *nodes]
    axis = 2 if kind == "rows" else 3
    if is_mixed:  # from the second layer on in one dimension
        nodes = [*nodes[:-1], node("Squeeze", ["p", "axis"], ["q"])]
        nodes.append(node("Conv", ["q", "u"], ["c"], name="second"))
        constants |= {"axis": numbers(axis), "u": constants["u"].reshape(5, 4, 4)}
    tail, more = ending(5 * 5)
    path = save(tmp_path, [*nodes, *tail], ("n", *shape), **constants, **more)
    x = real(24, *shape)
    steps_first = np.moveaxis(x.reshape(24, 3, 20), 1, 2)
    for samples in (x, steps_first, x.reshape(24, 3, 20), steps_first[:, np.newaxis]):
        check(path, x, samples)


def test_a_net_along_time_that_makes_two_dimensions_itself(tmp_path: Path) -> None:
    # As TensorFlow writes Conv1D: Unsqueeze, Conv in two dimensions, Squeeze; steps come first.
    for axis, kind in ((2, "columns"), (1, "rows")):
        nodes, constants = along_time(kind)
        perm = [0, 3, 1, 2]
        before = [
            node("Unsqueeze", ["x", "axis"], ["e"]),
            node("Transpose", ["e"], ["i"], perm=perm),
        ]
        tail, more = ending(5 * 5)
        constants |= {"axis": numbers(axis)} | more
        path = save(tmp_path, [*before, *nodes, *tail], ("n", 20, 3), **constants)
        x = real(24, 20, 3)
        for samples in (x, as_first(x), x.reshape(24, -1)):
            check(path, x, samples)


@pytest.mark.parametrize("op", ["RNN", "GRU", "LSTM"])
def test_sequences(op: str, tmp_path: Path) -> None:
    rows = {"RNN": 5, "GRU": 15, "LSTM": 20}[op]
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        node(op, ["t", "w", "r"], ["all", "last"], hidden_size=5),
        node("Squeeze", ["last", "axis"], ["h"]),
        node("MatMul", ["h", "v"], ["y"]),
    ]
    constants = {"w": real(1, rows, 3), "r": real(1, rows, 5), "v": real(5, 3), "axis": numbers(0)}
    path, x = save(tmp_path, nodes, ("n", 9, 3), **constants), real(24, 9, 3)
    check(path, x, x)
    check(path, x, as_first(x))
    check(path, x, x.reshape(24, -1))
    check(path, x, as_first(x).reshape(24, -1), layout="channels_first")


def spec_with(layers: Any, **data: Any) -> Any:
    data = {"file": "x.npz", "scaling": "none", **data}
    return spec_from_dict({"name": "net", "model": {"layers": layers}, "data": data})


CONV = [
    {"kind": "conv2d", "name": "c", "filters": 2, "kernel": 3},
    {"kind": "dense", "name": "d", "units": 3},
]


def test_layouts_of_a_spec_with_layers_of_its_own() -> None:
    x = images()
    for shape in (None, [HEIGHT, WIDTH, CHANNELS]):
        data = {} if shape is None else {"input_shape": shape}
        last = dataset_from_arrays(spec_with(CONV, **data), x, Y)
        first = dataset_from_arrays(
            spec_with(CONV, layout="channels_first", **data), as_first(x), Y
        )
        assert first.input_shape == (HEIGHT, WIDTH, CHANNELS)
        np.testing.assert_array_equal(last.x_train, first.x_train)
    flat = as_first(x).reshape(24, -1)
    spec = spec_with(CONV, layout="channels_first", input_shape=[HEIGHT, WIDTH, CHANNELS])
    np.testing.assert_array_equal(dataset_from_arrays(spec, flat, Y).x_train, last.x_train)
    # The shape that is asked for fits one order only.
    spec = spec_with(CONV, input_shape=[HEIGHT, WIDTH, CHANNELS])
    np.testing.assert_array_equal(dataset_from_arrays(spec, as_first(x), Y).x_train, last.x_train)
    spec = spec_with(CONV, input_shape=[HEIGHT, WIDTH, 1])
    with pytest.raises(DataError, match="do not have the shape"):
        dataset_from_arrays(spec, real(24, WIDTH, HEIGHT), Y)


def test_colour_images_of_other_tools_are_not_read_as_maps_of_three_rows() -> None:
    x = real(24, 3, 12, 12)
    with pytest.raises(DataError, match='layout = "channels_first"'):
        dataset_from_arrays(spec_with(CONV), x, Y)
    spec = spec_with(CONV, layout="channels_last")
    assert dataset_from_arrays(spec, x, Y).input_shape == (3, 12, 12)
