"""What labels are taken for: classes by evidence, never a regression on classes in silence."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tpsgd_edge.errors import DataError, SpecError
from tpsgd_edge.frontend.classes import Asked
from tpsgd_edge.frontend.data import Dataset, dataset_from_arrays, load_dataset
from tpsgd_edge.frontend.labels import read_labels
from tpsgd_edge.frontend.samples import RawSamples
from tpsgd_edge.spec import Spec, spec_from_dict

RNG = np.random.default_rng(5)
N = 60
X = RNG.normal(size=(N, 4))
PLACES = np.arange(N) % 3
NAMES = np.array(["up", "down", "left"])


def make_spec(units: int = 3, extra: int = 0, **data: Any) -> Spec:
    return spec_from_dict(
        {
            "name": "net",
            "model": {"layers": [{"name": "out", "units": units}], "extra_classes": extra},
            "data": {"file": "d.npz", **data},
        }
    )


def dataset(y: NDArray[Any], units: int = 3, extra: int = 0, **data: Any) -> Dataset:
    return dataset_from_arrays(make_spec(units, extra, **data), X, y)


def error_of(y: NDArray[Any], units: int = 3, **data: Any) -> str:
    with pytest.raises(DataError) as error:
        dataset(y, units, **data)
    return str(error.value)


def classes_of(data: Dataset) -> list[str]:
    """The class of each sample by name, in the order of the samples in X."""
    order = {tuple(row): at for at, row in enumerate(X.astype(np.float32).tolist())}
    names = [""] * N
    for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test)):
        for row, label in zip(x.tolist(), y, strict=True):
            names[order[tuple(row)]] = data.class_names[label]
    return names


SAME = {
    "whole numbers": (PLACES, "0 1 2"),
    "bytes": (PLACES.astype(np.uint8), "0 1 2"),
    "a column": (PLACES[:, None], "0 1 2"),
    "real numbers": (PLACES.astype(np.float64), "0 1 2"),
    "float32 in a column": (PLACES.astype(np.float32)[:, None], "0 1 2"),
    "one-hot": (np.eye(3, dtype=int)[PLACES], "0 1 2"),
    "one-hot, real": (np.eye(3, dtype=np.float32)[PLACES], "0 1 2"),
    "one-hot, bytes": (np.eye(3, dtype=np.uint8)[PLACES], "0 1 2"),
    "one-hot, truth values": (np.eye(3, dtype=bool)[PLACES], "0 1 2"),
    "one-hot, up and down": (2 * np.eye(3)[PLACES] - 1, "0 1 2"),
    "one-hot, smoothed": (0.05 + 0.85 * np.eye(3)[PLACES], "0 1 2"),
    "one-hot, as pixels": (255 * np.eye(3, dtype=np.uint8)[PLACES], "0 1 2"),
    "from 1": (PLACES + 1, "1 2 3"),
    "from 1, real": (PLACES + 1.0, "1 2 3"),
    "odd numbers": (np.array([3, 5, 7])[PLACES], "3 5 7"),
    "around 0": (PLACES - 1, "-1 0 1"),
    "large numbers": (np.array([10, 200, 3000])[PLACES], "10 200 3000"),
    "large numbers, real": (np.array([1e3, 2e5, 3e9])[PLACES], "1000 200000 3000000000"),
    "text": (np.array(["a", "b", "c"])[PLACES], "a b c"),
    "text in bytes": (np.array([b"a", b"b", "ü".encode()])[PLACES], "a b ü"),
    "text with spaces": (np.array(["a ", " b", "c"])[PLACES], "a b c"),
}


@pytest.mark.parametrize("task", ["auto", "classification"])
@pytest.mark.parametrize("name", SAME)
def test_classes_in_many_dresses(name: str, task: str) -> None:
    y, names = SAME[name]
    data = dataset(y, task=task)
    assert (data.labels.kind, data.labels.count) == ("class", 3)
    assert data.class_names == tuple(names.split())
    assert classes_of(data) == [names.split()[place] for place in PLACES]
    assert data.said.labels.startswith(f"3 classes ({', '.join(names.split())}) from")
    assert data.said.notes == ()


@pytest.mark.parametrize(
    ("y", "names"),
    [
        (np.arange(N) % 2, "0 1"),
        (np.arange(N) % 2 == 1, "False True"),
        (np.arange(N) % 2 * 2 - 1, "-1 1"),
        (np.arange(N) % 2 * 2.0 - 1, "-1 1"),
        (np.arange(N) % 2 + 1, "1 2"),
    ],
)
def test_two_classes(y: NDArray[Any], names: str) -> None:
    data = dataset(y, 2)
    assert data.class_names == tuple(names.split())
    assert classes_of(data) == [names.split()[at % 2] for at in range(N)]


@pytest.mark.parametrize(
    "y",
    [
        np.arange(N) % 2,
        np.arange(N) % 2 * 1.0,
        (np.arange(N) % 2)[:, None],
        np.arange(N) % 2 * 2 - 1,
    ],
)
def test_one_unit_for_two_classes_is_asked_about(y: NDArray[Any]) -> None:
    message = error_of(y, 1)
    assert "it is not clear whether labels are classes or real values" in message
    assert "for classes: units = 2 (a single sigmoid unit for 0 and 1 becomes two units)" in message
    assert 'for real values: data.task = "regression"' in message
    assert dataset(y, 1, task="regression").labels.kind == "vector"
    message = error_of(y, 1, task="classification")
    assert "the last layer 'out' has 1 unit for 2 classes" in message


def test_a_net_with_one_output_says_what_to_do() -> None:
    asked = Asked(task="auto", units=1, source="net.onnx")
    raw = RawSamples(X, np.arange(N) % 2, "d.npz")
    with pytest.raises(DataError, match="for classes: a net with 2 outputs, one for each class"):
        read_labels(raw, None, asked)
    # A net that was trained with one output for several numbers is a regression.
    raw = RawSamples(X, PLACES, "d.npz")
    assert read_labels(raw, None, asked).labels.kind == "vector"


def test_a_few_whole_numbers_for_one_unit_are_asked_about() -> None:
    for y in (PLACES, PLACES * 1.0, PLACES + 1):
        message = error_of(y, 1)
        assert "3 whole numbers (" in message
        assert "for classes: units = 3; for real values" in message
    # Many different ones are what one unit says: a real value.
    data = dataset(RNG.permutation(N), 1)
    assert (data.labels.kind, data.said.labels) == ("vector", "1 real value from y")


def test_real_values() -> None:
    data = dataset(X[:, 0], 1)
    assert (data.labels.kind, data.labels.count) == ("vector", 1)
    data = dataset(X[:, :3], 3)
    assert data.said.labels == "3 real values from y"
    # Rows of probabilities, and several ones in a row, are no classes.
    soft = np.full((N, 3), 1 / 3) + np.eye(3)[PLACES] / 9
    assert dataset(soft).labels.kind == "vector"
    assert dataset(np.array([[1.0, 1, 0], [0, 1, 1]])[PLACES % 2]).labels.kind == "vector"
    assert dataset(np.eye(3)[PLACES], task="regression").labels.kind == "vector"


@pytest.mark.parametrize(
    ("y", "units", "words"),
    [
        (X[:, 0], 3, "labels are real numbers, but the last layer has several units"),
        (X[:, 0], 3, "for one real value: units = 1 and data.task"),
        (X[:, :2], 3, "the last layer 'out' has 3 units for 2 label values"),
        (X[:, :2], 3, "set units = 2"),
        (X[:, :1] * 0 + 2.5, 1, "all labels are the same value"),
        (np.arange(N) % 5, 3, "the last layer 'out' has 3 units for 5 classes"),
        (np.arange(N) % 5, 3, "set units = 5"),
        (np.arange(N) % 2, 3, "data.classes = [...] names all 3, if some have no samples here"),
        (np.arange(N), 3, 'for real values: units = 1 and data.task = "regression"'),
        (np.where(np.arange(N) == 7, 9, PLACES), 3, "sample 7, label '9'"),
        (np.array([f"s{i}" for i in range(N)]), 3, "nearly every sample has a label of its own"),
        (np.array(["a", "b"])[np.eye(2, dtype=int)[PLACES % 2]], 2, "found: text of shape (60, 2)"),
    ],
)
def test_words(y: NDArray[Any], units: int, words: str) -> None:
    assert words in error_of(y, units)


def test_places_may_have_no_samples() -> None:
    data = dataset(np.array([0, 2])[PLACES % 2])
    assert data.class_names == ("0", "1", "2")
    assert set(data.y_train) == {0, 2}
    assert data.said.notes == ("no training sample is of class 1",)


def test_new_classes_come_behind_numbered_ones() -> None:
    data = dataset(PLACES, 3, extra=2)
    assert data.class_names == ("0", "1", "2", "extra 1", "extra 2")
    data = dataset(np.array([0, 1, 4])[PLACES], 3, extra=2)
    assert data.class_names == ("0", "1", "2", "3", "4")
    data = dataset(PLACES + 1, 3, extra=1)
    assert data.class_names == ("1", "2", "3", "extra 1")
    assert classes_of(data) == [str(place + 1) for place in PLACES]


ORDER = ["up", "down", "left"]


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (NAMES[PLACES], ORDER),
        (PLACES, ORDER),
        (PLACES * 1.0, ORDER),
        (PLACES + 1, ORDER),
        (np.eye(3)[PLACES], ORDER),
        (np.array([7, 3, 5])[PLACES], [7, 3, 5]),
        (np.array([7.0, 3.0, 5.0])[PLACES], [7.0, 3.0, 5.0]),
        (np.array([7, 3, 5])[PLACES], ["7", "3", "5"]),
    ],
)
def test_the_spec_gives_the_order(y: NDArray[Any], classes: list[Any]) -> None:
    data = dataset(y, classes=classes)
    names = [str(int(name)) if isinstance(name, float) else str(name) for name in classes]
    assert data.class_names == tuple(names)
    assert classes_of(data) == [names[place] for place in PLACES]
    assert data.said.notes == ()


def test_the_spec_may_name_classes_that_are_not_here() -> None:
    data = dataset(NAMES[PLACES], 4, classes=["left", "right", "up", "down"])
    assert data.class_names == ("left", "right", "up", "down")
    assert classes_of(data) == NAMES[PLACES].tolist()
    assert data.said.notes == ("no training sample is of class right",)


def test_labels_that_the_spec_does_not_name() -> None:
    message = error_of(NAMES[PLACES], classes=["upp", "down", "left"])
    assert "the label 'up' is not among data.classes" in message
    assert "arrays x, y, sample 0" in message
    assert "did you mean 'upp'?" in message
    assert "classes: upp, down, left; 20 such labels" in message
    assert "the label '3' is not among" in error_of(PLACES + 1, classes=["0", "1", "2"])


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        (["up", "up"], "'classes' holds 'up' twice"),
        (["up"], "'classes' looks like"),
        ([], "'classes' looks like"),
        ("up", "'classes' looks like"),
        ([["up"], ["down"]], "'classes' looks like"),
    ],
)
def test_lists_that_name_no_classes(classes: Any, words: str) -> None:
    with pytest.raises(SpecError, match=words.replace("[", r"\[")):
        make_spec(classes=classes)


def test_classes_of_the_test_set_alone() -> None:
    def two(y: Any, y_test: Any, units: int = 3) -> Dataset:
        return dataset_from_arrays(make_spec(units), X, y, X[:6] + 1, y_test)

    names = NAMES[PLACES]
    for test in (["up", "rihgt", "up"] * 2, ["up", "rihgt", "down"] * 2):
        with pytest.raises(DataError) as error:
            two(names, np.array(test))
        message = str(error.value)
        assert "only the test set has the class 'rihgt'" in message
        assert "arrays x_test, y_test, sample 1" in message
        assert "training: down, left, up" in message
    with pytest.raises(DataError, match="only the test set has the class '9'"):
        two(PLACES + 1, np.array([1, 2, 3, 9, 1, 2]))
    # Where the net has an output for it, it may be learned later.
    data = two(names, np.array(["up", "right"] * 3), units=4)
    assert data.said.notes == ("no training sample is of class right",)


def write(folder: Path, text: str, **keys: Any) -> Dataset:
    (folder / "d.csv").write_text(text)
    spec = make_spec(**{"file": "d.csv", **keys})
    spec._folder = folder
    return load_dataset(spec)


def rows(label: Any) -> str:
    return "".join(f"{x[0]:.3f},{x[1]:.3f},{label(i)}\n" for i, x in enumerate(X))


def test_one_hot_columns_of_a_table_have_names(tmp_path: Path) -> None:
    bits = ["1,0,0", "0,1,0", "0,0,1"]
    text = "a,b,cat,dog,bird\n" + rows(lambda i: bits[i % 3])
    data = write(tmp_path, text, y="cat,dog,bird")
    assert data.class_names == ("cat", "dog", "bird")
    assert data.y_train.ndim == 1
    assert (
        "from one-hot rows of column 3 'cat', column 4 'dog', column 5 'bird'" in data.said.labels
    )
    assert write(tmp_path, text, y="cat,dog,bird", task="regression").labels.kind == "vector"
    truths = text.replace("1,0,0\n", "True,False,False\n")
    assert write(tmp_path, truths, y="cat,dog,bird").class_names == ("cat", "dog", "bird")
    data = write(tmp_path, text, y="cat,dog,bird", classes=["Katze", "Hund", "Vogel"])
    assert data.class_names == ("Katze", "Hund", "Vogel")
    with pytest.raises(DataError, match=r'set data\.y = "cat, dog, bird"'):
        write(tmp_path, text)


def test_the_wrong_column_is_met_by_advice(tmp_path: Path) -> None:
    text = "kind,a,b\n" + "".join(f"{i % 3},{x[0]:.3f},{x[1]:.3f}\n" for i, x in enumerate(X))
    with pytest.raises(DataError) as error:
        write(tmp_path, text)
    message = str(error.value)
    assert "labels are real numbers, but the last layer has several units" in message
    assert 'if the labels are in another column, set data.y = "kind"' in message
    assert write(tmp_path, text, y="kind").labels.kind == "class"


def test_a_column_and_its_table_are_named(tmp_path: Path) -> None:
    data = write(tmp_path, "a,b,kind\n" + rows(lambda i: NAMES[i % 3]))
    assert data.said.labels == "3 classes (down, left, up) from column 3 'kind'"
    data = write(tmp_path, rows(lambda i: i % 3))
    assert data.said.labels == "3 classes (0, 1, 2) from column 3"


def test_step_labels_in_real_numbers() -> None:
    layers = [{"kind": "rnn", "name": "r", "units": 4}, {"name": "out", "units": 3}]
    spec = spec_from_dict({"name": "n", "model": {"layers": layers}, "data": {"file": "d.npz"}})
    x = RNG.normal(size=(30, 5, 2))
    steps = np.arange(150).reshape(30, 5) % 3
    for y in (steps, steps * 1.0, np.eye(3)[steps], np.eye(3, dtype=int)[steps]):
        data = dataset_from_arrays(spec, x, y)
        assert (data.labels.kind, data.labels.each_step) == ("class", True)
        assert data.y_train.shape == (24, 5)
    one_hot = np.eye(3)[np.arange(30) % 3]
    data = dataset_from_arrays(spec, RNG.normal(size=(30, 3, 2)), one_hot)
    assert (data.labels.kind, data.labels.each_step) == ("class", False)


def test_the_same_samples_in_both_sets_are_noted() -> None:
    fresh = RNG.normal(size=(20, 4))
    data = dataset_from_arrays(make_spec(), X, PLACES, X, PLACES)
    assert "all test samples are training samples too" in data.said.notes[0]
    mixed = np.concatenate([X[:5], fresh[:15]])
    data = dataset_from_arrays(make_spec(), X, PLACES, mixed, PLACES[:20])
    assert data.said.notes == (
        "25 % of the test samples are training samples too, value for value",
    )
    data = dataset_from_arrays(make_spec(), X, PLACES, fresh, PLACES[:20])
    assert data.said.notes == ()
    twice = np.concatenate([X, X])
    data = dataset_from_arrays(make_spec(), twice, np.concatenate([PLACES, PLACES]))
    assert "of the test samples are training samples too" in data.said.notes[0]
