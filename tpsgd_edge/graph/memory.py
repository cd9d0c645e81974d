"""Memories: fixed linear states of each channel of a sequence (docs/ARITHMETIC.md, section 23)."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from tpsgd_edge.arithmetic.activations import Numbers
from tpsgd_edge.arithmetic.types import Real
from tpsgd_edge.graph.weightless import Shape, Weightless

# What varies less than this has no use.
_SMALLEST_STD = 1e-9


@dataclass(frozen=True, slots=True)
class Memory(Weightless):
    """Leaky means or cosine sums of each channel of `length` inputs, without weights.

    Attributes:
        x_shape: what it reads at one step, (1, 1, channels); of a map, all of it at once.
        reads_map: whether it reads a map at once, instead of walking along a sequence.
        leaks: of leaky means, from the largest down; empty of cosine sums.
        cosines: number of cosine sums; 0 of leaky means.
        differences: whether neighbouring means are handed on as differences.
        every: it hands on at one of so many inputs, counted back from the last.
        mids, gains: y = (val - mid) * gain, of each value.
        reach: magnitude that all but 1 in 1,000 of y stay below, where mids and gains are such that
            they have mean 0 and std 1; 0 where they are not measured.
    """

    name: str
    x_shape: Shape
    length: int
    leaks: tuple[float, ...] = ()
    cosines: int = 0
    differences: bool = False
    every: int = 1
    mids: tuple[float, ...] = ()
    gains: tuple[float, ...] = ()
    reach: float = 0.0
    reads_map: bool = True
    activation: ClassVar[str] = "linear"
    numbers: ClassVar[Numbers] = ()

    @property
    def kind(self) -> Literal["memory"]:
        """The layer kind, as in the spec."""
        return "memory"

    @property
    def channels(self) -> int:
        """Values that it reads at one step."""
        return self.x_shape[2]

    @property
    def states(self) -> int:
        """States of each channel."""
        return len(self.leaks) or self.cosines

    @property
    def handed_on(self) -> int:
        """Number of inputs of a sequence at which it hands on."""
        return 1 + (self.length - 1) // self.every

    @property
    def x_shapes(self) -> tuple[Shape, ...]:
        """The value that it reads."""
        return (self.x_shape,)

    @property
    def y_shape(self) -> Shape:
        """The values that it makes, as a map of one place."""
        return 1, 1, self.channels * self.states


def memory_of(layer: object) -> Memory | None:
    """The layer if it is a memory, else None."""
    return layer if isinstance(layer, Memory) else None


def every_of(layer: object) -> int:
    """Inputs from one at which a layer hands on to the next: 1 of all but memories."""
    memory = memory_of(layer)
    return 1 if memory is None else memory.every


def usual_gains(leaks: int, cosines: int, length: int, channels: int) -> tuple[float, ...]:
    """Factors that keep values in the range of the inputs: those of a memory that is not measured.

    >>> usual_gains(2, 0, 8, 1), usual_gains(0, 1, 8, 2)
    ((1.0, 1.0), (0.125, 0.125))
    """
    one = [1.0] * leaks or [(math.sqrt(2) if k else 1.0) / length for k in range(cosines)]
    return tuple(one * channels)


def cosine_table(cosines: int, length: int) -> Real:
    """Cosines of half turns over the length of a sequence, shape (length, cosines)."""
    turns = np.arange(cosines) * (np.arange(length)[:, np.newaxis] + 0.5) / length
    return np.asarray(np.cos(np.pi * turns), np.float64)


def weights_over_time(layer: Memory) -> Real:
    """Weights of inputs in the values, (length, steps at which it hands on, states).

    A value before mid and gain is the sum over all inputs of a channel, times these.
    """
    inputs, steps = np.arange(layer.length), np.arange(layer.length)[:, np.newaxis]
    ages = (steps - inputs)[(layer.length - 1 - steps[:, 0]) % layer.every == 0]
    seen = (ages >= 0)[:, :, np.newaxis]
    if layer.leaks:
        leaks = np.array(layer.leaks)
        # A leak of 1 keeps the latest input: 0 ** 0 is 1.
        weights = leaks * (1 - leaks) ** np.maximum(ages, 0)[:, :, np.newaxis]
    else:
        weights = np.broadcast_to(
            cosine_table(layer.cosines, layer.length), (*ages.shape, layer.cosines)
        )
    weights = np.where(seen, weights, 0.0)
    if layer.differences:
        weights = np.concatenate([weights[..., :-1] - weights[..., 1:], weights[..., -1:]], axis=2)
    return np.asarray(weights.transpose(1, 0, 2), np.float64)


def handed_values(layer: Memory, x: Real) -> Real:
    """Values before mid and gain, (n, steps at which it hands on, y_count), of x (n, length, c)."""
    state = np.zeros((len(x), layer.channels, layer.states))
    leaks, table = np.array(layer.leaks), cosine_table(layer.cosines, layer.length)
    found = []
    for step in range(layer.length):
        now = x[:, step, :, np.newaxis]
        state = state + ((now - state) * leaks if layer.leaks else now * table[step])
        if (layer.length - 1 - step) % layer.every == 0:
            found.append(_values(layer, state))
    return np.stack(found, axis=1)


def _values(layer: Memory, state: Real) -> Real:
    if layer.differences:
        state = np.concatenate([state[:, :, :-1] - state[:, :, 1:], state[:, :, -1:]], axis=2)
    return state.reshape(len(state), -1)


def remembered(layer: Memory, x: Real) -> Real:
    """Values that it hands on, (n, steps at which it does, y_count), of x (n, length, channels)."""
    values = handed_values(layer, x)
    return np.asarray((values - np.array(layer.mids)) * np.array(layer.gains), np.float64)


def measures(values: Real) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mids and gains by which values (n, y_count) have mean 0 and std 1; 0 where none changes."""
    # Sums along the first axis add row by row, so every machine gets the same bits.
    mean = values.sum(axis=0) / len(values)
    std = np.sqrt(((values - mean) ** 2).sum(axis=0) / len(values))
    gains = np.where(std > _SMALLEST_STD, 1 / np.maximum(std, _SMALLEST_STD), 0.0)
    return tuple(mean.tolist()), tuple(gains.tolist())
