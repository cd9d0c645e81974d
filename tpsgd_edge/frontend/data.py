"""The data set of a spec, from whatever file holds it to a `Dataset`."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.anomaly import read_normality, with_anomalies
from tpsgd_edge.frontend.classes import Asked, shown
from tpsgd_edge.frontend.files import FASHION_CLASSES, read_sets
from tpsgd_edge.frontend.label_notes import label_notes
from tpsgd_edge.frontend.labels import (
    LabelledBy,
    are_one_hot,
    are_whole,
    fitting_units,
    read_labels,
)
from tpsgd_edge.frontend.layout import arranged
from tpsgd_edge.frontend.overlap import overlap_notes
from tpsgd_edge.frontend.raw_type import raw_type
from tpsgd_edge.frontend.recordings import Signal, with_features
from tpsgd_edge.frontend.samples import RawSamples, check_samples
from tpsgd_edge.frontend.scaling import input_scaling, label_scaling
from tpsgd_edge.frontend.split import count_for_test, drawn_order
from tpsgd_edge.graph import Labels
from tpsgd_edge.spec import FASHION_MNIST, KEEPING, RawType, Spec, finds_anomalies

__all__ = [
    "Choice",
    "Dataset",
    "dataset_from_arrays",
    "input_scaling",
    "label_scaling",
    "load_dataset",
]

Samples = NDArray[np.float32] | NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice that the spec left open, what the data made of it, and why."""

    key: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class DataNotes:
    """Notes in words: the meaning of the labels, decisions, and what looks odd.

    Attributes:
        chosen: what followed from the data because the spec does not say it.
    """

    labels: str = ""
    notes: tuple[str, ...] = ()
    chosen: tuple[Choice, ...] = ()


NO_NOTES = DataNotes()


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
        said: what is to be said of the data.
        source_domain: of the source domain, where it is another one.
        raw: C type of a sample's values as a sensor gives them.
        places: where each training sample stands in its file (n,); None: as they are here.
        signal: recordings that the samples are features of, and how they were made; else None.
    """

    x_train: Samples
    y_train: NDArray[Any]
    x_test: Samples
    y_test: NDArray[Any]
    labels: Labels
    class_names: tuple[str, ...]
    input_shape: tuple[int, ...]
    source: str
    source_domain: "Dataset | None" = None
    said: DataNotes = NO_NOTES
    raw: RawType = "float"
    places: NDArray[np.intp] | None = None
    signal: Signal | None = None

    def recorded_order(self) -> NDArray[np.intp]:
        """Indices (n,) of the training samples as they stand in their file."""
        if self.places is None:
            return np.arange(len(self.x_train))
        return np.argsort(self.places, kind="stable")

    @property
    def first(self) -> "Dataset":
        """The source domain, for whose data scales and initial weights are made."""
        return self.source_domain or self


def load_dataset(spec: Spec) -> Dataset:
    """The data set that the spec names, read, checked and split.

    Raises:
        DataError: what is wrong with the file or with what it holds.
    """
    source_domain = None
    if spec.data.source_file is not None:
        named = {"file": spec.data.source_file, "labels_file": spec.data.source_labels_file}
        there = named | {"test_file": None, "test_labels_file": None, "limit": None}
        own = spec.model_copy(update={"data": spec.data.model_copy(update=there)})
        source_domain = _load(own, None)
    dataset = _load(spec, source_domain)
    notes = (*spec.notes, *dataset.said.notes)
    return replace(dataset, said=replace(dataset.said, notes=notes))


def raw_labels(spec: Spec) -> NDArray[Any]:
    """Training labels in the shape that the file has, before anything about them is decided."""
    return read_sets(spec)[0].y


def units_for_labels(spec: Spec) -> int:
    """Units of a last layer that fit the labels of the spec's file, whatever the spec's layer has.

    Raises:
        DataError: the file is missing or no good.
    """
    return fitting_units(*read_sets(spec))


def _load(spec: Spec, source_domain: Dataset | None) -> Dataset:
    train, test = read_sets(spec)
    if spec.data.file == FASHION_MNIST and spec.data.classes is None:
        data = spec.data.model_copy(update={"classes": FASHION_CLASSES})
        spec = spec.model_copy(update={"data": data})
    return _make_dataset(
        spec, train, test, source=Path(spec.data.file).name, source_domain=source_domain
    )


def dataset_from_arrays(
    spec: Spec,
    x: NDArray[Any],
    y: NDArray[Any],
    x_test: NDArray[Any] | None = None,
    y_test: NDArray[Any] | None = None,
    *,
    source_domain: Dataset | None = None,
) -> Dataset:
    """Make a data set of arrays, checked and split as `load_dataset` does.

    Args:
        x, x_test: samples, shape (n, ...).
            y, y_test: their labels, shape (n,) or (n, ...).
            source_domain: data of the source domain.

    Raises:
        DataError: what is wrong with the arrays.
    """
    train = RawSamples(np.asarray(x), np.asarray(y), "arrays x, y")
    test = None
    if x_test is not None and y_test is not None:
        test = RawSamples(np.asarray(x_test), np.asarray(y_test), "arrays x_test, y_test")
    return _make_dataset(spec, train, test, source="arrays", source_domain=source_domain)


def _make_dataset(
    spec: Spec,
    train: RawSamples,
    test: RawSamples | None,
    source: str,
    source_domain: Dataset | None,
) -> Dataset:
    train, test, signal = with_features(spec, train, test)
    train, test = arranged(spec, train), None if test is None else arranged(spec, test)
    steps = _steps(spec, train)
    check_samples(train, steps=steps)
    test = None if test is None else _fitting(train, test, steps)
    labelled = _labelled(spec, train, test, steps, source_domain)
    if source_domain is not None:
        _check_kin(source_domain, train, labelled.labels)
    n_test = count_for_test(train, spec.data.test_fraction) if test is None else 0
    order = drawn_order(spec.seed, len(train.x))
    held_out, order = order[:n_test], order[n_test:]
    if finds_anomalies(spec.model):
        held_out, order = with_anomalies(held_out, order, labelled.y_train)
    if test is None or labelled.y_test is None:
        x_test, y_test = _flat(train.x, held_out), labelled.y_train[held_out]
    else:
        x_test, y_test = _flat(test.x), labelled.y_test
    order = order[: spec.data.limit]
    x_train, y_train = _flat(train.x, order), labelled.y_train[order]
    return Dataset(
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        labels=labelled.labels,
        class_names=labelled.class_names,
        input_shape=train.x.shape[1:],
        source=source,
        source_domain=source_domain,
        raw=raw_type(spec, *(one for one in (train, test) if one is not None)),
        places=order,
        signal=signal,
        said=DataNotes(
            labelled.said,
            (
                *(
                    f"source_file: {note}"
                    for note in (source_domain.said.notes if source_domain else ())
                ),
                *train.notes,
                *(note for note in (test.notes if test else ()) if note not in train.notes),
                *labelled.notes,
                *overlap_notes(x_train, x_test, is_split=test is None),
                *label_notes(labelled.labels, x_train, y_train, y_test),
            ),
        ),
    )


def _fitting(train: RawSamples, test: RawSamples, steps: int | None) -> RawSamples:
    """The test samples, checked, with their columns in the order of the training samples."""
    test = _in_columns_of(train, test)
    check_samples(test, steps=steps)
    if train.x.shape[1:] != test.x.shape[1:]:
        raise DataError(
            "training and test samples differ in shape",
            where=test.where,
            found=f"{train.x.shape[1:]} for training, {test.x.shape[1:]} for test",
        )
    return test


def _labelled(
    spec: Spec,
    train: RawSamples,
    test: RawSamples | None,
    steps: int | None,
    source_domain: Dataset | None,
) -> LabelledBy:
    """Labels of both sets; of an anomaly task, whether a sample is one."""
    if finds_anomalies(spec.model):
        return read_normality(train, test, spec.data.normal, spec.data.classes)
    return _with_room(spec, _read_all_labels(train, test, steps, _asked(spec, source_domain)))


def _asked(spec: Spec, source_domain: Dataset | None) -> Asked:
    """Collect what spec and net say about the labels."""
    data, model = spec.data, spec.model
    units, known = model.n_out - model.extra_classes, model.class_names or ()
    if len(known) != units or data.classes is not None:
        known = ()
    # New classes come behind those that the net knows.
    is_open = source_domain is None and bool(model.extra_classes)
    return Asked(
        task=data.task,
        units=units,
        extra=model.extra_classes,
        classes=data.classes or (None if is_open else known or None),
        is_certain=data.classes is not None,
        known=_without_room(source_domain.class_names)
        if source_domain
        else known
        if is_open
        else (),
        source=model.source,
        layer=model.names[-1] or "",
    )


def _in_columns_of(train: RawSamples, test: RawSamples) -> RawSamples:
    """The test samples with the columns of their table in the order of the training table."""
    ours, theirs = train.x_names, test.x_names
    if not ours or not theirs or ours == theirs or len({*ours}) < len(ours):
        return test
    differ = [*({*ours} - {*theirs}), *({*theirs} - {*ours})]
    if differ:
        missing = shown([name for name in ours if name not in theirs]) or "none"
        more = shown([name for name in theirs if name not in ours]) or "none"
        raise DataError(
            "training and test files have other columns",
            where=test.where,
            found=f"missing: {missing}; not in training: {more}",
            help="both need the same inputs; data.drop leaves columns out",
        )
    order = [theirs.index(name) for name in ours]
    note = "columns of the test file lie in another order, and are taken by their names"
    return replace(test, x=test.x[:, order], x_names=ours, notes=(*test.notes, note))


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


def _check_kin(source_domain: Dataset, train: RawSamples, labels: Labels) -> None:
    shape, known = source_domain.input_shape, source_domain.labels
    found = f"samples {shape}, {known.count} {_noun(known)} there; "
    found += f"{train.x.shape[1:]}, {labels.count} {_noun(labels)} here"
    if source_domain.input_shape != train.x.shape[1:] or source_domain.labels != labels:
        raise DataError(
            "the samples are not of the kind that the net comes from",
            where=f"{train.where}; source_file: {source_domain.source}",
            found=found,
            help="both need one shape and the same labels; room for more: model.extra_classes",
        )


def _noun(labels: Labels) -> str:
    return "classes" if labels.kind == "class" else "label values"


def _steps(spec: Spec, raw: RawSamples) -> int | None:
    """The length of the sequences that a recurrent model reads; None for other models."""
    if spec.model.layers[0].kind not in KEEPING or raw.x.ndim < 2:
        return None
    shape = spec.data.input_shape or (1, *raw.x.shape[1:])
    return int(shape[1])


def _read_all_labels(
    train: RawSamples, test: RawSamples | None, steps: int | None, asked: Asked
) -> LabelledBy:
    """Labels of both sets; where each step of a sequence has one, they are read as a long list."""
    if not _has_step_labels(train, steps, asked.room):
        return read_labels(train, test, asked)
    labelled = read_labels(_steps_in_a_row(train), test and _steps_in_a_row(test), asked)
    y_train, y_test = labelled.y_train, labelled.y_test
    return replace(
        labelled,
        labels=replace(labelled.labels, each_step=True),
        y_train=y_train.reshape(-1, steps or 1, *y_train.shape[1:]),
        y_test=None if y_test is None else y_test.reshape(-1, steps or 1, *y_test.shape[1:]),
        said=f"{labelled.said}, of each step",
    )


def _has_step_labels(raw: RawSamples, steps: int | None, units: int) -> bool:
    """Tell whether labels are (n, steps) of classes, (n, steps) of one value or (n, steps, K)."""
    if steps is None or raw.y.ndim == 3:
        return raw.y.ndim == 3
    if raw.y.ndim != 2 or raw.y.shape[1] != steps or steps < 2:
        return False
    if steps == units:
        return raw.y.dtype.kind != "f" and not are_one_hot(raw.y)
    return units == 1 or are_whole(raw.y) or raw.y.dtype.kind == "U"


def _steps_in_a_row(raw: RawSamples) -> RawSamples:
    y = raw.y.reshape(-1, *raw.y.shape[2:])
    return replace(raw, y=y, where=f"{raw.where}, step by step", lines=())


def _flat(x: NDArray[Any], some: NDArray[np.intp] | None = None) -> Samples:
    """All samples or some of them, flattened; narrowed before they are copied."""
    flat = x.reshape(len(x), -1)
    narrow = flat if flat.dtype == np.uint8 else flat.astype(np.float32, copy=some is None)
    return narrow if some is None else narrow[some]
