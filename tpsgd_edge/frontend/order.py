"""The orders in which a device may meet the samples: shuffled, as in its life, class by class."""

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import DataError, SpecError
from tpsgd_edge.frontend.data import Dataset
from tpsgd_edge.frontend.split import epoch_order

Order = Literal["shuffled", "recorded", "sorted", "classes"]
ORDERS: tuple[Order, ...] = get_args(Order)
IN_WORDS: Mapping[Order, str] = {
    "shuffled": "",
    "recorded": ", samples as recorded",
    "sorted": ", samples sorted by class",
    "classes": ", one class after the other",
}
"""What a line of results says of the order."""


def sample_order(order: Order, dataset: Dataset, seed: int, epoch: int) -> NDArray[np.intp]:
    """Indices (n,) of the training samples in an epoch (the first is 0).

    Shuffled: drawn, another order each time. Recorded: as in the file. Sorted: by class, or by the
    first value of a label, and as in the file among equals. Classes: the same classes one after the
    other, each of them shuffled.

    Raises:
        DataError: the labels are no classes, one a sample, that could come one after the other.
    """
    count = len(dataset.x_train)
    if order == "shuffled":
        return epoch_order(seed, epoch, count)
    if order == "classes":
        check_classes(dataset)
        drawn = epoch_order(seed, epoch, count)
        return drawn[np.argsort(dataset.y_train[drawn], kind="stable")]
    recorded = dataset.recorded_order()
    if order == "recorded":
        return recorded
    first = np.reshape(dataset.y_train, (count, -1))[recorded, 0]
    return recorded[np.argsort(first, kind="stable")]


def stretches_of(
    order: Order, dataset: Dataset, seed: int, epochs: int
) -> tuple[NDArray[np.intp], ...]:
    """Indices of the training samples, (n,) each part: of epochs, or of the classes of one pass.

    Raises:
        DataError: as for `sample_order`.
    """
    if order != "classes":
        return tuple(sample_order(order, dataset, seed, epoch) for epoch in range(epochs))
    whole = sample_order(order, dataset, seed, 0)
    ends = np.cumsum(np.bincount(dataset.y_train, minlength=dataset.labels.count))
    return tuple(np.split(whole, ends[:-1]))


def passes_in(order: Order, epochs: int | None) -> int | None:
    """Number of passes that an order allows: as asked, or one where classes come in turn.

    Raises:
        SpecError: more passes are asked for.
    """
    if order != "classes":
        return epochs
    if epochs not in (None, 1):
        raise SpecError(
            "classes that come one after the other come once",
            where="--order classes",
            found=f"--epochs {epochs}",
            help="leave --epochs out, or use --order sorted for several passes",
        )
    return 1


def check_classes(dataset: Dataset) -> None:
    """Refuse samples that no class tells apart.

    Raises:
        DataError: labels are real values, or those of each timestep.
    """
    if dataset.labels.kind != "class" or dataset.labels.each_step:
        kind = "labels of each timestep" if dataset.labels.each_step else "real values"
        raise DataError(
            "only classes can come one after the other",
            where="--order classes",
            found=kind,
            help="use --order recorded, sorted or shuffled",
        )
