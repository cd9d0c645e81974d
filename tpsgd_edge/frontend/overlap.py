"""Samples that are in the training set and in the test set."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Test samples that are looked up, spread evenly: enough for a share in percent.
_LOOKED_UP = 2000
_WORTH_A_NOTE = 0.05


def overlap_notes(x_train: NDArray[Any], x_test: NDArray[Any], *, is_split: bool) -> Iterator[str]:
    """Note about test samples x_test (m, n_in) that are training samples x_train (n, n_in) too.

    Args:
        is_split: whether the test set was drawn from the same file.
    """
    some = x_test[:: max(1, len(x_test) // _LOOKED_UP)]
    if len(some) == 0 or len(x_train) == 0 or some.shape[1] != x_train.shape[1]:
        return
    if some.dtype != x_train.dtype:
        some, x_train = some.astype(np.float64), x_train.astype(np.float64)
    known = {hash(row.tobytes()) for row in x_train}
    seen = sum(hash(row.tobytes()) in known for row in some)
    if seen == len(some) and not is_split:
        yield "all test samples are training samples too: the test says nothing of new ones"
    elif seen > _WORTH_A_NOTE * len(some):
        share = round(100 * seen / len(some))
        yield f"{share} % of the test samples are training samples too, value for value"
