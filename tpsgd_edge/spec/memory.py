"""The layer kind that remembers without learning: fixed linear states of what it reads."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from tpsgd_edge.spec.leaks import leaks
from tpsgd_edge.spec.weightless import WeightlessSpec

_MOST_COSINES = 64
# Kinds of layers that keep something from one step of a sequence to the next.
KEEPING = ("rnn", "gru", "lstm", "memory")


def skipped_steps(layer: object) -> int:
    """Steps between two that a layer hands on: those of a memory, else none."""
    return layer.every - 1 if isinstance(layer, MemorySpec) else 0


class MemorySpec(WeightlessSpec):
    """Fixed linear states of each channel: leaky means, or cosine sums over a sequence.

    It has no weights, so dense layers behind it learn from the present alone, and that is the
    gradient through time. With cosines = 1 it keeps the mean of what it reads.
    """

    stem: ClassVar[str] = "memory"
    kind: Literal["memory"]
    """Kind of the layer. Since: 0.2.0. Example: `kind = "memory"`"""
    leak: tuple[float, ...] | None = None
    """Shares by which the leaky means of a channel move towards it at each step, powers of two;
    where neither leak nor cosines are given, 1, 0.5, 0.25, ... down to one step of a sequence.
    Since: 0.2.0. Example: `leak = [1, 0.25, 0.0625]`"""
    differences: bool = True
    """Whether of neighbouring leaky means the difference is handed on, and of the last one the mean
    itself. Since: 0.2.0. Example: `differences = false`"""
    cosines: Annotated[int, Field(ge=1, le=_MOST_COSINES)] | None = None
    """Number of cosine sums of a channel over the length of a sequence, instead of leaky means; 1
    is the mean. Since: 0.2.0. Example: `cosines = 6`"""
    every: Annotated[int, Field(ge=1, le=65535)] = 1
    """The layers behind it, up to the next memory, see one of so many steps, counted back from the
    last of a sequence. Since: 0.2.0. Example: `every = 8`"""

    @field_validator("leak", mode="before")
    @classmethod
    def _leaks_are_powers_of_two(cls, value: object) -> object:
        return None if value is None else leaks(value)

    @model_validator(mode="after")
    def _states_are_of_one_kind(self) -> "MemorySpec":
        if self.cosines is not None and self.leak is not None:
            raise ValueError("'leak' is for leaky means, 'cosines' for cosine sums: keep one")
        if self.cosines is not None and "differences" in self.model_fields_set:
            raise ValueError("'differences' are those of leaky means: leave it or cosines out")
        if self.leak is not None and list(self.leak) != sorted(self.leak, reverse=True):
            raise ValueError("'leak' goes from the largest to the smallest, as [1, 0.5, 0.25]")
        return self
