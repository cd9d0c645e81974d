"""What a run did, step by step: the form in which reference and device are compared."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Trace:
    """Digests of every tensor after every training step.

    Attributes:
        tensors: names: the state's tensors in digest order, then "output", the last layer's output in the
            forward pass of the step.
        digests: CRC-32 of each tensor, shape (steps, len(tensors)), uint32.
        final: the tensors themselves after the last step.
    """

    tensors: tuple[str, ...]
    digests: NDArray[np.uint32]
    final: Mapping[str, NDArray[np.generic]]

    @property
    def steps(self) -> int:
        """Number of training steps."""
        return len(self.digests)
