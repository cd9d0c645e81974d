"""Small random draws that models and samples are made of."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.quantize.model import DTYPES, Requantize, ValueType

Rng = np.random.Generator
T = TypeVar("T")
TYPE_RANGE = {"s8": (-128, 127), "s16": (-32768, 32767)}


def random_input(rng: Rng, value_type: ValueType, count: int) -> NDArray[np.generic]:
    """One sample or label vector, shape (count,): dense, sparse, extreme or small."""
    style = rng.integers(4)
    if value_type == "f32":
        values = [
            rng.normal(size=count),
            rng.normal(size=count) * (rng.random(count) < 0.3),
            rng.uniform(-1, 1, count) * 2.0 ** rng.integers(-20, 8),
            np.zeros(count),
        ][style]
        return values.astype(np.float32)
    low, high = TYPE_RANGE[value_type]
    values = [
        rng.integers(low, high + 1, count),
        rng.integers(low, high + 1, count) * (rng.random(count) < 0.3),
        rng.choice([low, high], count),
        np.clip(rng.normal(0, high / 8, count), low, high),
    ][style]
    return values.astype(DTYPES[value_type])


def requantize(rng: Rng, low: int, high: int) -> Requantize:
    """A factor whose shift lies in [low, high]."""
    mult = int(rng.choice([2**14, 2**15, int(rng.integers(2**14, 2**15 + 1))], p=[0.1, 0.1, 0.8]))
    return Requantize(mult, int(rng.integers(low, high + 1)))


def extreme(rng: Rng, low: int, high: int) -> int:
    """An integer of [low, high], often one of the ends."""
    if rng.random() < 0.2:
        return int(rng.choice([low, high]))
    return int(rng.integers(low, high + 1))


def log_uniform(rng: Rng, low: float, high: float) -> float:
    """A value of [low, high], each order of magnitude as likely as the others."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def f32(value: float) -> float:
    """The nearest binary32 value."""
    return float(np.float32(value))


def choose(rng: Rng, options: Sequence[T]) -> T:
    """One of the options."""
    return options[int(rng.integers(len(options)))]


def maybe(rng: Rng, given: bool | None, share: float) -> bool:  # noqa: FBT001 - passed on
    """What was asked for, or True with the given probability."""
    drawn = bool(rng.random() < share)
    return drawn if given is None else given
