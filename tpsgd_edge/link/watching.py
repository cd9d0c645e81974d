"""A look at a device that learns: its log and counters, put together over time."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.codegen.drift import DriftView
from tpsgd_edge.link.linked import LinkedDevice
from tpsgd_edge.link.messages import Entry, Log, Statistics
from tpsgd_edge.reference.drift import ONE, Detector
from tpsgd_edge.reference.drift import Limits as DriftLimits

# Steps a second are those of the latest seconds.
_PACE = 5.0
# Points of the curve that are kept; a full curve is thinned out.
_POINTS = 240


@dataclass(frozen=True, slots=True)
class Drift:
    """Findings of the spec's detector of drift among the samples that were seen.

    Attributes:
        found: how often the net had begun to do worse.
        step: training steps when that was seen last; None where it never was.
    """

    found: int = 0
    step: int | None = None


@dataclass(frozen=True, slots=True)
class View:
    """A look at a device.

    Attributes:
        labelled: samples whose label is known, of the latest ones that count.
        accuracy, confidence: of these; None where there are none.
        confusion: counts by label and answer, shape (K, K); of no classes where labels are none.
        curve: accuracy at each look so far, the oldest first.
        rate: training steps a second.
        missed: entries that the device had forgotten before they were asked for.
        resets: how often the device began again.
        drift: of a spec with [drift]; None of others.
    """

    name: str
    classes: tuple[str, ...]
    statistics: Statistics
    labelled: int
    accuracy: float | None
    confidence: float | None
    confusion: NDArray[np.int64]
    curve: tuple[tuple[int, float], ...]
    rate: float
    model_bytes: int
    work_bytes: int
    wire_bytes: int
    missed: int
    resets: int
    drift: Drift | None = None


class Watch:
    """All looks at a device so far.

    Args:
        latest: how many of the latest labelled samples count.
        clock: the seconds since any moment.
        drift: the detector of the spec, which this computer runs on what it sees.
    """

    def __init__(
        self,
        device: LinkedDevice,
        latest: int = 200,
        clock: Callable[[], float] = time.monotonic,
        drift: DriftView | None = None,
    ) -> None:
        self.device = device
        self._clock = clock
        self._detects = drift
        self._detector = Detector()
        self._drift = None if drift is None else Drift()
        self._seen: deque[Entry] = deque(maxlen=latest)
        self._paces: deque[tuple[float, int]] = deque()
        self._curve: list[tuple[int, float]] = []
        self._next: int | None = None
        self._missed = self._resets = 0

    def look(self) -> View:
        """Ask the device for what is new.

        Raises:
            LinkError: it does not answer.
        """
        counts = self.device.statistics()
        self._follow(counts.step)
        log = self._log()
        self._take(log)
        self._watch_for_drift(log.entries, counts.step)
        known = [entry for entry in self._seen if entry.label is not None]
        accuracy = _mean([entry.answer == entry.label for entry in known])
        if accuracy is not None:
            self._add_point(counts.step, accuracy)
        hello, labels = self.device.hello, self.device.model.labels
        return View(
            name=hello.name,
            classes=_names(labels.names, labels.count) if labels.kind == "class" else (),
            statistics=counts,
            labelled=len(known),
            accuracy=accuracy,
            confidence=_mean([entry.confidence for entry in known]),
            confusion=_confusion(known, labels.count if labels.kind == "class" else 0),
            curve=tuple(self._curve),
            rate=self._rate(),
            model_bytes=hello.model_bytes,
            work_bytes=hello.work_bytes,
            wire_bytes=hello.wire_bytes,
            missed=self._missed,
            resets=self._resets,
            drift=self._drift,
        )

    def _log(self) -> Log:
        return self.device.log(self._next or 0)

    def _take(self, log: Log) -> None:
        if self._next is not None:
            began_again = log.next < self._next
            self._resets += began_again
            self._missed += 0 if began_again else log.first - self._next
        self._next = log.next
        self._seen.extend(log.entries)

    def _watch_for_drift(self, entries: Sequence[Entry], step: int) -> None:
        if self._detects is None or self._drift is None:
            return
        own = self._detects
        limits = DriftLimits(own.tolerance, own.threshold, own.after)
        for entry in entries:
            if not own.is_confidence and entry.label is None:
                continue
            self._detector, has_risen = self._detector.after(_doubt(entry, own), limits)
            if has_risen:
                self._drift = Drift(self._drift.found + 1, step)

    def _follow(self, step: int) -> None:
        now = self._clock()
        if self._paces and step < self._paces[-1][1]:
            self._paces.clear()
        self._paces.append((now, step))
        while len(self._paces) > 2 and now - self._paces[0][0] > _PACE:
            self._paces.popleft()

    def _rate(self) -> float:
        (began, first), (now, last) = self._paces[0], self._paces[-1]
        return (last - first) / (now - began) if now > began else 0.0

    def _add_point(self, step: int, accuracy: float) -> None:
        if not self._curve or self._curve[-1][0] != step:
            self._curve.append((step, accuracy))
        if len(self._curve) > _POINTS:
            del self._curve[1:-1:2]


def _doubt(entry: Entry, drift: DriftView) -> int:
    """Return what a detector looks at, in Q15: a wrong answer, or what confidence lacks."""
    if drift.is_confidence:
        return ONE - round(entry.confidence * ONE)
    return 0 if entry.answer == entry.label else ONE


def _mean(values: list[float] | list[bool]) -> float | None:
    return float(np.mean(values)) if values else None


def _names(names: tuple[str, ...], count: int) -> tuple[str, ...]:
    return names or tuple(str(i) for i in range(count))


def _confusion(entries: list[Entry], count: int) -> NDArray[np.int64]:
    table = np.zeros((count, count), np.int64)
    for entry in entries:
        if max(entry.label or 0, entry.answer or 0) < count:
            table[entry.label, entry.answer] += 1
    return table
