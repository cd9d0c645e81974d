"""Samples that are kept and learned from again (docs/ARITHMETIC.md, section 24)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.ops import U32_MASK
from tpsgd_edge.arithmetic.random import Purpose, draws, mix, stream
from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.memory.kept import KEPT, kept_samples
from tpsgd_edge.quantize.model import DTYPES, QuantizedModel, Replay

# Which of the random words at one state of `rng` chooses what.
_LEARNED, _REPLACED = 0, 1


def below(word: int, count: int) -> int:
    """A whole number from 0 to count - 1, from a random word.

    >>> [below(word, 3) for word in (0, 2**31, 2**32 - 1)]
    [0, 1, 2]
    """
    return word * count >> 32


class KeptSamples:
    """The kept samples of one model, in the types and shapes of its state."""

    def __init__(self, model: QuantizedModel, replay: Replay) -> None:
        self._replay = replay
        self._start = stream(model.seed, Purpose.KEPT_SAMPLES, 0)
        self._tensors = {
            name: np.zeros(shape, DTYPES[type_]) for name, type_, shape in kept_samples(model)
        }

    def state(self) -> dict[str, NDArray[Any]]:
        """The tensors by name, samples (size, n_in), only read and until the next step."""
        return self._tensors

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from the tensors of a state, samples (size, n_in)."""
        self._tensors = {name: np.array(state[name]) for name in self._tensors}

    @property
    def count(self) -> int:
        """Number of samples that are kept."""
        return int(self._tensors[f"{KEPT}.kept"])

    def learned_again(self, rng: int) -> tuple[Array, Array]:
        """The kept sample (n_in,) that is learned from again, and its label."""
        place = below(self._word(rng, _LEARNED), self.count)
        return self._x[place], self._labels[place]

    def keep(self, x: Array, label: Any, rng: int) -> None:
        """Keep a new sample x, shape (n_in,), or leave it."""
        place = self._place(int(label) if self._replay.is_balanced else None, rng)
        if place is not None:
            self._x[place] = x
            self._labels[place] = np.reshape(label, self._labels.shape[1:])

    def _place(self, own: int | None, rng: int) -> int | None:
        """Place of a sample of a class; None where it is not kept."""
        seen = self._tensors[f"{KEPT}.seen"]
        which = () if own is None else own
        came = min(int(seen[which]) + 1, U32_MASK)
        seen[which] = came
        if self.count < self._replay.size:
            self._tensors[f"{KEPT}.kept"] += 1
            return self.count - 1
        word = self._word(rng, _REPLACED)
        if own is None:
            candidates = np.arange(self._replay.size)
        else:
            counts = np.bincount(self._labels, minlength=len(seen))
            if counts[own] + 1 < counts.max():
                largest = np.flatnonzero(self._labels == counts.argmax())
                return int(largest[below(word, len(largest))])
            candidates = np.flatnonzero(self._labels == own)
        pick = below(word, came)
        return int(candidates[pick]) if pick < len(candidates) else None

    def _word(self, rng: int, which: int) -> int:
        return int(draws(mix(rng + self._start), 2)[which])

    @property
    def _x(self) -> Array:
        return self._tensors[f"{KEPT}.x"]

    @property
    def _labels(self) -> Array:
        return self._tensors[f"{KEPT}.label"]
