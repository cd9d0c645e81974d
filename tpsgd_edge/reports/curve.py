"""Points of a learning curve, and numbers that JSON has a word for."""

import math
from dataclasses import dataclass

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Score on the test set at one time of the training; epoch 0 is before training.

    `accuracy` is in the metric of the result.
    """

    epoch: float
    samples_seen: int
    accuracy: float
    loss: float | None = None

    def to_json(self) -> Json:
        """The fields by name."""
        return {
            "epoch": self.epoch,
            "samples_seen": self.samples_seen,
            "accuracy": finite(self.accuracy),
            "loss": finite(self.loss),
        }


def finite(value: float | None) -> float | None:
    """The value, or None where JSON has no word for it.

    >>> finite(0.5), finite(float("nan")), finite(None)
    (0.5, None, None)
    """
    return float(value) if value is not None and math.isfinite(value) else None
