"""Numbers of 8 bits and fewer, as QONNX's Quant and Brevitas' files have them.

The files of `tests/data` were made by tools/make_few_bits.py. What a file answers is computed by
ONNX Runtime, for which Quant is written as operators of ONNX itself; the package qonnx 1.0 gives
the same to 1e-6.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tpsgd_edge.errors import DataError, ToolError
from tpsgd_edge.frontend.imports.onnx_net import read_onnx
from tpsgd_edge.frontend.imports.steps import step_of
from tpsgd_edge.pipeline import verify
from tpsgd_edge.spec import spec_from_dict
from tpsgd_edge.stages import on_host, prepare, quantize_samples
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.platforms import load_platform

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")

from tests.support import onnx_nets as nets  # noqa: E402
from tools.results_onnx import as_runtime_has_it  # noqa: E402

DATA = Path(__file__).parent.parent / "data"
DOMAIN = "qonnx.custom_op.general"
RNG = np.random.default_rng(5)
ROW = ("n", 6)
node = onnx.helper.make_node


def quant(name: str, bits: int, *, scale: Any = 0.25, zero: float = 0, **said: Any) -> Any:
    """Quant of a value, and the constants that it needs."""
    inputs = [name, *(f"{name}_{what}" for what in ("scale", "zero", "bits"))]
    constants = dict(zip(inputs[1:], (scale, zero, bits), strict=True))
    domain = said.pop("domain", DOMAIN)
    made = node(said.pop("op", "Quant"), inputs, [f"{name}q"], domain=domain, **said)
    return made, {key: np.asarray(value, np.float32) for key, value in constants.items()}


def save(folder: Path, nodes: Any, constants: Any) -> Path:
    path = folder / "net.onnx"
    model = nets.model_of(nodes, constants, ROW)
    model.opset_import.append(onnx.helper.make_opsetid(DOMAIN, 1))
    path.write_bytes(model.SerializeToString())
    return path


def real(*shape: int) -> Any:
    return RNG.normal(size=shape).astype(np.float32)


def on_weights(folder: Path, w: Any, bits: int, **said: Any) -> Path:
    one, constants = quant("w", bits, **said)
    return save(folder, [one, node("MatMul", ["x", "wq"], ["y"])], {"w": w, **constants})


def on_values(folder: Path, bits: int, *, after: str = "Identity", **said: Any) -> Path:
    """Two layers of small weights, and Quant of what the first makes."""
    one, constants = quant("c", bits, **said)
    nodes = [
        node("MatMul", ["x", "w"], ["b"]),
        node(after, ["b"], ["c"]),
        one,
        node("MatMul", ["cq", "v"], ["y"]),
    ]
    return save(folder, nodes, {"w": real(6, 4), "v": real(4, 3), **constants})


@pytest.mark.parametrize(
    ("bits", "signed", "narrow", "low", "high"),
    [
        (8, 1, 1, -127, 127),
        (8, 1, 0, -128, 127),
        (4, 1, 1, -7, 7),
        (4, 1, 0, -8, 7),
        (3, 0, 0, 0, 7),
        (3, 0, 1, 0, 6),
        (2, 1, 1, -1, 1),
        (1, 0, 0, 0, 1),
    ],
)
def test_weights_are_what_their_integers_stand_for(
    bits: int, signed: int, narrow: int, low: int, high: int, tmp_path: Path
) -> None:
    w, scale = 4 * real(6, 3), np.array([0.25, 0.5, 2.0], np.float32)
    path = on_weights(tmp_path, w, bits, scale=scale, signed=signed, narrow=narrow)
    net = read_onnx(path)
    (own,) = net.weights.values()
    expected = (np.clip(np.rint(w / scale), low, high) * scale).T
    np.testing.assert_array_equal(own.w, expected)
    assert net.in_integers


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("ROUND", [-2, -2, 0, 2, 2]),
        ("HALF_UP", [-3, -2, 1, 2, 3]),
        ("HALF_DOWN", [-2, -1, 0, 1, 2]),
        ("CEIL", [-2, -1, 1, 2, 3]),
        ("FLOOR", [-3, -2, 0, 1, 2]),
        ("UP", [-3, -2, 1, 2, 3]),
        ("DOWN", [-2, -1, 0, 1, 2]),
        ("ROUND_TO_ZERO", [-2, -1, 0, 1, 2]),
    ],
)
def test_weights_round_as_the_file_says(mode: str, expected: Any, tmp_path: Path) -> None:
    w = np.array([[-2.5, -1.5, 0.5, 1.5, 2.5]] * 6, np.float32)
    path = on_weights(tmp_path, w, 8, scale=1, rounding_mode=mode)
    (own,) = read_onnx(path).weights.values()
    np.testing.assert_array_equal(own.w[:, 0], expected)


@pytest.mark.parametrize("domain", [DOMAIN, "onnx.brevitas", "finn.custom_op.general"])
@pytest.mark.parametrize("op", ["Quant", "IntQuant"])
def test_a_zero_point_shifts(domain: str, op: str, tmp_path: Path) -> None:
    w = real(6, 3)
    path = on_weights(tmp_path, w, 4, zero=3, signed=0, op=op, domain=domain)
    (own,) = read_onnx(path).weights.values()
    expected = (np.clip(np.rint(w / 0.25) + 3, 0, 15) - 3) * 0.25
    np.testing.assert_array_equal(own.w, expected.T)


VALUES = {
    "4 bits from 0, behind Relu": (4, "Relu", {"signed": 0}, 0, 3.75, "relu6"),
    "4 bits from 0 alone": (4, "Identity", {"signed": 0}, 0, 3.75, "relu6"),
    "3 bits with a sign": (3, "Identity", {"narrow": 1}, -0.75, 0.75, "hard_tanh"),
    "4 bits, more below": (4, "Identity", {}, -2, 1.75, "hard_tanh"),
    "4 bits with a zero point": (4, "Identity", {"signed": 0, "zero": 3}, -0.75, 3, "hard_tanh"),
    "8 bits behind Relu": (8, "Relu", {"signed": 0, "scale": 0.002}, 0, np.inf, "relu"),
    "8 bits from 0 alone": (8, "Identity", {"signed": 0}, 0, np.inf, "relu"),
    "8 bits": (8, "Identity", {"scale": 0.002}, -np.inf, np.inf, "linear"),
    "as wide as what is there": (4, "Tanh", {"scale": 1 / 8}, -np.inf, np.inf, "tanh"),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_end_where_the_file_ends_them(name: str, tmp_path: Path) -> None:
    """Between the ends they are as fine as ours."""
    bits, after, said, low, high, activation = VALUES[name]
    path = on_values(tmp_path, bits, after=after, **said)
    x = real(24, 6)
    y, _ = nets.answers(path, x, np.arange(24) % 3)
    w, v = (onnx.numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer[:2])
    between = {"Relu": lambda z: np.maximum(z, 0), "Tanh": np.tanh, "Identity": lambda z: z}
    expected = np.clip(between[after](x @ w), low, high) @ v
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    net = read_onnx(path)
    assert net.layers[0]["activation"] == activation
    assert net.has_few_steps == (bits < 8)


def test_integers_that_are_cut_to_fewer_bits(tmp_path: Path) -> None:
    """QuantizeLinear, Clip and DequantizeLinear, as Brevitas writes what has fewer than 8 bits."""
    around = {"s": np.float32(0.25), "z": np.int8(0), "low": np.int8(-8), "high": np.int8(7)}
    nodes = [
        node("Clip", ["k", "low", "high"], ["kc"]),
        node("DequantizeLinear", ["kc", "s", "z"], ["w"]),
        node("MatMul", ["x", "w"], ["a"]),
        node("QuantizeLinear", ["a", "s", "z"], ["q"]),
        node("Clip", ["q", "low", "high"], ["c"]),
        node("DequantizeLinear", ["c", "s", "z"], ["d"]),
        node("MatMul", ["d", "v"], ["y"]),
    ]
    k, v, x = RNG.integers(-20, 20, (6, 4)).astype(np.int8), real(4, 3), real(24, 6)
    path = save(tmp_path, nodes, {"k": k, "v": v, **around})
    y, _ = nets.answers(path, x, np.arange(24) % 3)
    expected = np.clip(x @ (0.25 * np.clip(k, -8.0, 7.0)), -2, 1.75) @ v
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_the_end_of_a_net_stays_linear(tmp_path: Path) -> None:
    one, constants = quant("c", 4)
    nodes = [node("MatMul", ["x", "w"], ["c"]), one, node("Softmax", ["cq"], ["y"])]
    (table,) = read_onnx(save(tmp_path, nodes, {"w": real(6, 3), **constants})).layers
    assert table["activation"] == "linear"


def refused(path: Path) -> str:
    with pytest.raises(DataError) as error:
        read_onnx(path)
    return str(error.value)


def test_what_our_formats_do_not_hold_is_refused_in_words(tmp_path: Path) -> None:
    text = refused(on_values(tmp_path, 4, scale=[0.1, 0.2, 0.3, 0.4]))
    assert "Quant of values has a scale for each channel" in text
    assert "4 scales, 1 zero points" in text
    text = refused(on_values(tmp_path, 4, rounding_mode="FLOOR"))
    assert "does not round to the nearest step" in text
    assert "rounding_mode = FLOOR" in text
    assert "24 bits" in refused(on_values(tmp_path, 24))
    text = refused(on_values(tmp_path, 3, after="Tanh", scale=0.1))
    assert "already has the activation 'tanh'" in text
    assert "1 bits" in refused(on_weights(tmp_path, real(6, 3), 1))
    assert "2.5 bits" in refused(on_weights(tmp_path, real(6, 3), 2.5))  # type: ignore[arg-type]
    assert "rounding_mode = odd" in refused(
        on_weights(tmp_path, real(6, 3), 4, rounding_mode="odd")
    ).replace("ODD", "odd")
    for scale, zero in ((0, 0), (-1, 0), (0.5, 0.5)):
        text = refused(on_weights(tmp_path, real(6, 3), 4, scale=scale, zero=zero))
        assert "Quant has odd scales or zero points" in text
    text = refused(on_weights(tmp_path, real(6, 3), 4, scale=[0.1, 0.2]))
    assert "Quant has scales or zero points that do not fit" in text


@pytest.mark.parametrize(
    ("op", "words"),
    [
        ("BipolarQuant", "train the net with Quant of 2 bits or more"),
        ("Trunc", "take an average pool of real numbers"),
        ("FloatQuant", "numbers of few bits with a point"),
        ("MultiThreshold", "export the net in real numbers"),
    ],
)
@pytest.mark.parametrize("on", ["weights", "values"])
def test_other_operators_of_qonnx_are_named(op: str, words: str, on: str, tmp_path: Path) -> None:
    made = on_weights if on == "weights" else on_values
    path = made(tmp_path, *((real(6, 3), 4) if on == "weights" else (4,)), op=op)
    text = refused(path)
    assert f"{op} is QONNX's own" in text
    assert words in text
    assert f"domain {DOMAIN}" in text


def spec_in(folder: Path, name: str, **sections: Any) -> Any:
    """The spec of a file of tests/data, with the digits."""
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = datasets.load_digits(return_X_y=True)
    x, tests = (x / 16).astype(np.float32), np.arange(len(x)) % 5 == 0
    if "cnn" in name:
        x = x.reshape(-1, 8, 8)
    np.savez(folder / "x.npz", x=x[~tests], y=y[~tests], x_test=x[tests], y_test=y[tests])
    (folder / f"{name}.onnx").write_bytes((DATA / f"{name}.onnx").read_bytes())
    model = {"source": f"{name}.onnx", **sections.pop("model", {})}
    content = {"name": "net", "model": model, "data": {"file": "x.npz"}, **sections}
    return spec_from_dict(content, folder)


def need_compiler(platform: str) -> None:
    try:
        find_compiler(load_platform(platform))
    except ToolError as error:
        pytest.skip(str(error))


FILES = (
    "bv_digits_w8a8_qcdq",
    "bv_digits_w4a8_qonnx",
    "bv_digits_cnn_w4a4_qonnx",
    "bv_digits_cnn_w4a4_qcdq",
)


@pytest.mark.parametrize("weights", ["s8", "s16"])
@pytest.mark.parametrize("name", FILES)
def test_files_of_brevitas_answer_as_they_do_there(name: str, weights: str, tmp_path: Path) -> None:
    need_compiler("host")
    prepared = prepare(spec_in(tmp_path, name, numbers={"weights": weights}))
    x = prepared.dataset.x_test
    shape = (1, 8, 8) if "cnn" in name else (64,)
    model = as_runtime_has_it(onnx.load(DATA / f"{name}.onnx")).SerializeToString()
    file = nets.runtime(model, x.reshape(-1, *shape).astype(np.float32)).argmax(axis=1)
    rows = quantize_samples(prepared.model, prepared.dataset).x_test
    with on_host(prepared, check=False) as device:
        ours = device.outputs(rows).argmax(axis=1)
    assert np.mean(ours == file) >= 0.99
    y = prepared.dataset.y_test
    assert abs(np.mean(ours == y) - np.mean(file == y)) < 0.01


def test_integers_of_4_bits_stay_what_they_are(tmp_path: Path) -> None:
    name = "bv_digits_w4a8_qonnx"
    spec = spec_in(tmp_path, name, numbers={"weights": "s8"})
    prepared = prepare(spec)
    net = read_onnx(DATA / f"{name}.onnx")
    (note,) = prepared.spec.notes
    assert "the weights of all layers are the file's integers" in note
    assert "with train = false" in note
    assert "few steps" not in note
    frozen = {"train": False, "weights": "s4"}
    hidden = [table["name"] for table in net.layers[:-1]]
    model = {"settings": dict.fromkeys(hidden, frozen)}
    small = prepare(spec_in(tmp_path, name, numbers={"weights": "s8"}, model=model))
    assert "with train = false" not in small.spec.notes[0]
    for wide, four, own in zip(
        prepared.model.weighted, small.model.weighted, net.weights.values(), strict=True
    ):
        step = step_of(own.w)
        assert step is not None
        whole = np.rint(own.w / step)
        times = np.abs(wide.init.w).max() / np.abs(whole).max()
        np.testing.assert_array_equal(wide.init.w, times * whole)
        assert times == 2 ** round(np.log2(times))
        if four.weight_type == "s4":
            np.testing.assert_array_equal(four.init.w, whole)


def test_a_note_says_where_values_are_finer_than_the_file(tmp_path: Path) -> None:
    (note,) = prepare(spec_in(tmp_path, "bv_digits_cnn_w4a4_qonnx")).spec.notes
    assert "values that it rounds to few steps are finer here, so some answers differ" in note


@pytest.mark.parametrize("platform", ["host", pytest.param("cortex-m4f", marks=pytest.mark.slow)])
def test_they_learn_bit_for_bit(platform: str, tmp_path: Path) -> None:
    need_compiler(platform)
    device = {"name": platform} | ({} if platform == "host" else {"ram": "128K"})
    for name in ("bv_digits_w4a8_qonnx", "bv_digits_cnn_w4a4_qcdq"):
        spec = spec_in(tmp_path, name, platform=device, numbers={"weights": "s8"})
        assert verify(spec, steps=40).is_equal
