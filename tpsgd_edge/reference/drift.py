"""A detector of drift: Page and Hinkley's test in integers (docs/ARITHMETIC.md, section 24)."""

from dataclasses import dataclass

ONE = 2**15
_MOST = 65535


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a detector: `tolerance` and `threshold` in Q15, and numbers to wait for."""

    tolerance: int
    threshold: int
    after: int


@dataclass(frozen=True, slots=True)
class Detector:
    """Memory of a detector; all 0 at first."""

    n: int = 0
    sum: int = 0
    excess: int = 0

    def after(self, value: int, limits: Limits) -> tuple["Detector", bool]:
        """The detector after one more number in Q15, and whether the mean has risen."""
        total = self.sum if self.n < _MOST else self.sum - self.sum // self.n
        n, total = min(self.n + 1, _MOST), total + value
        excess = max(0, self.excess + value - total // n - limits.tolerance)
        has_risen = n >= limits.after and excess > limits.threshold
        return (Detector() if has_risen else Detector(n, total, excess)), has_risen
