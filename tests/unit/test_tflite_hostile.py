"""TensorFlow Lite files that are broken, hostile or hold what has no layer of ours."""

import struct
import tracemalloc
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")

from tests.support.tflite_nets import RELU, Builder, options
from tpsgd_edge.errors import DataError, SpecError, TpsgdError
from tpsgd_edge.frontend.imports.source import read_source
from tpsgd_edge.frontend.tflite.net import read_tflite
from tpsgd_edge.spec import spec_from_dict

DATA = Path(__file__).resolve().parent.parent / "data"


def small() -> Builder:
    b = Builder((1, 5))
    inputs = [b.x, b.constant(np.ones((3, 5))), b.constant(np.ones(3))]
    how = options("FullyConnected", fusedActivationFunction=RELU)
    b.y = b.op("FULLY_CONNECTED", inputs, (1, 3), how)
    return b


def content() -> bytes:
    b = small()
    return b.content(b.y)


def error_of(raw: bytes, folder) -> DataError:
    path = folder / "net.tflite"
    path.write_bytes(raw)
    with pytest.raises(DataError) as caught:
        read_tflite(path)
    return caught.value


def test_a_file_that_is_cut_short_anywhere_is_said_to_be(tmp_path):
    raw, path = content(), tmp_path / "net.tflite"
    for length in [*range(64), *range(64, len(raw), 7), len(raw) - 1]:
        error = error_of(raw[:length], tmp_path)
        assert "net.tflite" in error.where, length
        assert error.what.startswith(("'net.tflite'", "a tensor ")), (length, error.what)
    path.write_bytes(raw)
    assert len(read_tflite(path).layers) == 1


def test_any_byte_may_be_wrong(tmp_path):
    raw, path, fine = content(), tmp_path / "net.tflite", 0
    places = range(0, len(raw), 13)
    for place in places:
        for wrong in (0x7F, 0xFF):
            path.write_bytes(raw[:place] + bytes([wrong]) + raw[place + 1 :])
            try:
                read_tflite(path)
                fine += 1
            except TpsgdError:
                continue
    # What only names something, or numbers of weights, may be anything.
    assert 0 < fine < 2 * len(places)


@pytest.mark.parametrize("file", sorted(DATA.glob("*.tflite")), ids=lambda path: path.stem)
def test_any_length_may_be_wrong(file, tmp_path):
    """Lists whose lengths do not fit each other: of scales, axes, places, filters, biases."""
    raw, path = file.read_bytes(), tmp_path / "net.tflite"
    draw = np.random.default_rng(1)
    small = [at for at in range(0, len(raw) - 4, 4) if raw[at + 1 : at + 4] == b"\0\0\0"]
    for place in draw.permutation(small)[:60].tolist():
        for wrong in (1, 5, 127):
            path.write_bytes(raw[:place] + struct.pack("<I", wrong) + raw[place + 4 :])
            with suppress(TpsgdError):
                read_tflite(path)


def test_scales_of_biases_that_do_not_fit(tmp_path):
    b = Builder((1, 5))
    bias = b.constant(np.ones(3, np.int32), ([0.5] * 4, [0] * 4))
    y = b.op("FULLY_CONNECTED", [b.x, b.constant(np.ones((3, 5))), bias], (1, 3))
    error = error_of(b.content(y), tmp_path)
    assert (error.what, error.found) == (
        "the biases of FULLY_CONNECTED have scales that do not fit",
        "4 scales for 3 biases",
    )


@pytest.mark.parametrize("where", ["the weights", "the shape", "the operators"])
def test_a_gigabyte_that_is_only_declared_ends_at_once(where, tmp_path):
    raw = content()
    count, number = {
        "the weights": (60, 1 << 30),
        "the shape": (2, 1 << 28),
        "the operators": (1, 1 << 28),
    }[where]
    places = [i for i in range(0, len(raw) - 4, 4) if struct.unpack_from("<I", raw, i) == (count,)]
    assert places
    tracemalloc.start()
    for place in places:
        path = tmp_path / "net.tflite"
        path.write_bytes(raw[:place] + struct.pack("<I", number) + raw[place + 4 :])
        with suppress(DataError):
            read_tflite(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


def test_a_shape_that_promises_more_than_the_file_holds(tmp_path):
    b = small()
    b.net.tensors[1].shape = [1 << 14, 1 << 14]
    error = error_of(b.content(b.y), tmp_path)
    assert error.what == "a tensor is of a form that cannot be read"
    b.net.tensors[1].shape = [1 << 14, 1 << 9]
    error = error_of(b.content(b.y), tmp_path)
    assert error.what == "a tensor is cut short, or longer than its shape"
    assert error.found == "60 bytes for a shape of [16384, 512]"


def test_what_is_no_tensorflow_lite_file(tmp_path):
    assert "without the mark TFL3" in str(error_of(b"0123456789", tmp_path))
    lfs = error_of(b"version https://git-lfs.github.com/spec/v1\n", tmp_path)
    assert lfs.help == "fetch the file itself: git lfs pull"
    with pytest.raises(DataError, match=r"there is no model 'none\.tflite'"):
        read_tflite(tmp_path / "none.tflite")
    spec = spec_from_dict(
        {"name": "n", "model": {"source": "net.pb"}, "data": {"file": "x.npz"}}, tmp_path
    )
    with pytest.raises(SpecError, match=r"net\.pb' is of an unknown kind") as caught:
        read_source(spec)
    assert ".onnx, .tflite" in caught.value.help


REFUSED = {
    "UNIDIRECTIONAL_SEQUENCE_RNN": "let a gru or rnn layer learn it",
    "SVDF": "Conv1D along time",
    "VAR_HANDLE": "keeps values from call to call",
    "TRANSPOSE_CONV": "maps larger",
    "BATCH_MATMUL": "attention",
    "COS": "layers come from FULLY_CONNECTED",
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_operator_without_a_layer_is_refused_by_its_name(name, tmp_path):
    b = small()
    error = error_of(b.content(b.op(name, [b.y], (1, 3))), tmp_path)
    assert error.what == f"the operator {name} has no layer of ours"
    assert error.where == f"net.tflite, operator 1 ({name})"
    assert REFUSED[name] in error.help


def test_an_operator_of_another_program(tmp_path):
    b = small()
    y = b.op("CUSTOM", [b.y], (1, 3))
    b.codes[-1].customCode = "SignalFilterBank"
    error = error_of(b.content(y), tmp_path)
    assert error.what == "the operator CUSTOM SignalFilterBank has no layer of ours"


def test_forms_that_change_the_answer_are_refused(tmp_path):
    b = small()
    y = b.op("SOFTMAX", [b.y], (1, 3), options("Softmax", beta=2.0))
    assert error_of(b.content(y), tmp_path).found == "beta = 2"
    b = small()
    b.net.operators[0].builtinOptions.weightsFormat = 1
    assert "shuffled weights" in error_of(b.content(b.y), tmp_path).what
    b = small()
    b.net.operators[0].builtinOptions.fusedActivationFunction = 5
    assert error_of(b.content(b.y), tmp_path).found == "number 5"
    b = small()
    b.net.operators[0].inputs[1] = 0
    what = error_of(b.content(b.y), tmp_path).what
    assert what == "FULLY_CONNECTED reads weights that are not fixed in the file"


def test_operators_that_do_not_fit_each_other(tmp_path):
    b = small()
    b.net.operators[0].inputs[0] = 99
    assert error_of(b.content(b.y), tmp_path).found == "tensor 99 of 4"
    b = small()
    later = b.tensor("later", (1, 5))
    b.net.operators[0].inputs[0] = later
    assert "reads what no operator before it makes" in error_of(b.content(b.y), tmp_path).what
    b = small()
    b.net.operators.append(b.net.operators[0])
    assert "makes no tensor of its own" in error_of(b.content(b.y), tmp_path).what
    b = small()
    b.net.operators[0].inputs = b.net.operators[0].inputs[:1]
    assert "too few inputs" in error_of(b.content(b.y), tmp_path).what
    b = small()
    y = b.op("BATCH_TO_SPACE_ND", [b.y], (1, 3))
    assert "no SPACE_TO_BATCH_ND began" in error_of(b.content(y), tmp_path).what
    b = small()
    block = b.constant(np.array([2], np.int32))
    y = b.op("SPACE_TO_BATCH_ND", [b.y, block, b.constant(np.array([[0, 0]]))], (1, 3))
    assert "something else than one convolution" in error_of(b.content(y), tmp_path).what


def test_a_net_has_one_input(tmp_path):
    b = small()
    b.net.inputs = [b.x, b.x]
    raw = b.content(b.y)
    assert len(read_of(raw, tmp_path).layers) == 1
    b.net.operators = []
    error = error_of(b.content(b.y), tmp_path)
    assert error.what == "'net.tflite' is not a net with one input and one output"
    assert error.found == "0 operators, 1 inputs 'x', 1 outputs"


def read_of(raw: bytes, folder):
    path = folder / "net.tflite"
    path.write_bytes(raw)
    return read_tflite(path)


@pytest.mark.parametrize("bits", [0x7F800001, 0x7F800000, 0xFFC00000])
def test_a_scale_that_is_no_number(bits, tmp_path):
    """A NaN that signals warns where it is converted, so that it is refused before."""
    b = small()
    x = b.tensor("other", (1, 3), "i1", (0.125, 0))
    raw = b.content(b.op("RELU", [x], (1, 3)))
    assert raw.count(struct.pack("<f", 0.125)) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        error = error_of(raw.replace(struct.pack("<f", 0.125), struct.pack("<I", bits)), tmp_path)
    assert error.what == "'net.tflite' has a scale that is no number"
