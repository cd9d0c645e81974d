"""The order of samples, drawn from the seed."""

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.random import PHI, Purpose, draws, mix, stream


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
