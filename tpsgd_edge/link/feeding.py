"""Samples to a device, one after the other."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.frontend.data import Dataset, load_dataset
from tpsgd_edge.link.linked import LinkedDevice
from tpsgd_edge.link.messages import Answer
from tpsgd_edge.spec import Spec

Samples = Iterable[tuple[NDArray[Any], NDArray[Any]]]


@dataclass(frozen=True, slots=True)
class Fed:
    """A feed that is done.

    Attributes:
        count: samples that the device met.
        right: how many of them it answered as they are labelled; 0 where labels are no classes.
        unanswered: samples whose answers got lost, though they were learned.
        step: training steps of the model in the end.
        seconds: it took.
    """

    count: int
    right: int
    unanswered: int
    step: int
    seconds: float


def samples_of(dataset: Dataset, *, train: bool) -> tuple[NDArray[Any], NDArray[Any]]:
    """The training samples and labels of a data set, or those of its test, shapes (n, ...)."""
    if train:
        return dataset.x_train, dataset.y_train
    return dataset.x_test, dataset.y_test


def samples_in(spec: Spec, file: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """All samples and labels, shapes (n, ...), of another file than the spec's, read by its keys.

    Raises:
        DataError: the file cannot be read, or holds something else than the spec's.
    """
    path = str(Path(file).absolute())
    data = spec.data.model_copy(update={"test_file": path, "test_labels_file": None})
    dataset = load_dataset(spec.model_copy(update={"data": data}))
    return dataset.x_test, dataset.y_test


def feed(
    device: LinkedDevice,
    samples: Samples,
    *,
    train: bool,
    tell: Callable[[int, int], None] | None = None,
) -> Fed:
    """Give samples to a device, one after the other.

    Args:
        train: whether the device learns from them; else it only answers.
        tell: called behind each sample, with the samples and the right answers so far.

    Raises:
        LinkError: the line fails, or the device was reset; it says at which step it stands.
    """
    began, meet = time.monotonic(), device.train if train else device.score
    count = right = unanswered = 0
    step = device.hello.step
    for x, y in samples:
        answer = meet(x, y)
        count, right, step = count + 1, right + is_right(y, answer), answer.step
        unanswered += answer.outputs.size == 0
        if tell is not None:
            tell(count, right)
    return Fed(count, right, unanswered, step, time.monotonic() - began)


def is_right(label: NDArray[Any], answer: Answer) -> bool:
    """Tell whether an answer names the class of a label: scalar, or (steps,), the last counts."""
    return answer.label is not None and bool(np.ravel(label)[-1] == answer.label)
