"""Which arrays of an archive are samples and labels, whatever their names; sizes that are sane."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend import npz
from tpsgd_edge.frontend.data import Dataset, load_dataset
from tpsgd_edge.spec import Spec, spec_from_dict

RNG = np.random.default_rng(1)
X, X2, X3 = (RNG.normal(size=(n, 4)) for n in (20, 10, 8))
Y, Y2, Y3 = (np.arange(n) % 2 for n in (20, 10, 8))


def make_spec(folder: Path, file: str = "d.npz", **data: Any) -> Spec:
    content = {
        "name": "net",
        "model": {"layers": [{"name": "out", "units": 2}]},
        "data": {"file": file, **data},
    }
    return spec_from_dict(content, folder=folder)


def load(folder: Path, arrays: dict[str, Any], **data: Any) -> Dataset:
    np.savez(folder / "d.npz", **arrays)
    return load_dataset(make_spec(folder, **data))


def error_of(folder: Path, arrays: dict[str, Any], **data: Any) -> str:
    with pytest.raises(DataError) as error:
        load(folder, arrays, **data)
    return str(error.value)


@pytest.mark.parametrize(
    "names",
    [
        "x_train y_train x_test y_test",
        "X_train y_train X_test y_test",
        "X_TRAIN Y_TRAIN X_TEST Y_TEST",
        "Xtrain ytrain Xtest ytest",
        "train_x train_y test_x test_y",
        "trainX trainY testX testY",
        "train_images train_labels test_images test_labels",
        "training_data training_labels test_data test_labels",
        "features_train labels_train features_test labels_test",
        "x y x_test y_test",
        "x y x_val y_val",
        "X y X_test y_test",
        "data target data_test target_test",
        "train_images train_labels val_images val_labels",
    ],
)
def test_both_sets_by_their_names(tmp_path: Path, names: str) -> None:
    data = load(tmp_path, dict(zip(names.split(), (X, Y, X2, Y2), strict=True)))
    assert (len(data.x_train), len(data.x_test)) == (20, 10)
    np.testing.assert_array_equal(data.x_test, X2.astype(np.float32))
    x_name, y_name, *_ = names.split()
    assert data.said.labels == f"2 classes (0, 1) from array '{y_name}'"
    is_validation = "val" in names
    assert data.said.notes == (
        ("'d.npz': '{2}' and '{3}' serve as the test set".format(*names.split()),)
        if is_validation
        else ()
    ), x_name


@pytest.mark.parametrize(
    "names",
    ["x y", "X Y", "X y", "data target", "images labels", "Features Label", "samples classes"],
)
def test_one_set_is_split(tmp_path: Path, names: str) -> None:
    data = load(tmp_path, {**dict(zip(names.split(), (X, Y), strict=True)), "mean": X[0]})
    assert (len(data.x_train), len(data.x_test)) == (16, 4)


def test_three_sets(tmp_path: Path) -> None:
    names = ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test")
    data = load(tmp_path, dict(zip(names, (X, Y, X3, Y3, X2, Y2), strict=True)))
    np.testing.assert_array_equal(data.x_test, X2.astype(np.float32))
    assert data.said.notes == ("'d.npz': 'x_val' and 'y_val' are not used",)


def test_names_of_the_spec_come_first(tmp_path: Path) -> None:
    arrays = {"a": X, "b": Y, "x_train": X2, "y_train": Y2}
    assert len(load(tmp_path, arrays, x="a", y="b").x_train) == 16
    arrays = {"a_train": X, "b_train": Y, "a_test": X2, "b_test": Y2}
    assert len(load(tmp_path, arrays, x="a", y="b").x_test) == 10
    assert "has no array 'c'" in error_of(tmp_path, arrays, x="c", y="b")


def test_two_that_may_be_meant(tmp_path: Path) -> None:
    message = error_of(tmp_path, {"images": X, "data": X2, "labels": Y})
    assert "several arrays of 'd.npz' may be the samples" in message
    assert "data, images" in message
    assert "data.x" in message


def test_a_test_file_with_names_of_its_own(tmp_path: Path) -> None:
    for names in ("x_test y_test", "X_train y_train", "x y"):
        np.savez(tmp_path / "t.npz", **dict(zip(names.split(), (X2, Y2), strict=True)))
        assert len(load(tmp_path, {"x": X, "y": Y}, test_file="t.npz").x_test) == 10
    both = {"x_train": X, "y_train": Y, "x_test": X2, "y_test": Y2}
    np.savez(tmp_path / "t.npz", **both)
    data = load(tmp_path, {"x": X, "y": Y}, test_file="t.npz")
    np.testing.assert_array_equal(data.x_test, X2.astype(np.float32))


def test_the_same_file_twice_is_noted(tmp_path: Path) -> None:
    data = load(tmp_path, {"x": X, "y": Y}, test_file="d.npz")
    assert "file and test_file are the same" in data.said.notes[0]


def test_plain_arrays(tmp_path: Path) -> None:
    for name, array in (("x", X), ("y", Y), ("x2", X2), ("y2", Y2)):
        np.save(tmp_path / f"{name}.npy", array)
    data = load_dataset(make_spec(tmp_path, "x.npy", labels_file="y.npy"))
    assert len(data.x_train) == 16
    assert data.said.labels == "2 classes (0, 1) from 'y.npy'"
    tests = {"test_file": "x2.npy", "test_labels_file": "y2.npy"}
    data = load_dataset(make_spec(tmp_path, "x.npy", labels_file="y.npy", **tests))
    assert len(data.x_test) == 10


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no data file 'x.npy'"),
        (b"", "'x.npy' is not a complete .npy file"),
        (b"\x93NUMPY\x01\x00\x02\x00{}", "'x.npy' is not a complete .npy file"),
        ("cut", "is cut short"),
        ("objects", "'x.npy' holds pickled objects, which are refused"),
    ],
)
def test_plain_arrays_that_are_none(tmp_path: Path, content: Any, words: str) -> None:
    raw = io.BytesIO()
    np.save(raw, np.array([1, None]) if content == "objects" else X, allow_pickle=True)
    if content is not None:
        is_whole = content == "objects"
        plain = raw.getvalue() if is_whole else raw.getvalue()[:-9]
        (tmp_path / "x.npy").write_bytes(content if isinstance(content, bytes) else plain)
    np.save(tmp_path / "y.npy", Y)
    with pytest.raises(DataError) as error:
        load_dataset(make_spec(tmp_path, "x.npy", labels_file="y.npy"))
    assert words in str(error.value)


def test_arrays_that_nobody_asks_for_are_not_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=X, y=Y, other=np.array([None]))
    assert len(load_dataset(make_spec(tmp_path)).x_train) == 16
    with pytest.raises(DataError, match="pickled objects"):
        npz.read_npz(tmp_path / "d.npz")


def test_all_arrays_together_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "d.npz", x=X, y=Y, other=np.zeros(10_000))
    monkeypatch.setattr(npz, "LARGEST_SET", 2000)
    assert set(npz.read_npz(tmp_path / "d.npz", ["x", "y"])) == {"x", "y"}
    with pytest.raises(DataError) as error:
        npz.read_npz(tmp_path / "d.npz")
    assert "'d.npz' is too large" in str(error.value)
    assert "2,000 bytes are allowed" in str(error.value)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (1 << 32, 1)}
    )
    with zipfile.ZipFile(tmp_path / "d.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", header.getvalue())
        archive.writestr("y.npy", header.getvalue())
    with pytest.raises(DataError, match="'x' is too large"):
        load_dataset(make_spec(tmp_path))


def test_no_memory_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise MemoryError

    np.savez(tmp_path / "d.npz", x=X, y=Y)
    monkeypatch.setattr(np.lib.format, "read_array", full)
    with pytest.raises(DataError, match="more than this computer's memory holds"):
        load_dataset(make_spec(tmp_path))
