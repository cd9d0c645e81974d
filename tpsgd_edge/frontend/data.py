"""The data set of a spec, from whatever file holds it to a `Dataset`."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.csv_file import read_csv
from tpsgd_edge.frontend.idx import read_idx
from tpsgd_edge.frontend.labels import LabelledBy, read_labels
from tpsgd_edge.frontend.layout import arranged
from tpsgd_edge.frontend.npz import read_npz
from tpsgd_edge.frontend.samples import RawSamples, check_samples
from tpsgd_edge.frontend.scaling import input_scaling, label_scaling
from tpsgd_edge.frontend.split import drawn_order
from tpsgd_edge.graph import Labels
from tpsgd_edge.spec import FASHION_MNIST, RecurrentSpec, Spec

__all__ = ["Dataset", "dataset_from_arrays", "input_scaling", "label_scaling", "load_dataset"]

_FASHION_FOLDER = Path("/usr/share/datasets/fashion-mnist")
_FASHION_CLASSES = (
    "T-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
Samples = NDArray[np.float32] | NDArray[np.uint8]

_NPZ, _CSV = (".npz",), (".csv", ".tsv", ".txt")
_IDX = (".gz", ".idx", "-ubyte")
_FORMATS = 'data can be .npz, .csv, .tsv or IDX (plain or .gz), or file = "fashion-mnist"'


@dataclass(frozen=True, slots=True)
class Dataset:
    """Samples as they are, flattened, and their labels.

    The training set is in an order drawn from the seed.

    Attributes:
        x_train, x_test: float32 (n, n_in), not scaled; uint8 where the file holds bytes, because
            four times the memory costs more time than all else in a build.
        y_train, y_test: int64 class indices (n,), or float64 vectors (n, K), not scaled; (n, T) and
            (n, T, K) where each step of a sequence has a label.
        class_names: empty for vectors.
        input_shape: of one sample before it was flattened.
        source: the file's name, without its folder.
        origin: of the domain that the net comes from, where it is another one.
    """

    x_train: Samples
    y_train: NDArray[Any]
    x_test: Samples
    y_test: NDArray[Any]
    labels: Labels
    class_names: tuple[str, ...]
    input_shape: tuple[int, ...]
    source: str
    origin: "Dataset | None" = None

    @property
    def first(self) -> "Dataset":
        """Of the domain that the net comes from: what scales and first weights are made for."""
        return self.origin or self


def load_dataset(spec: Spec) -> Dataset:
    """The data set that the spec names, read, checked and split.

    Raises:
        DataError: what is wrong with the file or with what it holds.
    """
    origin = None
    if spec.data.source_file is not None:
        named = {"file": spec.data.source_file, "labels_file": spec.data.source_labels_file}
        there = named | {"test_file": None, "test_labels_file": None, "limit": None}
        own = spec.model_copy(update={"data": spec.data.model_copy(update=there)})
        origin = _load(own, None)
    return _load(spec, origin)


def raw_labels(spec: Spec) -> NDArray[Any]:
    """The training labels as the file has them, before anything about them is decided."""
    return _read_sets(spec)[0].y


def _load(spec: Spec, origin: Dataset | None) -> Dataset:
    train, test = _read_sets(spec)
    dataset = _make_dataset(spec, train, test, source=Path(spec.data.file).name, origin=origin)
    if spec.data.file == FASHION_MNIST:
        names = (*_FASHION_CLASSES, *dataset.class_names[len(_FASHION_CLASSES) :])
        return replace(dataset, class_names=names)
    return dataset


def dataset_from_arrays(
    spec: Spec,
    x: NDArray[Any],
    y: NDArray[Any],
    x_test: NDArray[Any] | None = None,
    y_test: NDArray[Any] | None = None,
    *,
    origin: Dataset | None = None,
) -> Dataset:
    """A data set from arrays, checked and split as `load_dataset` does.

    Args:
        origin: of the domain that the net comes from.

    Raises:
        DataError: what is wrong with the arrays.
    """
    train = RawSamples(np.asarray(x), np.asarray(y), "arrays x, y")
    test = None
    if x_test is not None and y_test is not None:
        test = RawSamples(np.asarray(x_test), np.asarray(y_test), "arrays x_test, y_test")
    return _make_dataset(spec, train, test, source="arrays", origin=origin)


def _make_dataset(
    spec: Spec,
    train: RawSamples,
    test: RawSamples | None,
    source: str,
    origin: Dataset | None,
) -> Dataset:
    train, test = arranged(spec, train), None if test is None else arranged(spec, test)
    steps = _steps(spec, train)
    check_samples(train, steps=steps)
    if test is not None:
        check_samples(test, steps=steps)
        if train.x.shape[1:] != test.x.shape[1:]:
            raise DataError(
                "training and test samples differ in shape",
                where=test.where,
                found=f"{train.x.shape[1:]} for training, {test.x.shape[1:]} for test",
            )
    known = () if origin is None else _without_room(origin.class_names)
    labelled = _with_room(spec, _read_all_labels(spec, train, test, steps, known))
    if origin is not None:
        _check_kin(origin, train, labelled.labels)
    order = drawn_order(spec.seed, len(train.x))
    if test is None or labelled.y_test is None:
        n_test = _test_count(spec, train)
        held_out, order = order[:n_test], order[n_test:]
        x_test, y_test = _flat(train.x[held_out]), labelled.y_train[held_out]
    else:
        x_test, y_test = _flat(test.x), labelled.y_test
    order = order[: spec.data.limit]
    return Dataset(
        x_train=_flat(train.x[order]),
        y_train=labelled.y_train[order],
        x_test=x_test,
        y_test=y_test,
        labels=labelled.labels,
        class_names=labelled.class_names,
        input_shape=train.x.shape[1:],
        source=source,
        origin=origin,
    )


def _with_room(spec: Spec, labelled: LabelledBy) -> LabelledBy:
    """The labels with classes that are still to come."""
    extra, names = spec.model.extra_classes, labelled.class_names
    if not extra or labelled.labels.kind != "class":
        return labelled
    count = spec.model.n_out
    if len(names) > count:
        raise DataError(
            "there are more classes than the model has room for",
            where="[model], extra_classes",
            found=f"{len(names)} classes; {count - extra} units and {extra} extra ones",
            help=f"set extra_classes = {len(names) - count + extra}",
        )
    names = (*names, *(_room(index) for index in range(1, count - len(names) + 1)))
    return replace(labelled, labels=replace(labelled.labels, count=count), class_names=names)


def _without_room(names: tuple[str, ...]) -> tuple[str, ...]:
    room = {_room(index) for index in range(1, len(names) + 1)}
    return tuple(name for name in names if name not in room)


def _room(index: int) -> str:
    return f"extra {index}"


def _check_kin(origin: Dataset, train: RawSamples, labels: Labels) -> None:
    found = f"samples {origin.input_shape}, {origin.labels.count} {_noun(origin.labels)} there; "
    found += f"{train.x.shape[1:]}, {labels.count} {_noun(labels)} here"
    if origin.input_shape != train.x.shape[1:] or origin.labels != labels:
        raise DataError(
            "the samples are not of the kind that the net comes from",
            where=f"{train.where}; source_file: {origin.source}",
            found=found,
            help="both need one shape and the same labels; room for more: model.extra_classes",
        )


def _noun(labels: Labels) -> str:
    return "classes" if labels.kind == "class" else "label values"


def _steps(spec: Spec, raw: RawSamples) -> int | None:
    """The length of the sequences that a recurrent model reads; None for other models."""
    if not isinstance(spec.model.layers[0], RecurrentSpec) or raw.x.ndim < 2:
        return None
    shape = spec.data.input_shape or (1, *raw.x.shape[1:])
    return int(shape[1])


def _read_all_labels(
    spec: Spec,
    train: RawSamples,
    test: RawSamples | None,
    steps: int | None,
    known: tuple[str, ...],
) -> LabelledBy:
    """Labels of both sets; where each step of a sequence has one, they are read as a long list."""
    units, task = spec.model.n_out, spec.data.task
    if not _has_step_labels(train, steps, units):
        return read_labels(train, test, task=task, units=units, known=known)
    rows = _steps_in_a_row(train), test and _steps_in_a_row(test)
    labelled = read_labels(*rows, task=task, units=units, known=known)
    y_train, y_test = labelled.y_train, labelled.y_test
    return replace(
        labelled,
        labels=replace(labelled.labels, each_step=True),
        y_train=y_train.reshape(-1, steps or 1, *y_train.shape[1:]),
        y_test=None if y_test is None else y_test.reshape(-1, steps or 1, *y_test.shape[1:]),
    )


def _has_step_labels(raw: RawSamples, steps: int | None, units: int) -> bool:
    """Whether labels are (n, steps) of classes, (n, steps) of one value or (n, steps, K)."""
    if steps is None or raw.y.ndim == 3:
        return raw.y.ndim == 3
    is_vector = raw.y.dtype.kind == "f" and units != 1
    return raw.y.ndim == 2 and raw.y.shape[1] == steps > 1 and not is_vector


def _steps_in_a_row(raw: RawSamples) -> RawSamples:
    return RawSamples(raw.x, raw.y.reshape(-1, *raw.y.shape[2:]), f"{raw.where}, step by step")


def _flat(x: NDArray[Any]) -> Samples:
    flat = x.reshape(len(x), -1)
    return flat if flat.dtype == np.uint8 else flat.astype(np.float32)


def _test_count(spec: Spec, train: RawSamples) -> int:
    count = len(train.x)
    n_test = max(1, round(count * spec.data.test_fraction))
    if n_test >= count:
        raise DataError(
            "there are too few samples to keep some for the test",
            where=train.where,
            found=f"{count} samples, test_fraction = {spec.data.test_fraction:g}",
            help="give more samples, a smaller test_fraction, or a test_file",
        )
    return n_test


def _read_sets(spec: Spec) -> tuple[RawSamples, RawSamples | None]:
    data = spec.data
    if data.file == FASHION_MNIST:
        return _read_fashion("train"), _read_fashion("t10k")
    path = spec.folder / data.file
    suffix = _suffix(path)
    if data.test_file is not None:
        test_path = spec.folder / data.test_file
        test = _read_one(spec, test_path, data.test_labels_file, key="test_labels_file")
        return _read_one(spec, path, data.labels_file, key="labels_file"), test
    if suffix in _NPZ and data.labels_file is None:
        return _read_npz_sets(spec, path)
    return _read_one(spec, path, data.labels_file, key="labels_file"), None


def _suffix(path: Path) -> str:
    name = path.name.lower()
    for suffix in (*_NPZ, *_CSV, *_IDX):
        if name.endswith(suffix):
            return suffix
    raise DataError(
        f"the data file '{path.name}' is of an unknown kind",
        where="[data], file",
        found=f"the ending '{path.suffix}'",
        help=_FORMATS,
    )


def _read_one(spec: Spec, path: Path, labels_file: str | None, *, key: str) -> RawSamples:
    suffix = _suffix(path)
    if labels_file is not None and suffix not in _IDX:
        raise DataError(
            f"'{path.name}' holds its labels itself",
            where=f"[data], {key}",
            found=f'{key} = "{labels_file}"',
            help=f"remove {key}; only IDX files have their labels apart",
        )
    if suffix in _NPZ:
        arrays = read_npz(path)
        return _pick(arrays, spec.data.x, spec.data.y, path)
    if suffix in _CSV:
        return read_csv(path, spec.data.y)
    if labels_file is None:
        raise DataError(
            f"'{path.name}' holds samples only; the file of their labels is not named",
            where=f"[data], {key}",
            help=f'add {key} = "...-labels-idx1-ubyte.gz"',
        )
    return RawSamples(read_idx(path), read_idx(spec.folder / labels_file), path.name)


def _read_npz_sets(spec: Spec, path: Path) -> tuple[RawSamples, RawSamples | None]:
    arrays = read_npz(path)
    x_name, y_name = spec.data.x, spec.data.y
    train = _pick(arrays, x_name, y_name, path)
    if f"{x_name}_test" not in arrays and f"{y_name}_test" not in arrays:
        return train, None
    return train, _pick(arrays, f"{x_name}_test", f"{y_name}_test", path)


def _pick(arrays: dict[str, NDArray[Any]], x_name: str, y_name: str, path: Path) -> RawSamples:
    for name in (x_name, y_name):
        if name not in arrays:
            raise DataError(
                f"'{path.name}' has no array '{name}'",
                where=path.name,
                found=f"arrays: {', '.join(sorted(arrays)) or 'none'}"[:200],
                help="name the arrays in the spec: data.x and data.y",
            )
    return RawSamples(arrays[x_name], arrays[y_name], f"{path.name}, arrays {x_name} and {y_name}")


def _read_fashion(part: str) -> RawSamples:
    if not _FASHION_FOLDER.is_dir():
        raise DataError(
            "Fashion-MNIST is not installed",
            where='[data], file = "fashion-mnist"',
            found=f"no folder {_FASHION_FOLDER}",
            help="on Debian or Ubuntu: apt-get install dataset-fashion-mnist",
        )
    images = read_idx(_FASHION_FOLDER / f"{part}-images-idx3-ubyte.gz")
    labels = read_idx(_FASHION_FOLDER / f"{part}-labels-idx1-ubyte.gz")
    return RawSamples(images, labels, f"{FASHION_MNIST}, {part}")
