"""Training that a device wrote down (docs/LOG.md), done again by generated code."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.errors import DataError
from tpsgd_edge.memory import digest_order
from tpsgd_edge.memory.log import Record, Session
from tpsgd_edge.quantize import quantize_inputs
from tpsgd_edge.stages.preparation import Prepared
from tpsgd_edge.stages.training import Progress, score
from tpsgd_edge.toolchain.device import Device
from tpsgd_edge.trace import digest

# Places along a log at which the model is scored, and how many of the largest changes are told.
_POINTS = 100
_TOLD = 5
# Into so many parts a stretch is cut, until the step is found that changed the score most.
_PARTS = 16


@dataclass(frozen=True, slots=True)
class Difference:
    """A digest that the replay does not have: the steps between hold the first that differs.

    Attributes:
        first, last: numbers of steps, as the model counts them, from 1.
        device, replay: the digests.
        at: of the device's digest in the log, in bytes.
    """

    first: int
    last: int
    device: int
    replay: int
    at: int


@dataclass(frozen=True, slots=True)
class Turn:
    """A step that changed the score on the test set more than those around it.

    Attributes:
        step: its number, as the model counts steps, from 1.
        label: what the sample was labelled.
        before, after: scores.
    """

    step: int
    label: tuple[int | float, ...]
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Replay:
    """Training that was done again from a log.

    Attributes:
        steps: samples that made the last model; those of a device that went back count once.
        compared: digests that were the device's.
        unchecked: samples behind the last digest.
        damage: what in the log is no record, in words.
        curve: number of steps as the model counts them, and score on the test set then.
        turns: the largest changes of the score that were found, largest first.
        state: the state struct at the end.
    """

    sessions: int
    steps: int
    compared: int
    unchecked: int
    difference: Difference | None
    damage: tuple[str, ...]
    curve: tuple[tuple[int, float], ...]
    turns: tuple[Turn, ...]
    state: bytes


class _Replaying:
    """A device that does what a log says, and what it has done since the base state.

    Attributes:
        base: the state struct before all records.
        done: what changed the model since, without what a device lost when it went back.
    """

    def __init__(self, device: Device, prepared: Prepared) -> None:
        self.device, self.prepared, self.base = device, prepared, device.state()
        self.done: list[Record] = []
        self.damage: list[str] = []
        self.compared = self.unchecked = 0
        self.difference: Difference | None = None

    @property
    def now(self) -> tuple[int, int]:
        """The model's count of steps, and its digest."""
        state = self.prepared.plan.state.read(self.device.state())
        return int(state["step"]), digest(state[name] for name in digest_order(self.prepared.model))

    def begin(self, session: Session, where: str) -> None:
        """Go to where a session begins: here, or at a step that is past.

        Raises:
            DataError: nothing that is known leads there.
        """
        wanted = (session.step, session.digest)
        if self.now == wanted:
            return
        for base in (self.base, self._first_state()):
            self.device.load_state(base)
            kept = self._until(session.step) if base == self.base else []
            if self.now == wanted:
                self.base, self.done = base, kept
                return
        raise DataError(
            "the log begins with a model that nothing here leads to",
            where=f"{where}, at byte {session.at:,}",
            found=f"step {session.step:,}, digest 0x{session.digest:08x}",
            help="give what the device had learned before: --weights-in DUMP",
        )

    def _until(self, step: int) -> list[Record]:
        """Do again what was done before a step, sample by sample: each may take several steps."""
        for place, record in enumerate(self.done):
            if record.kind == "step" and self.now[0] >= step:
                return self.done[:place]
            apply(self.device, [record])
        return list(self.done)

    def _first_state(self) -> bytes:
        self.device.init()
        return self.device.state()

    def run(self, session: Session) -> None:
        """Do what a session says, until its end or the first digest that differs."""
        start, first = 0, session.step + 1
        for place, record in enumerate(session.records):
            if record.kind == "digest":
                self._advance(session.records[start:place])
                if not self._agrees(record, first):
                    return
                start, first = place + 1, record.step + 1
        self._advance(session.records[start:])
        self.unchecked = _steps(session.records[start:])
        if session.damage:
            self.damage.append(session.damage)

    def _advance(self, records: Sequence[Record]) -> None:
        apply(self.device, records)
        self.done += records

    def _agrees(self, record: Record, first: int) -> bool:
        step, found = self.now
        if (record.step, record.digest) == (step, found):
            self.compared += 1
            return True
        self.difference = Difference(first, record.step, record.digest, found, record.at)
        return False


def replay(
    device: Device,
    prepared: Prepared,
    sessions: Iterable[Session],
    *,
    where: str,
    progress: Progress,
    base: bytes | None = None,
) -> Replay:
    """Do again what a log says, compare each digest, and score the model along the way.

    Args:
        where: what messages call the log.
        base: the state struct before the first session; the initial state where not given.

    Raises:
        DataError: the log begins with a model that is neither `base` nor the initial one.
    """
    device.init()
    if base is not None:
        device.load_state(base)
    running, told = _Replaying(device, prepared), list(sessions)
    for number, session in enumerate(told):
        progress("replaying", number, len(told))
        running.begin(session, where)
        running.run(session)
        if running.difference is not None:
            break
    progress("replaying", len(told), len(told))
    state = device.state()
    scoring = _Scoring(device, prepared, running.base, running.done, progress)
    curve = scoring.curve() if len(prepared.dataset.x_test) else ()
    return Replay(
        sessions=len(told),
        steps=_steps(running.done),
        compared=running.compared,
        unchecked=running.unchecked,
        difference=running.difference,
        damage=tuple(running.damage),
        curve=tuple((point.step, point.score) for point in curve),
        turns=scoring.turns(curve),
        state=state,
    )


def apply(device: Device, records: Sequence[Record]) -> None:
    """Change a model as records of a log say."""
    for kind, group in groupby(records, key=lambda record: record.kind):
        for record in (same := list(group)):
            if kind == "rate":
                device.set_rate(record.rate)
            elif kind == "restart":
                device.restart_schedule()
        if kind == "step":
            device.train(*_samples(device, same))


def _samples(device: Device, records: Sequence[Record]) -> tuple[Array, Array]:
    """Inputs (n, n_in) and labels of some steps, as the device takes them."""
    like = device.interface
    one = () if like.labels_are_classes else (like.label_count,)
    answers = () if like.answers is None else (like.answers,)
    x = np.stack([record.x for record in records if record.x is not None])
    labels = np.stack([record.label for record in records if record.label is not None])
    return x, labels.reshape(len(x), *answers, *one)


def _steps(records: Sequence[Record]) -> int:
    return sum(record.kind == "step" for record in records)


@dataclass(frozen=True, slots=True)
class _Point:
    """The model after some of the records."""

    place: int
    step: int
    score: float
    state: bytes


@dataclass(frozen=True, slots=True)
class _Scoring:
    """Scores on the test set along what a model did."""

    device: Device
    prepared: Prepared
    base: bytes
    records: Sequence[Record]
    progress: Progress

    def curve(self) -> tuple[_Point, ...]:
        """Points along all records, at most some hundred."""
        self.device.load_state(self.base)
        places = _places(0, len(self.records), _POINTS)
        points = [self._point(0)]
        for before, place in pairwise(places):
            self.progress("scoring", place, len(self.records))
            apply(self.device, self.records[before:place])
            points.append(self._point(place))
        return tuple(points)

    def _point(self, place: int) -> _Point:
        model, dataset = self.prepared.model, self.prepared.dataset
        outputs = self.device.outputs(quantize_inputs(model, dataset.x_test))
        state = self.device.state()
        step = int(self.prepared.plan.state.read(state)["step"])
        return _Point(place, step, score(model, outputs, dataset.y_test).value, state)

    def turns(self, curve: Sequence[_Point]) -> tuple[Turn, ...]:
        """Find the steps that changed the score most, in the steepest parts of the curve."""
        parts = sorted(pairwise(curve), key=_change, reverse=True)[:_TOLD]
        found = [self._turn(before, after) for before, after in parts if _change((before, after))]
        return tuple(sorted(found, key=lambda turn: -abs(turn.after - turn.before)))

    def _turn(self, before: _Point, after: _Point) -> Turn:
        """Cut a stretch into parts, again and again, and follow the steepest."""
        while _steps(self.records[before.place : after.place]) > 1:
            self.device.load_state(before.state)
            points, places = [before], _places(before.place, after.place, _PARTS)
            for start, place in pairwise(places):
                apply(self.device, self.records[start:place])
                points.append(self._point(place))
            before, after = max(pairwise(points), key=_change)
        step = next(r for r in self.records[before.place : after.place] if r.label is not None)
        assert step.label is not None
        return Turn(after.step, tuple(step.label.tolist()), before.score, after.score)


def _places(first: int, last: int, parts: int) -> list[int]:
    """Evenly spread places from the first to the last."""
    return sorted({int(at) for at in np.linspace(first, last, min(parts, last - first) + 1)})


def _change(part: tuple[_Point, _Point]) -> float:
    return abs(part[1].score - part[0].score)
