"""Data sets that are good: formats, labels, split, order, scaling."""

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tpsgd_edge.frontend.data import (
    Dataset,
    dataset_from_arrays,
    input_scaling,
    label_scaling,
    load_dataset,
)
from tpsgd_edge.frontend.split import drawn_order
from tpsgd_edge.spec import Spec, spec_from_dict

RNG = np.random.default_rng(0)
X = RNG.integers(0, 17, (50, 6)).astype(np.uint8)
Y = (np.arange(50) % 3).astype(np.uint8)


def make_spec(folder: Path, file: str = "d.npz", *, units: int = 3, **data: Any) -> Spec:
    content = {
        "name": "toy",
        "model": {"layers": [{"name": "fc1", "units": 4}, {"name": "fc2", "units": units}]},
        "data": {"file": file, **data},
    }
    return spec_from_dict(content, folder=folder)


def write_idx(path: Path, array: NDArray[Any], *, packed: bool = True) -> None:
    codes = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
    big = array.astype(array.dtype.newbyteorder(">"))
    code = codes[array.dtype.str[1:]]
    header = bytes((0, 0, code, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    raw = header + big.tobytes()
    path.write_bytes(gzip.compress(raw) if packed else raw)


def rows_of(dataset: Dataset) -> set[tuple[float, ...]]:
    return {
        (*x.tolist(), float(y))
        for xs, ys in ((dataset.x_train, dataset.y_train), (dataset.x_test, dataset.y_test))
        for x, y in zip(xs, np.ravel(ys), strict=True)
    }


ROWS = {(*map(float, x.tolist()), float(y)) for x, y in zip(X, Y, strict=True)}


def test_npz(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=X, y=Y)
    data = load_dataset(make_spec(tmp_path))
    assert data.x_train.shape == (40, 6)
    assert data.x_test.shape == (10, 6)
    assert data.x_train.dtype == np.uint8
    assert data.y_train.dtype == np.int64
    assert (data.labels.kind, data.labels.count) == ("class", 3)
    assert data.class_names == ("0", "1", "2")
    assert data.input_shape == (6,)
    assert data.source == "d.npz"
    assert rows_of(data) == ROWS


def test_npz_compressed_with_other_names(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "d.npz", images=X, digit=Y)
    data = load_dataset(make_spec(tmp_path, x="images", y="digit"))
    assert rows_of(data) == ROWS


def test_npz_with_its_own_test_set(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=X[:30], y=Y[:30], x_test=X[30:], y_test=Y[30:])
    data = load_dataset(make_spec(tmp_path))
    np.testing.assert_array_equal(data.x_test, X[30:])
    np.testing.assert_array_equal(data.y_test, Y[30:])
    assert len(data.x_train) == 30


def test_a_test_file_of_another_format(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=X, y=Y)
    (tmp_path / "t.csv").write_text("1,2,3,4,5,6,0\n6,5,4,3,2,1,2\n")
    data = load_dataset(make_spec(tmp_path, test_file="t.csv"))
    assert len(data.x_train) == 50
    assert data.x_test.tolist() == [[1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1]]
    assert data.y_test.tolist() == [0, 2]


@pytest.mark.parametrize("packed", [True, False])
def test_idx_images_are_flattened(tmp_path: Path, *, packed: bool) -> None:
    images = X[:, :6].reshape(50, 2, 3)
    write_idx(tmp_path / "images-idx3-ubyte", images, packed=packed)
    write_idx(tmp_path / "labels-idx1-ubyte", Y, packed=packed)
    data = load_dataset(make_spec(tmp_path, "images-idx3-ubyte", labels_file="labels-idx1-ubyte"))
    assert data.input_shape == (2, 3)
    assert rows_of(data) == ROWS


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "f4", "f8"])
def test_idx_types(tmp_path: Path, dtype: str) -> None:
    write_idx(tmp_path / "x.gz", X.astype(dtype))
    write_idx(tmp_path / "y.gz", Y.astype(np.int32))
    assert rows_of(load_dataset(make_spec(tmp_path, "x.gz", labels_file="y.gz"))) == ROWS


def csv_lines(labels: list[Any], separator: str = ",") -> list[str]:
    return [separator.join([*map(str, x.tolist()), str(y)]) for x, y in zip(X, labels, strict=True)]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("header", [None, "a b c d e f label", "0 1 2 3 4 5 label"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv(tmp_path: Path, separator: str, header: str | None, end: str) -> None:
    lines = csv_lines(Y.tolist(), separator)
    if header is not None:
        lines.insert(0, header.replace(" ", separator))
    (tmp_path / "d.csv").write_bytes(end.join([*lines, "", ""]).encode())
    assert rows_of(load_dataset(make_spec(tmp_path, "d.csv"))) == ROWS


def test_csv_with_a_byte_order_mark_and_quotes(tmp_path: Path) -> None:
    lines = ['"a, or so",b,c,d,e,f,label', *csv_lines(Y.tolist())]
    (tmp_path / "d.csv").write_text("\n".join(lines), encoding="utf-8-sig")
    assert rows_of(load_dataset(make_spec(tmp_path, "d.csv"))) == ROWS


def test_csv_with_the_label_in_a_named_column(tmp_path: Path) -> None:
    lines = ["kind,a,b", *(f"{i % 2},{i},{-i}" for i in range(20))]
    (tmp_path / "d.csv").write_text("\n".join(lines))
    data = load_dataset(make_spec(tmp_path, "d.csv", y="kind", units=2))
    assert data.x_train.shape == (16, 2)
    np.testing.assert_array_equal(data.y_train, data.x_train[:, 0] % 2)


def test_a_column_called_y_is_the_label(tmp_path: Path) -> None:
    lines = ["y,a", *(f"{i % 2},{i}" for i in range(20))]
    (tmp_path / "d.csv").write_text("\n".join(lines))
    data = load_dataset(make_spec(tmp_path, "d.csv", units=2))
    np.testing.assert_array_equal(data.y_train, data.x_train[:, 0] % 2)


def test_csv_with_class_names(tmp_path: Path) -> None:
    names = ["setosa", "virginica", "versicolor"]
    (tmp_path / "d.csv").write_text("\n".join(csv_lines([names[y] for y in Y])))
    data = load_dataset(make_spec(tmp_path, "d.csv"))
    assert data.class_names == ("setosa", "versicolor", "virginica")
    back = {data.class_names[int(row[-1])] + str(row[:-1]) for row in rows_of(data)}
    assert back == {names[int(row[-1])] + str(row[:-1]) for row in ROWS}


def test_csv_with_label_vectors(tmp_path: Path) -> None:
    lines = ["a,u,v", *(f"{i},{2 * i},{0.5 * i}" for i in range(20))]
    (tmp_path / "d.csv").write_text("\n".join(lines))
    data = load_dataset(make_spec(tmp_path, "d.csv", y="u, v", units=2, task="regression"))
    assert (data.labels.kind, data.labels.count) == ("vector", 2)
    np.testing.assert_allclose(data.y_train, data.x_train * [2, 0.5])


@pytest.mark.parametrize(
    ("y", "task", "kind"),
    [
        (Y, "auto", "class"),
        (Y[:, None].astype(np.int16), "auto", "class"),
        (Y.astype(float), "auto", "class"),
        (Y.astype(float), "classification", "class"),
        (Y[:, None] * [1, 2, 3], "regression", "vector"),
        (Y.astype(float)[:, None] * [1, 2, 3], "auto", "vector"),
        (np.array(["a", "b", "c"])[Y], "auto", "class"),
    ],
)
def test_what_labels_mean(tmp_path: Path, y: NDArray[Any], task: str, kind: str) -> None:
    data = dataset_from_arrays(make_spec(tmp_path, task=task), X, y)
    assert data.labels.kind == kind
    assert data.y_train.dtype == (np.int64 if kind == "class" else np.float64)
    assert data.y_train.ndim == (1 if kind == "class" else 2)


def test_the_split_follows_the_seed_alone(tmp_path: Path) -> None:
    def read(seed: int) -> Dataset:
        spec = make_spec(tmp_path).model_copy(update={"seed": seed})
        return dataset_from_arrays(spec, X, Y)

    one, again, other = read(1), read(1), read(2)
    np.testing.assert_array_equal(one.x_train, again.x_train)
    assert (one.x_train != other.x_train).any()
    # The contract's generator, so every machine splits the same way.
    assert drawn_order(1, 10).tolist() == [2, 7, 0, 6, 5, 9, 4, 8, 1, 3]


def test_limit_keeps_the_test_set(tmp_path: Path) -> None:
    whole = dataset_from_arrays(make_spec(tmp_path), X, Y)
    part = dataset_from_arrays(make_spec(tmp_path, limit=7), X, Y)
    np.testing.assert_array_equal(part.x_train, whole.x_train[:7])
    np.testing.assert_array_equal(part.x_test, whole.x_test)
    assert part.labels == whole.labels


def test_scaling_none_and_unit(tmp_path: Path) -> None:
    x = np.array([[-4, 2], [1, 0]], np.float32)
    for scaling, std in (("none", 1.0), ("unit", 4.0)):
        mean, dev = input_scaling(make_spec(tmp_path, scaling=scaling), x)
        assert (mean.tolist(), dev.tolist()) == ([0.0], [std])
    zeros = np.zeros((3, 2), np.float32)
    assert input_scaling(make_spec(tmp_path, scaling="unit"), zeros)[1].tolist() == [1.0]
    with pytest.raises(ValueError, match="scaling follows from the data"):
        input_scaling(make_spec(tmp_path), zeros)


def test_scaling_standard(tmp_path: Path) -> None:
    x = np.array([[0, 0.1, 5], [2, 0.1, 7], [4, 0.1, 0]], np.float32)
    mean, std = input_scaling(make_spec(tmp_path, scaling="standard"), x)
    assert mean.dtype == std.dtype == np.float64
    np.testing.assert_allclose(mean, x.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(std[[0, 2]], x.std(axis=0)[[0, 2]], rtol=1e-6)
    assert std[1] == 1


def test_standard_scaling_of_many_rows(tmp_path: Path) -> None:
    x = RNG.normal(3, 2, (10_000, 2)).astype(np.float32)
    mean, std = input_scaling(make_spec(tmp_path, scaling="standard"), x)
    np.testing.assert_allclose(mean, x.mean(axis=0, dtype=float))
    np.testing.assert_allclose(std, x.std(axis=0, dtype=float))


@pytest.mark.parametrize(
    ("activation", "low", "high"),
    [
        ("tanh", -1, 1),
        ("hard_tanh", -1, 1),
        ("sigmoid", 0, 1),
        ("relu", 0, 1),
        ("relu6", 0, 1),
        ("leaky_relu", 0, 1),
    ],
)
def test_labels_fit_a_bounded_last_layer(
    tmp_path: Path, activation: str, low: float, high: float
) -> None:
    y = np.array([[100.0, 7.0], [300.0, 7.0], [250.0, 7.0]])
    spec = make_spec(tmp_path)
    layers = (
        spec.model.layers[0],
        spec.model.layers[1].model_copy(update={"activation": activation}),
    )
    spec = spec.model_copy(update={"model": spec.model.model_copy(update={"layers": layers})})
    mean, std = label_scaling(spec, y)
    scaled = (y - mean) / std
    assert (scaled[:, 0].min(), scaled[:, 0].max()) == (low, high)
    assert (scaled[:, 1] == 0).all()


def test_labels_of_a_linear_last_layer_are_standardised(tmp_path: Path) -> None:
    y = RNG.normal(150, 80, (100, 1))
    mean, std = label_scaling(make_spec(tmp_path), y)
    np.testing.assert_allclose([mean[0], std[0]], [y.mean(), y.std()])
    assert label_scaling(make_spec(tmp_path), Y)[1].tolist() == [1.0]


def test_digits() -> None:
    examples = Path(__file__).parents[2] / "examples"
    data = load_dataset(make_spec(examples, "digits.npz", units=10))
    assert len(data.x_train) + len(data.x_test) == 1797
    assert data.x_train.max() == 16


@pytest.mark.skipif(
    not Path("/usr/share/datasets/fashion-mnist").is_dir(), reason="Fashion-MNIST is not installed"
)
def test_fashion_mnist(tmp_path: Path) -> None:
    data = load_dataset(make_spec(tmp_path, "fashion-mnist", units=10, limit=100))
    assert data.x_train.shape == (100, 784)
    assert data.x_test.shape == (10_000, 784)
    assert data.class_names[9] == "ankle boot"
    assert data.said.labels.startswith("10 classes (T-shirt, trouser, ")
    # Another domain may have the numbers alone, and more of them.
    images, labels = data.x_train.reshape(-1, 28, 28), data.y_train
    np.savez(tmp_path / "mine.npz", x=images, y=labels)
    mine = load_dataset(make_spec(tmp_path, "mine.npz", units=10, source_file="fashion-mnist"))
    assert mine.class_names == data.class_names
    assert (np.sort(np.concatenate([mine.y_train, mine.y_test])) == np.sort(labels)).all()
    assert data.input_shape == (28, 28)
