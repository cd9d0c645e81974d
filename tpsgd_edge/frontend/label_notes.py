"""Notes about labels that look odd."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.graph import Labels


def label_notes(
    labels: Labels, x_train: NDArray[Any], y_train: NDArray[Any], y_test: NDArray[Any]
) -> Iterator[str]:
    """Notes about label vectors for which no score can be computed, or that are the samples.

    Args:
        x_train: shape (n, n_in).
        y_train, y_test: shape (n,) or (n, K), of each set.
    """
    if labels.kind == "vector" and len(y_test) and (y_test == y_test[0]).all():
        yield "the labels of the test set are all the same value, so R² is not defined"
    if y_train.shape == x_train.shape and np.array_equal(x_train, y_train):
        yield (
            "the labels are the samples themselves; to find anomalies, end the net with "
            '{ kind = "detector", ... }: it learns to reconstruct them, without random targets'
        )
