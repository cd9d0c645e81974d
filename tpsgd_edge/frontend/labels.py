"""What labels mean: classes, by number or by name, or vectors of real values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.samples import RawSamples
from tpsgd_edge.graph import Labels

Task = Literal["auto", "classification", "regression"]


@dataclass(frozen=True, slots=True)
class LabelledBy:
    """Labels of both sets: int64 class indices (n,), or float64 vectors (n, K)."""

    labels: Labels
    class_names: tuple[str, ...]
    y_train: NDArray[Any]
    y_test: NDArray[Any] | None


def read_labels(
    train: RawSamples,
    test: RawSamples | None,
    *,
    task: Task,
    units: int,
    known: Sequence[str] = (),
) -> LabelledBy:
    """The labels of both sets in one form.

    Args:
        train, test: checked samples; `test` is None where it will be split off.
        task: of the spec; with "auto", integers and text are classes, other numbers vectors.
        units: of the last layer, which bounds the classes.
        known: classes that are there in any case, before all others.

    Raises:
        DataError: labels of the wrong kind or out of range.
    """
    sets = [train] if test is None else [train, test]
    if _are_vectors(train, task):
        vectors = [_vectors(raw) for raw in sets]
        if len({v.shape[1] for v in vectors}) > 1:
            raise DataError(
                "training and test labels differ in length",
                where=sets[1].where,
                found=f"{vectors[0].shape[1]} values for training, {vectors[1].shape[1]} for test",
            )
        count = vectors[0].shape[1]
        return LabelledBy(Labels("vector", count), (), vectors[0], _second(vectors))
    flat = [_flat(raw) for raw in sets]
    if flat[0].dtype.kind == "U":
        names = _class_names(sets, flat, known)
        order = {name: index for index, name in enumerate(names)}
        classes = [np.array([order[name] for name in y.tolist()], np.int64) for y in flat]
    else:
        classes = [_class_indices(raw, y, units) for raw, y in zip(sets, flat, strict=True)]
        count = max(len(known), *(int(y.max()) + 1 for y in classes))
        names = (*known, *(str(index) for index in range(len(known), count)))
    if len(names) < 2 or (classes[0] == classes[0][0]).all():
        raise DataError(
            "all labels are the same class",
            where=train.where,
            found=f"{len(classes[0]):,} labels '{names[int(classes[0][0])]}'",
            help="a classifier needs two classes or more",
        )
    return LabelledBy(Labels("class", len(names)), names, classes[0], _second(classes))


def _second(sets: Sequence[NDArray[Any]]) -> NDArray[Any] | None:
    return sets[1] if len(sets) > 1 else None


def _are_vectors(raw: RawSamples, task: Task) -> bool:
    y = raw.y
    if task != "auto":
        return task == "regression"
    if y.dtype.kind != "f" and y.ndim == 2 and y.shape[1] > 1:
        raise DataError(
            "it is not clear what the labels mean",
            where=raw.where,
            found=f"integers of shape {y.shape}",
            help="give one class number for each sample (for one-hot rows: y.argmax(axis=1)), "
            'or set data.task = "regression"',
        )
    return y.dtype.kind == "f"


def _vectors(raw: RawSamples) -> NDArray[np.float64]:
    if raw.y.dtype.kind == "U":
        raise DataError(
            "regression needs numbers as labels",
            where=f"{raw.where}, {raw.place(0)}",
            found=f'text, such as "{raw.y.flat[0]}"',
            help='set data.task = "classification", or name the right column in data.y',
        )
    return raw.y.reshape(len(raw.y), -1).astype(np.float64)


def _flat(raw: RawSamples) -> NDArray[Any]:
    if raw.y.ndim == 2 and raw.y.shape[1] != 1:
        raise DataError(
            "classification needs one label for each sample",
            where=raw.where,
            found=f"labels of shape {raw.y.shape}",
            help='for one-hot rows: y.argmax(axis=1); for real values: data.task = "regression"',
        )
    return raw.y.reshape(-1)


def _class_names(
    sets: list[RawSamples], labels: list[NDArray[Any]], known: Sequence[str]
) -> tuple[str, ...]:
    for raw, y in zip(sets, labels, strict=True):
        if y.dtype.kind != "U":
            raise DataError(
                "training labels are names, test labels are numbers",
                where=raw.where,
                found=f"labels of type {y.dtype}",
            )
    names = (str(name) for name in np.unique(np.concatenate(labels)))
    return (*known, *(name for name in names if name not in known))


def _class_indices(raw: RawSamples, y: NDArray[Any], units: int) -> NDArray[np.int64]:
    if y.dtype.kind == "U" or (y.dtype.kind == "f" and (y != np.floor(y)).any()):
        wrong = 0 if y.dtype.kind == "U" else int(np.argmax(y != np.floor(y)))
        raise DataError(
            "class labels must be whole numbers",
            where=f"{raw.where}, {raw.place(wrong)}",
            found=f"label {y[wrong]}",
            help='for real values set data.task = "regression"',
        )
    outside = (y < 0) | (y >= units)
    if outside.any():
        at = int(np.argmax(outside))
        raise DataError(
            "a class label is out of range",
            where=f"{raw.where}, {raw.place(at)}",
            found=f"label {y[at]}; {int(outside.sum()):,} such labels in all",
            help=f"the last layer has {units} units, so labels go from 0 to {units - 1}",
        )
    return y.astype(np.int64)
