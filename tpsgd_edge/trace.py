"""Traces: the record of a run, step by step, in which reference and device are compared."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# What the public functions say of a pair of samples, in the order of firmware/port/answers.h.
ANSWERS = ("outputs", "predict", "confidence", "answer", "answer_class", "evaluate")
# Those whose word is a CRC-32 of more than one value.
DIGESTED = frozenset({"outputs", "answer", "answer_class"})


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers of a model's public functions, none of which may change the model.

    Attributes:
        words: one for each sample and function of `ANSWERS`, shape (n, 6), uint32; 0 where the
            model has no such function. `evaluate` counts over the sample and the one before it.
        bad_labels: how many classes that do not exist were taken by functions that train.
        digest: the model's own digest of itself, after all questions.
    """

    words: NDArray[np.uint32]
    bad_labels: int
    digest: int


def neighbours(count: int) -> NDArray[np.intp]:
    """The pairs that are asked about: each sample, and the one before it, shape (count, 2).

    >>> neighbours(3).tolist()
    [[0, 0], [1, 0], [2, 1]]
    """
    place = np.arange(count)
    return np.stack([place, np.maximum(place - 1, 0)], axis=1)


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
    """CRC-32 of tensors of any shapes, one after the other (docs/ARITHMETIC.md, section 13).

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
