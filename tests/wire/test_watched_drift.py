"""A computer that watches runs the spec's detector of drift on what it sees."""

from dataclasses import asdict

import pytest

from tests.wire.test_live_page import SaidDevice
from tpsgd_edge.cli.watch import _line
from tpsgd_edge.codegen.drift import DriftView
from tpsgd_edge.link.live import Seen
from tpsgd_edge.link.messages import Entry
from tpsgd_edge.link.watching import Drift, Watch
from tpsgd_edge.reference.drift import ONE, Detector, Limits

OF_ANSWERS = DriftView(is_confidence=False, tolerance=ONE // 20, threshold=5 * ONE, after=30)
OF_CONFIDENCE = DriftView(is_confidence=True, tolerance=ONE // 20, threshold=3 * ONE, after=30)


def looks_of(drift, entries, at_once=7):
    """The last look, and at which step the reference finds drift, by the entries alone."""
    device = SaidDevice()
    watch = Watch(device, drift=drift)
    for start in range(0, len(entries), at_once):
        device.entries += entries[start : start + at_once]
        device.step += len(entries[start : start + at_once])
        view = watch.look()
    return view


def found_in(values, drift):
    detector, found = Detector(), []
    limits = Limits(drift.tolerance, drift.threshold, drift.after)
    for step, value in enumerate(values):
        detector, has_risen = detector.after(value, limits)
        found += [step] if has_risen else []
    return found


RIGHT, WRONG = Entry(1, 1, 0.9, True), Entry(1, 2, 0.3, True)


@pytest.mark.parametrize("drift", [OF_ANSWERS, OF_CONFIDENCE], ids=["accuracy", "confidence"])
def test_a_net_that_does_worse_is_found(drift):
    entries = [RIGHT] * 60 + [WRONG] * 20 + [RIGHT] * 60
    doubts = {True: (ONE - round(0.9 * ONE), ONE - round(0.3 * ONE)), False: (0, ONE)}
    right, wrong = doubts[drift.is_confidence]
    (step,) = found_in([right] * 60 + [wrong] * 20 + [right] * 60, drift)
    view = looks_of(drift, entries)
    # Seen at the look behind it: entries come seven at once.
    assert view.drift == Drift(1, (step // 7 + 1) * 7)
    assert f", drift 1 times, latest at step {view.drift.step}" in _line(Seen(1, view))
    assert asdict(view)["drift"] == {"found": 1, "step": view.drift.step}


def test_answers_without_a_label_are_neither_right_nor_wrong():
    unknown = Entry(None, 2, 0.9, False)
    view = looks_of(OF_ANSWERS, [RIGHT] * 60 + [unknown] * 60)
    assert view.drift == Drift(0, None)
    assert _line(Seen(1, view)).endswith(", no drift")


def test_a_spec_without_a_detector_shows_none():
    view = looks_of(None, [RIGHT] * 60 + [WRONG] * 60)
    assert view.drift is None
    assert "drift" not in _line(Seen(1, view))
