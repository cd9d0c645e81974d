"""Averages of differences in integers, with one rounding (docs/ARITHMETIC.md, section 27)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, get_args

import numpy as np

from tpsgd_edge.arithmetic.ops import Int64
from tpsgd_edge.arithmetic.random import Purpose, draws, stream
from tpsgd_edge.fleet.shared import Shared

Average = Literal["mean", "median", "trimmed", "krum"]
AVERAGES: tuple[Average, ...] = get_args(Average)
# All shares of devices together: a difference of s16 weights has 16 bits and a sign, so that
# sums of s8 and s16 weights stay within 2^30.
MOST_SHARE = 1 << 14


def device_shares(samples: Sequence[int]) -> Int64:
    """Shares of devices by the samples that they learned, shape (n,), at most 2^14 in all.

    >>> device_shares([100, 300]).tolist(), device_shares([10_000, 30_000]).tolist()
    ([100, 300], [2500, 7500])

    Raises:
        ValueError: there are more devices than that.
    """
    if len(samples) > MOST_SHARE:
        raise ValueError(f"{len(samples):,} devices for one sum")
    counts = np.array(samples, np.int64)
    shares: Int64 = np.maximum(counts, 1)
    shift = 0
    while shares.sum() > MOST_SHARE:
        shift += 1
        shares = np.maximum(counts >> shift, 1)
    return shares


def rounding_words(seed: int, turn: int, count: int) -> Int64:
    """The random words with which the averages of a round are rounded, shape (count,)."""
    return draws(stream(seed, Purpose.FLEET, turn), count).astype(np.int64)


def limited(shared: Shared, base: Int64, differences: Int64) -> Int64:
    """Differences (count,) cut to what leaves each value in the range of its tensor."""
    cut: Int64 = np.clip(base + differences, shared.low, shared.high) - base
    return cut


def mean(differences: Iterable[Int64], shares: Int64, words: Int64) -> Int64:
    """The weighted mean of differences, n of shape (count,), rounded at random, shape (count,).

    >>> mean([np.array([4, -1]), np.array([0, 0])], np.array([1, 3]), np.array([0, 0])).tolist()
    [1, -1]
    """
    sums = np.zeros(len(words), np.int64)
    for share, difference in zip(shares.tolist(), differences, strict=True):
        sums += share * difference
    return _divided(sums, int(shares.sum()), words)


def _divided(sums: Int64, by: int, words: Int64) -> Int64:
    """floor((sum + r) / by), where r is uniform in 0 .. by - 1."""
    divided: Int64 = (sums + (words * by >> 32)) // by
    return divided


def trimmed_mean(differences: Int64, cut: int, words: Int64) -> Int64:
    """The mean of differences (n, count) without the `cut` least and largest of each value."""
    kept = np.sort(differences, axis=0)[cut : len(differences) - cut]
    return _divided(kept.sum(axis=0), len(kept), words)


def krum_choice(differences: Int64, cut: int) -> int:
    """The device whose differences lie closest to those of others (Blanchard and others, 2017).

    Args:
        differences: (n, count) of weights, without biases.
        cut: how many devices may lie.
    """
    n = len(differences)
    squares = (differences * differences).sum(axis=1)
    far = squares[:, None] + squares[None, :] - 2 * (differences @ differences.T)
    others = np.sort(far, axis=1)[:, 1 : 1 + max(1, n - cut - 2)]
    return int(np.argmin(others.sum(axis=1)))


def averaged(
    shared: Shared,
    base: Int64,
    differences: Iterable[Int64],
    shares: Int64,
    words: Int64,
    *,
    average: Average,
    cut: int,
) -> Int64:
    """The values of the server after a round, shape (count,).

    Args:
        base: its values before.
        differences: of the devices, n > 0 of shape (count,); a mean takes one after the other.
        shares: of the devices, (n,); only a mean regards them.
        cut: devices that a trimmed mean leaves out at each end, or that Krum takes for liars.
    """
    moved = (limited(shared, base, one) for one in differences)
    if average == "mean":
        return base + mean(moved, shares, words)
    make = _ROBUST[average]
    return base + make(shared, np.stack(list(moved)), words, min(cut, (len(shares) - 1) // 2))


def _krum(shared: Shared, moved: Int64, words: Int64, cut: int) -> Int64:
    places = [tensor.place for tensor in shared.tensors if tensor.type != "s32"]
    chosen = krum_choice(np.concatenate([moved[:, place] for place in places], axis=1), cut)
    found: Int64 = moved[chosen]
    return found


_ROBUST: Mapping[Average, Callable[[Shared, Int64, Int64, int], Int64]] = {
    "median": lambda shared, moved, words, cut: trimmed_mean(moved, (len(moved) - 1) // 2, words),
    "trimmed": lambda shared, moved, words, cut: trimmed_mean(moved, cut, words),
    "krum": _krum,
}
