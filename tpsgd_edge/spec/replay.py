"""Samples that the device keeps, to learn from them again."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tpsgd_edge.spec.base import Section

LARGEST_SIZE = 65535


class ReplaySpec(Section):
    """Samples that the device keeps, to learn from some of them again before each new one.

    So does what it meets in the order of its life, one person or one class after the other, not
    drive out what it knew. They are part of the model's state: checkpoints hold them, and the
    budget of RAM counts them.
    """

    size: Annotated[int, Field(ge=0, le=LARGEST_SIZE)] = 0
    """Number of samples that are kept, with their labels; 0 keeps none. Since: 0.2.0.
    Example: `size = 50`"""
    keep: Literal["reservoir", "balanced"] | None = None
    """Which samples are kept: each that ever came with the same probability, or as many of each
    class. Where not given, balanced if a sample has one class and there is room for all classes.
    Since: 0.2.0. Example: `keep = "reservoir", size = 50`"""
    again: Annotated[int, Field(ge=1, le=255)] = 1
    """Number of steps on kept samples before each step on a new one. Since: 0.2.0.
    Example: `again = 2, size = 50`"""

    @model_validator(mode="after")
    def _something_is_kept(self) -> "ReplaySpec":
        named = self.model_fields_set - {"size"}
        if self.size == 0 and named:
            raise ValueError(f"'{min(named)}' says nothing where size = 0: set size, as size = 50")
        return self
