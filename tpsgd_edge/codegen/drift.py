"""A detector of drift, as its template prints it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DriftView:
    """The detector of a project: the number it looks at, and its limits as the contract has them.

    Attributes:
        is_confidence: whether it looks at confidences; else at right and wrong answers.
        tolerance, threshold: in Q15.
    """

    is_confidence: bool
    tolerance: int
    threshold: int
    after: int

    @property
    def tolerance_words(self) -> str:
        """Tolerance as a share of the answers."""
        return f"{self.tolerance / 2**15:.3g}, Q15"

    @property
    def threshold_words(self) -> str:
        """Threshold in answers."""
        return f"{self.threshold / 2**15:.5g} answers, Q15"
