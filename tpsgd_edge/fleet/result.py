"""Result of a fleet: scores, bytes and what went wrong, round by round."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tpsgd_edge.arithmetic.ops import Int64
from tpsgd_edge.fleet.plan import Fleet
from tpsgd_edge.fleet.shared import Shared
from tpsgd_edge.frontend.data import DataNotes
from tpsgd_edge.quantize.model import QuantizedModel
from tpsgd_edge.reports.curve import Json, finite
from tpsgd_edge.spec import Spec


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of the nets of a fleet.

    Attributes:
        whole: on the whole test set; of nets that differ, their mean.
        own: of each device with test samples of its own, on these.
    """

    whole: float
    own: tuple[float, ...]

    @property
    def mean_own(self) -> float:
        """Mean over the devices; NaN where none has test samples."""
        return float(np.mean(self.own)) if self.own else float("nan")

    @property
    def worst_own(self) -> float:
        """Score of the device that is worst off; NaN where none has test samples."""
        return min(self.own, default=float("nan"))


@dataclass(frozen=True, slots=True)
class Hop:
    """Bytes between the server and its gateways: down to them, up from them."""

    down: int = 0
    up: int = 0


@dataclass(frozen=True, slots=True)
class Round:
    """A round, and the scores after it; the first one is the net that nobody has taught.

    Attributes:
        down, up: bytes that went to devices and that they sent: of a server, or of gateways.
        taken, refused, late: updates that were averaged, those that could not be read or came too
            late, and those that will come with the next round.
        above: bytes between gateways and server; none where there are no gateways.
    """

    down: int
    up: int
    taken: int
    refused: int
    late: int
    scores: Scores
    above: Hop = Hop()


@dataclass(frozen=True, slots=True)
class Baseline:
    """Scores that the same samples come to without a fleet: "alone" or "central"."""

    name: Literal["alone", "central"]
    scores: Scores


@dataclass(frozen=True, slots=True)
class FleetResult:
    """A fleet that has learned.

    Attributes:
        devices: how many there were.
        rounds: the first one before all learning.
        values: of the server, shape (count,).
        state: the state struct of a new device with the server's values.
        seconds: that the rounds took, with their scores.
    """

    spec: Spec
    data: DataNotes
    metric: Literal["accuracy", "r2"]
    fleet: Fleet
    devices: int
    model: QuantizedModel
    shared: Shared
    rounds: tuple[Round, ...]
    values: Int64
    state: bytes
    baselines: tuple[Baseline, ...]
    seconds: float

    @property
    def down(self) -> int:
        """Bytes to all devices in all rounds."""
        return sum(one.down for one in self.rounds)

    @property
    def up(self) -> int:
        """Bytes from all devices in all rounds."""
        return sum(one.up for one in self.rounds)

    @property
    def updates(self) -> int:
        """Number of updates that devices sent; those that are late in the last round never came."""
        return sum(one.taken + one.refused for one in self.rounds) + self.rounds[-1].late

    @property
    def above(self) -> Hop:
        """Bytes between gateways and server in all rounds."""
        down, up = (sum(getattr(one.above, way) for one in self.rounds) for way in ("down", "up"))
        return Hop(down, up)

    def to_json(self) -> Json:
        """Scores and bytes by round, and what was compared."""
        fleet = self.fleet
        return {
            "name": self.spec.name,
            "spec": {"file": self.spec.source, "digest": self.spec.digest},
            "metric": self.metric,
            "labels": self.data.labels or None,
            "notes": list(self.data.notes),
            "devices": self.devices,
            "gateways": fleet.gateways,
            "partition": fleet.partition.words,
            "epochs": fleet.epochs,
            "average": fleet.averaging.average,
            "personal": list(fleet.personal),
            "shared_values": self.shared.count,
            "rounds": [_round_json(place, one) for place, one in enumerate(self.rounds)],
            "bytes": _bytes_json(self.down, self.up, self.above),
            "baselines": {one.name: _scores_json(one.scores) for one in self.baselines},
        }


def _round_json(place: int, one: Round) -> Json:
    return {
        "round": place,
        **_scores_json(one.scores),
        "bytes": _bytes_json(one.down, one.up, one.above),
        "updates": {"taken": one.taken, "refused": one.refused, "late": one.late},
    }


def _bytes_json(down: int, up: int, above: Hop) -> Json:
    return {"down": down, "up": up, "gateways": {"down": above.down, "up": above.up}}


def _scores_json(scores: Scores) -> Json:
    return {
        "test": finite(scores.whole),
        "own": {"mean": finite(scores.mean_own), "worst": finite(scores.worst_own)},
    }
