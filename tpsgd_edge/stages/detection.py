"""Scores of normal samples and of anomalies: how well a detector tells them apart."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.frontend.anomaly import ANOMALY, NORMAL
from tpsgd_edge.spec import DetectorSpec
from tpsgd_edge.stages.preparation import Prepared

_BINS, _POINTS = 24, 40


@dataclass(frozen=True, slots=True)
class Detection:
    """Answers of a detector to the test set, scores in their own units.

    Attributes:
        threshold: after the training.
        false_alarms, found: shares of the normal samples and of the anomalies above it; None
            without such samples.
        asked: share of false alarms that the spec asks for.
        edges: of the bins of the histogram, one more than bins.
        normal, anomalies: samples in each bin.
        roc: shares of normal samples and of anomalies above falling thresholds.
    """

    threshold: float
    false_alarms: float | None
    found: float | None
    asked: float
    edges: tuple[float, ...]
    normal: tuple[int, ...]
    anomalies: tuple[int, ...]
    roc: tuple[tuple[float, float], ...]

    def to_json(self) -> dict[str, object]:
        """The fields by name."""
        return {
            "threshold": self.threshold,
            "false_alarms": self.false_alarms,
            "found": self.found,
            "asked_false_alarms": self.asked,
            "histogram": {
                "edges": list(self.edges),
                "normal": list(self.normal),
                "anomalies": list(self.anomalies),
            },
            "roc": [list(point) for point in self.roc],
        }


def detection_in(prepared: Prepared, outputs: NDArray[Any]) -> Detection | None:
    """Tell how well a detector tells the test samples apart; None of other nets.

    Args:
        outputs: for the test set, (n, 2).
    """
    last, model = prepared.spec.model.layers[-1], prepared.model
    if not isinstance(last, DetectorSpec):
        return None
    unit = model.last.y_scale
    return detection_of(outputs, prepared.dataset.y_test, unit=unit, asked=last.false_alarms)


def detection_of(
    outputs: NDArray[Any], y: NDArray[Any], *, unit: float, asked: float
) -> Detection | None:
    """Tell how well scores part normal samples from anomalies; None without samples.

    Args:
        outputs: threshold and score of each sample, (n, 2).
        y: 0 for normal samples, 1 for anomalies, (n,).
        unit: real value of one unit of a score.
    """
    if not len(outputs):
        return None
    scores, threshold = outputs[:, 1].astype(np.int64), int(outputs[0, 0])
    normal, odd = scores[y == NORMAL], scores[y == ANOMALY]
    edges = np.linspace(0, max(1, int(scores.max())), _BINS + 1)
    return Detection(
        threshold=threshold * unit,
        false_alarms=_share_above(normal, threshold),
        found=_share_above(odd, threshold),
        asked=asked,
        edges=tuple((edges * unit).tolist()),
        normal=tuple(np.histogram(normal, edges)[0].tolist()),
        anomalies=tuple(np.histogram(odd, edges)[0].tolist()),
        roc=_roc(normal, odd),
    )


def auroc(scores: NDArray[Any], y: NDArray[Any]) -> float:
    """Probability that an anomaly's score (n,) is above a normal one's; ties count one half.

    >>> auroc(np.array([1, 2, 2, 3]), np.array([0, 0, 1, 1]))
    0.875

    It is NaN where one of the two is missing.
    """
    odd, normal = np.sort(scores[y == ANOMALY]), scores[y == NORMAL]
    if not len(odd) or not len(normal):
        return float("nan")
    above = len(odd) - np.searchsorted(odd, normal, side="right")
    ties = len(odd) - np.searchsorted(odd, normal, side="left") - above
    return float((above + 0.5 * ties).mean() / len(odd))


def _share_above(scores: NDArray[np.int64], threshold: int) -> float | None:
    return float((scores > threshold).mean()) if len(scores) else None


def _roc(normal: NDArray[np.int64], odd: NDArray[np.int64]) -> tuple[tuple[float, float], ...]:
    """Points from (0, 0) to (1, 1); none where one kind of samples is missing."""
    if not len(normal) or not len(odd):
        return ()
    levels = np.quantile(np.concatenate([normal, odd]), np.linspace(1, 0, _POINTS))
    points = [(float((normal > t).mean()), float((odd > t).mean())) for t in levels]
    return (*points, (1.0, 1.0))
