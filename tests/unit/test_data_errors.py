"""Every way in which data can be at fault, and the words that it ends in."""

import contextlib
import io
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend import files
from tpsgd_edge.frontend.data import dataset_from_arrays, load_dataset
from tpsgd_edge.frontend.npz import read_npz
from tpsgd_edge.spec import Spec, spec_from_dict

X = np.arange(60.0).reshape(20, 3)
Y = np.arange(20) % 2
DIGITS = Path(__file__).parents[2] / "examples" / "digits.npz"


def make_spec(folder: Path, file: str = "d.npz", *, units: int = 2, **data: Any) -> Spec:
    content = {
        "name": "toy",
        "model": {"layers": [{"name": "fc1", "units": units}]},
        "data": {"file": file, **data},
    }
    return spec_from_dict(content, folder=folder)


def error_of(spec: Spec) -> str:
    with pytest.raises(DataError) as error:
        load_dataset(spec)
    assert error.value.exit_code == 2
    return str(error.value)


def npz_error(folder: Path, *, spec: dict[str, Any] | None = None, **arrays: Any) -> str:
    np.savez(folder / "d.npz", **arrays)
    return error_of(make_spec(folder, **(spec or {})))


def csv_error(folder: Path, text: str, **data: Any) -> str:
    (folder / "d.csv").write_text(text)
    return error_of(make_spec(folder, "d.csv", **data))


def test_missing_file(tmp_path: Path) -> None:
    for name in ("d.npz", "d.csv"):
        message = error_of(make_spec(tmp_path, name))
        assert f"there is no data file '{name}'" in message
        assert "paths start at the folder of the spec" in message
    message = error_of(make_spec(tmp_path, "x.gz", labels_file="y.gz"))
    assert "there is no data file 'x.gz'" in message


@pytest.mark.parametrize("name", ["d.npz", "d.csv", "d.gz"])
def test_a_folder_is_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    labels = {"labels_file": "y.gz"} if name == "d.gz" else {}
    message = error_of(make_spec(tmp_path, name, **labels))
    assert f"the data file '{name}' cannot be read" in message


def test_unknown_kind(tmp_path: Path) -> None:
    message = error_of(make_spec(tmp_path, "d.bin"))
    assert "the data file 'd.bin' is of an unknown kind" in message
    assert "data can be .npz, .npy, .csv" in message


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    message = npz_error(tmp_path, x=X, y=np.array(["a", None] * 10, object))
    assert "'y' holds pickled objects, which are refused: unpickling runs code" in message
    assert "convert it to numbers first" in message


def test_a_pickle_called_npz_is_never_loaded(tmp_path: Path) -> None:
    (tmp_path / "d.npz").write_bytes(pickle.dumps({"x": X, "y": Y}))
    assert "'d.npz' is not a complete .npz file" in error_of(make_spec(tmp_path))


def test_a_missing_array_names_those_there_are(tmp_path: Path) -> None:
    message = npz_error(tmp_path, x=X, outcome=Y)
    assert "'d.npz' has no array 'y'" in message
    assert "arrays: outcome, x" in message
    assert "data.x and data.y" in message
    assert "has no array 'y_test'" in npz_error(tmp_path, x=X, y=Y, x_test=X)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.999])
def test_a_truncated_npz(tmp_path: Path, share: float) -> None:
    raw = DIGITS.read_bytes()
    (tmp_path / "d.npz").write_bytes(raw[: int(len(raw) * share)])
    assert "'d.npz' is not a complete .npz file" in error_of(make_spec(tmp_path, units=10))


def test_a_damaged_npz(tmp_path: Path) -> None:
    raw = bytearray(DIGITS.read_bytes())
    raw[5000] ^= 1
    (tmp_path / "d.npz").write_bytes(raw)
    message = error_of(make_spec(tmp_path, units=10))
    assert "'d.npz' is not a complete .npz file" in message
    assert "Bad CRC-32" in message


def npz_with_shape(path: Path, shape: tuple[int, ...]) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": shape}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", header.getvalue() + X.tobytes())


def test_an_npz_that_promises_more_than_it_holds(tmp_path: Path) -> None:
    npz_with_shape(tmp_path / "d.npz", (21, 3))
    with pytest.raises(DataError, match=r"array 'x' of shape \(21, 3\) is cut short"):
        read_npz(tmp_path / "d.npz")
    npz_with_shape(tmp_path / "d.npz", (1 << 40, 3))
    with pytest.raises(DataError, match="'x' is too large"):
        read_npz(tmp_path / "d.npz")


def test_nan_and_infinity_are_named(tmp_path: Path) -> None:
    bad = X.copy()
    bad[3, 2], bad[5, 0] = np.nan, np.inf
    message = npz_error(tmp_path, x=bad, y=Y)
    assert "'x' holds NaN, infinity or a number too large" in message
    assert "d.npz, arrays x and y, sample 3" in message
    assert "x[3, 2] = nan; 2 such values in all" in message
    message = npz_error(tmp_path, x=X, y=np.where(Y == 1, np.inf, 0.5))
    assert "'y' holds NaN, infinity or a number too large" in message
    assert "y[1] = inf; 10 such values in all" in message
    assert "x[0, 1] = 1e+300" in npz_error(tmp_path, x=np.full((20, 3), [0, 1e300, 0]), y=Y)


def test_nan_in_the_test_set_is_found_too(tmp_path: Path) -> None:
    message = npz_error(tmp_path, x=X, y=Y, x_test=X * np.nan, y_test=Y)
    assert "arrays x_test and y_test, sample 0" in message


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (X.astype(complex), Y, "samples must be numbers\n"),
        (np.full((20, 3), "a"), Y, "samples must be numbers\n"),
        (X, Y.astype(complex), "labels must be numbers or text"),
        (X, np.array([b"\xff", b"b"])[Y], "labels are not text in UTF-8"),
        (X, np.arange(20).astype("M8[s]"), "y.astype(str) for names of classes"),
        (np.full((20, 3), "1.5"), Y, "x.astype(numpy.float32) makes numbers of text"),
        (X[:, 0], Y, "samples of a single value: x.reshape(-1, 1)"),
        (X[:, 0], Y, "samples or labels have the wrong shape"),
        (X, np.zeros((20, 2, 2)), "found: x (20, 3), y (20, 2, 2)"),
        (X, np.array(3), "samples or labels have the wrong shape"),
        (X, Y[:19], "found: 20 samples, 19 labels"),
        (X[:0], Y[:0], "the data set is empty"),
        (X[:, :0], Y, "the data set is empty"),
        (np.zeros((2, 65_536), np.int8), Y[:2], "found: 65,536 values; 65,535 are allowed"),
        (X[:1], Y[:1], "all labels are the same class"),
        (X, Y * 0 + 1, "found: 20 labels '1'"),
        (X, np.arange(20) % 3, "the last layer 'fc1' has 2 units for 3 classes"),
        (X, np.eye(2, dtype=int)[Y] + 1, "it is not clear what the labels mean"),
        (X, np.eye(2, dtype=int)[Y] + 1, "for one-hot rows: y.argmax(axis=1)"),
    ],
)
def test_arrays_that_are_no_samples(tmp_path: Path, x: Any, y: Any, words: str) -> None:
    assert words in npz_error(tmp_path, x=x, y=y)


@pytest.mark.parametrize(
    ("task", "y", "words"),
    [
        ("classification", Y + 0.5, "class labels must be whole numbers or text"),
        ("classification", Y + 0.5, "sample 0\n  found: label 0.5"),
        ("classification", X, "classification needs one label for each sample"),
        ("regression", np.array(["a", "b"])[Y], "regression needs numbers as labels"),
        ("regression", np.array(["a", "b"])[Y], 'text, such as "a"'),
    ],
)
def test_labels_of_the_wrong_kind(tmp_path: Path, task: str, y: Any, words: str) -> None:
    assert words in npz_error(tmp_path, spec={"task": task}, x=X, y=y)


def test_the_test_set_must_be_of_the_same_kind(tmp_path: Path) -> None:
    message = npz_error(tmp_path, x=X, y=Y, x_test=X[:, :2], y_test=Y)
    assert "training and test samples differ in shape" in message
    assert "(3,) for training, (2,) for test" in message
    names = np.array(["a", "b"])[Y]
    message = npz_error(tmp_path, x=X, y=names, x_test=X, y_test=Y)
    assert "only the test set has the class '0'" in message
    assert "found: 10 such labels; training: a, b" in message
    message = npz_error(tmp_path, x=X, y=Y, x_test=X, y_test=names)
    assert "only the test set has the class 'a'" in message
    message = npz_error(tmp_path, x=X, y=X, x_test=X, y_test=X[:, :2])
    assert "3 values for training, 2 for test" in message


def test_too_few_samples_to_split(tmp_path: Path) -> None:
    message = npz_error(tmp_path, spec={"test_fraction": 0.9}, x=X[:2], y=Y[:2])
    assert "there are too few samples to keep some for the test" in message
    assert "2 samples, test_fraction = 0.9" in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the data set is empty"),
        ("\n\n", "the data set is empty"),
        ("a,b,c\n", "the data set is empty"),
        ("1\n2\n", "'d.csv' has no column left for the samples"),
        ("1,2,0\n3,4,1\n5,6", "line 3 has 2 cells instead of 3"),
        ("1,2,0\n3,4,1\n5,6", "the file may be truncated"),
        ("1,2,0\n\n3,4,1,9\n", "line 3 has 4 cells instead of 3"),
        ("a,b,c\n1,2,0\n3,x,1\n", "where: d.csv, line 3, column 2 'b'\n  found: \"x\""),
        ("1,2,0\n3,,1\n", "a cell is empty\n  where: d.csv, line 2, column 2"),
        ("1,2,0\n3,1_0,1\n", "a cell is not a number\n  where: d.csv, line 2, column 2"),
        ("1,2,0\n3,4,\n", "a label is missing\n  where: d.csv, line 2, column 3"),
        ("1,2,0\n3,4," + "a" * 200, "a label is too long"),
        ("1,2,0\n\n3,nan,1\n", "a cell is missing\n  where: d.csv, line 3, column 2\n"),
        ("1,2,0\n3,4,7\n5,6,8\n", "found: classes: 0, 7, 8\n  help:  set units = 3"),
        ('1,2,0\n3,"4,1\n', "line 2 has 2 cells instead of 3"),
        ("1,2,0\n3,\0,1\n", "line 2"),
        ("1,2,0\n3,1e999,1\n", "x[1, 1] = inf"),
    ],
)
def test_csv(tmp_path: Path, text: str, words: str) -> None:
    assert words in csv_error(tmp_path, text)


def test_csv_columns(tmp_path: Path) -> None:
    text = "length,width,kind\n1,2,0\n3,4,1\n"
    message = csv_error(tmp_path, text, y="knd")
    assert "'d.csv' has no column 'knd'" in message
    assert "columns: length, width, kind" in message
    assert "did you mean 'kind'?" in message
    assert "the file has no header" in csv_error(tmp_path, "1,2,0\n3,4,1\n", y="kind")
    message = csv_error(tmp_path, text, y="length,width,kind", task="regression")
    assert "has no column left for the samples" in message


def test_csv_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_bytes(b"1,2,0\n\xff\xfe,3,1\n")
    message = error_of(make_spec(tmp_path, "d.csv"))
    assert "'d.csv' is not text in UTF-8\n  where: d.csv, line 2\n  found: byte 0xff" in message


def idx(shape: tuple[int, ...], raw: bytes, code: int = 8) -> bytes:
    return bytes((0, 0, code, len(shape))) + struct.pack(f">{len(shape)}I", *shape) + raw


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "'x.gz' is not an IDX file\n  where: x.gz\n  found: it starts with nothing"),
        (b"PNG.....", "found: it starts with 50 4e 47 2e"),
        (idx((3,), b"abc", code=7), "'x.gz' is not an IDX file"),
        (b"\0\0\x08\x03\0\0", "'x.gz' is truncated or damaged"),
        (idx((2, 3), b"abcde"), "5 bytes of values; the header says 6 (2, 3)"),
        (idx((2, 3), b"abcdefg"), "more bytes of values; the header says 6 (2, 3)"),
        (idx((1 << 31, 1 << 31), b"abc"), "'x.gz' is too large"),
        (idx((0, 3), b""), "the data set is empty"),
        (idx((3, 2), b"abcdef"), "found: 3 samples, 2 labels"),
        (idx((2, 2), b"\x7f\xc0\0\0" * 4, code=0x0D), "x[0, 0] = nan"),
        (b"\x1f\x8b\x08", "'x.gz' is not a complete gzip file"),
    ],
)
def test_idx(tmp_path: Path, raw: bytes, words: str) -> None:
    (tmp_path / "x.gz").write_bytes(raw)
    (tmp_path / "y.gz").write_bytes(idx((2,), b"\0\1"))
    assert words in error_of(make_spec(tmp_path, "x.gz", labels_file="y.gz"))


def test_a_truncated_gzip(tmp_path: Path) -> None:
    import gzip

    packed = gzip.compress(idx((1000, 3), bytes(range(250)) * 12))
    (tmp_path / "x.gz").write_bytes(packed[:-20])
    message = error_of(make_spec(tmp_path, "x.gz", labels_file="y.gz"))
    assert "'x.gz' is not a complete gzip file" in message


def test_idx_without_labels(tmp_path: Path) -> None:
    message = error_of(make_spec(tmp_path, "x.gz"))
    assert "the file of their labels is not named\n  where: [data], labels_file" in message
    (tmp_path / "x.gz").write_bytes(idx((2, 1), b"\0\1"))
    (tmp_path / "y.gz").write_bytes(idx((2,), b"\0\1"))
    message = error_of(make_spec(tmp_path, "x.gz", labels_file="y.gz", test_file="t.gz"))
    assert "[data], test_labels_file" in message


@pytest.mark.parametrize("name", ["d.npz", "d.csv"])
def test_labels_apart_are_for_idx_alone(tmp_path: Path, name: str) -> None:
    message = error_of(make_spec(tmp_path, name, labels_file="y.gz"))
    assert f"'{name}' holds its labels itself" in message
    assert "remove labels_file; only IDX and .npy files have their labels apart" in message


def test_fashion_mnist_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_FASHION_FOLDER", tmp_path / "none")
    message = error_of(make_spec(tmp_path, "fashion-mnist", units=10))
    assert "Fashion-MNIST is not installed" in message
    assert "apt-get install dataset-fashion-mnist" in message


def test_arrays_from_python_are_checked_too(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="where: arrays x, y, sample 0"):
        dataset_from_arrays(make_spec(tmp_path), X * np.nan, Y)


FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@FUZZ
@given(
    raw=st.binary(max_size=80)
    | st.text(alphabet='0123456789.,;-\t\n\r"eEnaif xyz\0', max_size=80).map(str.encode),
    name=st.sampled_from(["d.npz", "d.csv", "d.tsv", "d.gz", "d.idx"]),
    start=st.sampled_from(
        [b"", b"\x1f\x8b\x08\0\0\0\0\0", b"PK\x03\x04", b"\0\0\x08\1", b"\0\0\x0d\2"]
    ),
    task=st.sampled_from(["auto", "classification", "regression"]),
)
def test_no_bytes_crash_a_reader(
    tmp_path: Path, raw: bytes, name: str, start: bytes, task: str
) -> None:
    (tmp_path / name).write_bytes(start + raw)
    labels = {"labels_file": name} if name in ("d.gz", "d.idx") else {}
    with contextlib.suppress(DataError):
        load_dataset(make_spec(tmp_path, name, task=task, **labels))


SMALL = io.BytesIO()
np.savez(SMALL, x=X[:4].astype(np.int8), y=Y[:4])


@FUZZ
@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(SMALL.getvalue()) - 1), st.integers(0, 255)),
        min_size=1,
        max_size=4,
    ),
    cut=st.integers(0, 30),
)
def test_no_damage_crashes_the_npz_reader(
    tmp_path: Path, changes: list[tuple[int, int]], cut: int
) -> None:
    raw = bytearray(SMALL.getvalue())
    for at, byte in changes:
        raw[at] = byte
    (tmp_path / "d.npz").write_bytes(raw[: len(raw) - cut])
    with contextlib.suppress(DataError):
        load_dataset(make_spec(tmp_path))


@FUZZ
@given(
    header=st.text(max_size=60)
    | st.sampled_from(["{'descr':'O','shape':()}", "(" * 2000, "[" * 90])
)
def test_no_array_header_crashes_the_npz_reader(tmp_path: Path, header: str) -> None:
    text = header.encode("latin1", errors="replace")
    member = b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("x.npy", member)
    with contextlib.suppress(DataError):
        load_dataset(make_spec(tmp_path))
