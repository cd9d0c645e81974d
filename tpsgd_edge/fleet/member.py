"""One device of a fleet: its own samples and state, and what it makes of the server's messages."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.random import PHI, mix
from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.errors import DataError
from tpsgd_edge.fleet.shared import Shared
from tpsgd_edge.fleet.updates import DIFFERENCE, WHOLE, Message, followed, read, written
from tpsgd_edge.frontend.split import epoch_order


class Learner(Protocol):
    """Whatever trains a state: a simulated device, or one at the other end of a line."""

    def state(self) -> bytes:
        """A copy of the state struct."""

    def load_state(self, state: bytes) -> None:
        """Put back what `state` gave."""

    def train(self, x: Array, labels: Array, *, order: NDArray[np.integer] | None = None) -> int:
        """Train once on each sample of x (n, n_in), or on `order` of them; count the refused."""


class Member:
    """A device with samples of its own.

    Attributes:
        state: of its model, between rounds.
        heard: the round after which it heard from the server last; None before.
    """

    def __init__(self, shared: Shared, place: int, seed: int, state: bytes) -> None:
        self.shared = shared
        self.state = state
        self.heard: int | None = None
        self._seed = mix(seed + PHI * (place + 1))
        # A state with the values that the server has: compact, as many devices are held at once.
        self._known = b""
        self._passes = 0

    def saved(self) -> tuple[bytes, bytes, int]:
        """All that the device keeps between rounds: its state, what the server has, its passes."""
        known = b""
        if self.heard is not None:
            values = self.shared.of(self._known)
            known = written(self.shared, Message(WHOLE, self.heard, 0, values))
        return self.state, known, self._passes

    def restore(self, state: bytes, known: bytes, passes: int) -> None:
        """Take back what `saved` gave.

        Raises:
            DataError: it is of another model.
        """
        self.state, self._passes = state, passes
        if known:
            message = read(self.shared, known)
            self._known, self.heard = self.shared.into(state, message.values), message.turn

    def take(self, raw: bytes) -> None:
        """Take a message of the server over into the state.

        Raises:
            DataError: it cannot be read, or is a change of what this device does not know.
        """
        message = read(self.shared, raw)
        # Before the first message no change is taken, whatever is known.
        known = self.shared.of(self._known or self.state)
        values = followed(self.shared, message, self.heard, known)
        self.state = self._known = self.shared.into(self.state, values)
        self.heard = message.turn

    def learn(self, learner: Learner, x: Array, labels: Array, *, epochs: int) -> bytes:
        """The update after learning the device's samples x (n, n_in), which has begun from `take`.

        Raises:
            DataError: no message was taken.
        """
        if self.heard is None:
            raise DataError("a device learns for a fleet before it has heard of it")
        self.train(learner, x, labels, epochs=epochs)
        moved = self.shared.of(self.state) - self.shared.of(self._known)
        return written(self.shared, Message(DIFFERENCE, self.heard, epochs * len(x), moved))

    def train(self, learner: Learner, x: Array, labels: Array, *, epochs: int) -> None:
        """Learn samples x (n, n_in) for some passes, each in an order of its own."""
        learner.load_state(self.state)
        for _ in range(epochs):
            learner.train(x, labels, order=epoch_order(self._seed, self._passes, len(x)))
            self._passes += 1
        self.state = learner.state()
