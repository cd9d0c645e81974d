"""The fall of a learning rate over a training."""

import math
from collections.abc import Callable, Mapping

DECAY: Mapping[str, Callable[[float, float], float]] = {
    "constant": lambda share, final: 1.0,
    "linear": lambda share, final: 1 - (1 - final) * share,
    "cosine": lambda share, final: final + (1 - final) * (1 + math.cos(math.pi * share)) / 2,
    "exponential": lambda share, final: float(final**share),
}
"""By the schedule: the factor at a share 0..1 of the training, given the factor at its end."""
