"""Projections as small integers (docs/ARITHMETIC.md, section 9)."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.random import draws

# Factor that makes the variance of the entries 1.
UNIT = {
    "sign": 1.0,
    "hadamard": 1.0,
    "ternary": math.sqrt(2.0),
    "gaussian": 1 / 36.95,
    "fitted": 1 / 36.95,
    "learned": 1 / 36.95,
}
# With it the first few rows of any size already tell all columns apart, and the first `size` rows
# are all rows of the matrix.
_HADAMARD_STEP = 13
# Kinds whose entries need a byte each.
WIDE = frozenset({"gaussian", "fitted", "learned"})
# A read-out that learns does so at the layer's learning rate times this (docs/RESULTS.md).
READOUT_FACTOR = 3.0


def draw_projection(kind: str, seed: int, shape: tuple[int, int]) -> NDArray[np.int8]:
    """P in whole numbers, shape (n_target, K): what the device stores or draws.

    >>> draw_projection("sign", 7, (2, 3)).shape
    (2, 3)
    """
    return _DRAW[kind](seed, *shape)


def _draw_sign(seed: int, n_out: int, n_labels: int) -> NDArray[np.int8]:
    bits = _fields(seed, n_out, n_labels, width=1)
    return np.where(bits == 1, 1, -1).astype(np.int8)


def _draw_hadamard(seed: int, n_out: int, n_labels: int) -> NDArray[np.int8]:
    size = 1 << (n_labels - 1).bit_length()
    codes = np.arange(n_out, dtype=np.uint32) * np.uint32(_HADAMARD_STEP) % np.uint32(size)
    both = codes[:, np.newaxis] & np.arange(n_labels, dtype=np.uint32)
    for shift in (8, 4, 2, 1):
        both ^= both >> np.uint32(shift)
    odd = (both ^ draws(seed, n_out)[:, np.newaxis]) & np.uint32(1)
    return np.where(odd == 1, -1, 1).astype(np.int8)


def _draw_ternary(seed: int, n_out: int, n_labels: int) -> NDArray[np.int8]:
    pairs = _fields(seed, n_out, n_labels, width=2)
    return ((pairs & 1).astype(np.int8) - (pairs >> 1).astype(np.int8)).astype(np.int8)


def _draw_gaussian(seed: int, n_out: int, n_labels: int) -> NDArray[np.int8]:
    words = draws(seed, n_out * n_labels).reshape(n_out, n_labels)
    four_bytes = sum(
        (words >> np.uint32(8 * i) & np.uint32(255)).astype(np.int64) for i in range(4)
    )
    rounded = (np.asarray(four_bytes) - 510 + 2) >> 2
    return np.asarray(np.clip(rounded, -128, 127), np.int8)


def _fields(seed: int, n_out: int, n_labels: int, *, width: int) -> NDArray[np.uint32]:
    """Bit fields of `width` bits, one for each entry, low bits first, rows starting at a word."""
    per_word = 32 // width
    n_words = -(-n_labels // per_word)
    words = draws(seed, n_out * n_words).reshape(n_out, n_words, 1)
    shifts = np.arange(per_word, dtype=np.uint32) * np.uint32(width)
    fields = words >> shifts & np.uint32(2**width - 1)
    return fields.reshape(n_out, n_words * per_word)[:, :n_labels]


_DRAW: dict[str, Callable[[int, int, int], NDArray[np.int8]]] = {
    "sign": _draw_sign,
    "hadamard": _draw_hadamard,
    "ternary": _draw_ternary,
    "gaussian": _draw_gaussian,
}
