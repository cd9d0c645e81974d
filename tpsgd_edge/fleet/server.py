"""The server of a fleet, and gateways: their values, what they send, what they make of updates."""

from collections.abc import Sequence
from dataclasses import dataclass

from tpsgd_edge.arithmetic.ops import Int64
from tpsgd_edge.arithmetic.random import Purpose, stream
from tpsgd_edge.errors import DataError
from tpsgd_edge.fleet.averaging import Average, averaged, device_shares, rounding_words
from tpsgd_edge.fleet.shared import Shared
from tpsgd_edge.fleet.updates import DIFFERENCE, WHOLE, Message, followed, read, written


@dataclass(frozen=True, slots=True)
class Averaging:
    """A way to make one net of many.

    Attributes:
        cut: share of the devices that a trimmed mean leaves out at each end, and that Krum takes
            for liars.
    """

    average: Average = "mean"
    cut: float = 0.2


class Server:
    """Values that devices share, and the rounds that change them.

    Attributes:
        values: shape (count,), after `turn` rounds.
        samples: that were learned for the latest round; None where no update came.
    """

    def __init__(self, shared: Shared, values: Int64, averaging: Averaging, seed: int) -> None:
        self.shared = shared
        self.averaging = averaging
        self.values = values
        self.turn = 0
        self.samples: int | None = None
        self._seed = seed
        self._before = values

    def message(self, heard: int | None) -> bytes:
        """The bytes for a device.

        Args:
            heard: the round after which it heard from this server last; None where it never did.
                One that knows what held before the latest round gets what has changed since.
        """
        is_near = heard is not None and heard == self.turn - 1
        values = self.values - self._before if is_near else self.values
        kind = DIFFERENCE if is_near else WHOLE
        return written(self.shared, Message(kind, self.turn, 0, values))

    def finish(self, updates: Sequence[bytes]) -> int:
        """Make a round of what devices sent; how many of them were refused.

        An update is taken where it is of this round or late by one round. Without any the values
        stay as they are.
        """
        counts = [self._samples(raw) for raw in updates]
        taken = [raw for raw, count in zip(updates, counts, strict=True) if count is not None]
        samples = [count for count in counts if count is not None]
        self._before, self.samples = self.values, sum(samples) if taken else None
        if taken:
            self.values = averaged(
                self.shared,
                self.values,
                # They are read again one by one: bytes are the least that many updates take.
                (read(self.shared, raw).values for raw in taken),
                device_shares(samples),
                rounding_words(self._seed, self.turn, self.shared.count),
                average=self.averaging.average,
                cut=int(self.averaging.cut * len(taken)),
            )
        self.turn += 1
        return len(updates) - len(taken)

    def _samples(self, raw: bytes) -> int | None:
        """The samples of an update; None where it cannot be taken."""
        try:
            message = read(self.shared, raw)
        except DataError:
            return None
        is_timely = self.turn - 1 <= message.turn <= self.turn
        return message.samples if message.kind == DIFFERENCE and is_timely else None


class Gateway(Server):
    """A server of some devices that is itself a device of the server above.

    Attributes:
        heard: the round after which it heard from the server above last; None before.
    """

    def __init__(
        self, shared: Shared, values: Int64, averaging: Averaging, seed: int, number: int
    ) -> None:
        super().__init__(shared, values, averaging, stream(seed, Purpose.GATEWAYS, number))
        self.heard: int | None = None

    def take(self, raw: bytes) -> None:
        """Take a message of the server above over, which begins a round.

        Raises:
            DataError: it cannot be read, or is a change of what this gateway does not know.
        """
        message = read(self.shared, raw)
        # What holds now is its own average; the server's values are those that it began with.
        self.values = followed(self.shared, message, self.heard, self._before)
        self.turn = self.heard = message.turn

    def update(self) -> bytes | None:
        """The update for the server above: how values have changed in the round that was finished.

        None where no device sent an update that could be taken.
        """
        if self.samples is None:
            return None
        moved = self.values - self._before
        return written(self.shared, Message(DIFFERENCE, self.turn - 1, self.samples, moved))
