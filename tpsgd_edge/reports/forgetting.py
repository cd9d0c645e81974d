"""Forgetting of classes that came one after the other."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tpsgd_edge.stages.training import Training


@dataclass(frozen=True, slots=True)
class Forgetting:
    """Share of right answers for each class, where classes came one after the other.

    Attributes:
        classes: their numbers, in the order in which they came.
        learned: after the last sample of the class itself.
        left: after all samples.
    """

    classes: tuple[int, ...]
    learned: tuple[float, ...]
    left: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean loss of all classes but the last, which nothing came after."""
        lost = [a - b for a, b in zip(self.learned[:-1], self.left[:-1], strict=True)]
        return sum(lost) / len(lost) if lost else 0.0

    def to_json(self) -> dict[str, Any]:
        """The fields by name, and the mean."""
        return {
            "classes": list(self.classes),
            "learned": list(self.learned),
            "left": list(self.left),
            "mean": self.mean,
        }


def forgetting_of(training: Training) -> Forgetting:
    """Compare each class of a training after its own samples and at the end.

    A class that has no test samples is not among them.
    """
    confusions = [s.confusion for s in training.scores[1:] if s.confusion is not None]
    right = np.array([np.diag(c) / np.maximum(c.sum(axis=1), 1) for c in confusions])
    tested = [k for k in range(len(right)) if confusions[0][k].sum() > 0]
    learned = tuple(float(right[k, k]) for k in tested)
    left = tuple(float(right[-1, k]) for k in tested)
    return Forgetting(tuple(tested), learned, left)
