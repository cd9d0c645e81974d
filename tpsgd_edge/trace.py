"""What a run did, step by step: the form in which reference and device are compared."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Trace:
    """Digests of every tensor after every training step.

    Attributes:
        tensors: names: the state's tensors in digest order, then "output", the last layer's output
            in the
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


def digest(tensors: Iterable[NDArray[np.generic]]) -> int:
    """CRC-32 of the tensors one after the other (docs/ARITHMETIC.md, section 13).

    >>> hex(digest([np.array([1, 2], "<u2"), np.array([3], "<u1")]))
    '0x61cf5b79'
    """
    crc = 0
    for tensor in tensors:
        crc = zlib.crc32(np.ascontiguousarray(tensor).tobytes(), crc)
    return crc


def join(parts: Sequence[Trace]) -> Trace:
    """Traces of runs that follow each other, as one."""
    return Trace(
        parts[0].tensors, np.concatenate([part.digests for part in parts]), parts[-1].final
    )
