"""A device at the other end of a line as one that learns for a fleet."""

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.link import LinkedDevice


class LinkedLearner:
    """A device on a line, which is given samples as the data file has them."""

    def __init__(self, device: LinkedDevice) -> None:
        self._device = device

    def state(self) -> bytes:
        """See Learner. Raises LinkError where the line fails, as the others do."""
        return self._device.pull()

    def load_state(self, state: bytes) -> None:
        """See Learner."""
        self._device.push(state)

    def train(self, x: Array, labels: Array, *, order: NDArray[np.integer] | None = None) -> int:
        """See Learner; samples x (n, n_in) and labels are not scaled."""
        for place in np.arange(len(x)) if order is None else order:
            self._device.train(x[place], labels[place])
        return 0
