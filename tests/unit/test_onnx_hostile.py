"""ONNX files that mean harm: an error, nothing else."""

import contextlib
import itertools
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.onnx_files import DENSE, MAP, REALS, conv, message, node, onnx, write
from tpsgd_edge.errors import TpsgdError
from tpsgd_edge.frontend.imports.onnx_net import read_onnx


def external(folder: Path, **entries: Any) -> Path:
    """A net whose initial weights lie in another file."""
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
