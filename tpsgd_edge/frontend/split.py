"""The order of samples, drawn from the seed, and how many of them are for the test."""

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.random import PHI, Purpose, draws, mix, stream
from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.samples import RawSamples


def drawn_order(seed: int, count: int) -> NDArray[np.intp]:
    """A permutation of 0 .. count - 1: the indices in the order of `count` random words.

    >>> drawn_order(1, 5).tolist() == drawn_order(1, 5).tolist()
    True
    """
    base = stream(seed, Purpose.ORDER_OF_SAMPLES, 0)
    # Words may repeat in large sets; a stable sort still gives one answer.
    return np.argsort(draws(base, count), kind="stable")


def epoch_order(seed: int, epoch: int, count: int) -> NDArray[np.intp]:
    """Order (n,) of the training samples in an epoch (the first is 0): another one each time."""
    return drawn_order(mix(seed + PHI * (epoch + 1)), count)


def count_for_test(samples: RawSamples, fraction: float) -> int:
    """Number of samples that are kept for the test, of a set that comes without one.

    Raises:
        DataError: nothing would be left to learn from.
    """
    count = len(samples.x)
    kept = max(1, round(count * fraction))
    if kept >= count:
        raise DataError(
            "there are too few samples to keep some for the test",
            where=samples.where,
            found=f"{count} samples, test_fraction = {fraction:g}",
            help="give more samples, a smaller test_fraction, or a test_file",
        )
    return kept
