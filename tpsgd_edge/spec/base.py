"""Base of all sections of a spec."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Keys(BaseModel):
    """A table of keys: none may be unknown, no type is guessed, nothing changes afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class Section(Keys):
    """A table of keys of a spec."""


LARGEST_POSITIVE = 1e6
Positive = Annotated[float, Field(gt=0, le=LARGEST_POSITIVE)]
