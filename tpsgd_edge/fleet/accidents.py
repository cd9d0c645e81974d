"""Accidents of a simulated fleet: devices drop out, come late, or lie."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.random import Purpose, draws, stream
from tpsgd_edge.errors import SpecError
from tpsgd_edge.fleet.shared import Shared
from tpsgd_edge.fleet.updates import Message, read, written

# A liar sends so many times what it learned, backwards.
_LIE = -10


@dataclass(frozen=True, slots=True)
class Accidents:
    """Shares, 0 to 1.

    Attributes:
        drop: of the devices that a round does not reach; drawn for each round.
        slow: of the devices whose update comes one round late; drawn for each round.
        lie: of the devices that send the opposite of what they learned, many times; for good.
    """

    drop: float = 0.0
    slow: float = 0.0
    lie: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no share.

        Raises:
            SpecError: it lies outside of 0 to 1.
        """
        for name in ("drop", "slow", "lie"):
            share = getattr(self, name)
            if not 0 <= share <= 1:
                raise SpecError(
                    "this is no share of the devices",
                    where=name,
                    found=f"{share}",
                    help="a number from 0 to 1; 0.1 is one device of ten",
                )


@dataclass(frozen=True, slots=True)
class Fate:
    """Devices of one round, by their places."""

    dropped: frozenset[int]
    slow: frozenset[int]


def fate(accidents: Accidents, seed: int, turn: int, devices: int) -> Fate:
    """The devices that drop out of a round, and those that are late in it."""
    base = stream(seed, Purpose.ACCIDENTS, turn)
    words = draws(base, 2 * devices).astype(np.float64) / 2**32
    dropped = words[:devices] < accidents.drop
    slow = (words[devices:] < accidents.slow) & ~dropped
    return Fate(_places(dropped), _places(slow))


def liars(accidents: Accidents, seed: int, devices: int) -> frozenset[int]:
    """The devices that lie: that share of them, rounded, drawn once."""
    count = round(accidents.lie * devices)
    order = np.argsort(draws(stream(seed, Purpose.ACCIDENTS, 2**32 - 1), devices), kind="stable")
    return frozenset(order[:count].tolist())


def lied(shared: Shared, update: bytes) -> bytes:
    """The update of a liar instead of what it learned."""
    told = read(shared, update)
    values = told.values * _LIE
    return written(shared, Message(told.kind, told.turn, told.samples, values))


def _places(flags: NDArray[np.bool_]) -> frozenset[int]:
    return frozenset(np.flatnonzero(flags).tolist())
