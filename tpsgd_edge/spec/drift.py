"""A detector that notices on the device that the net does worse than it did."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tpsgd_edge.spec.base import Section


class DriftSpec(Section):
    """A detector of drift, which notices that the net does worse than it did (Page-Hinkley).

    With `watch` the project has NAME_drift.h, whose NAME_drift says so.
    """

    watch: Literal["accuracy", "confidence"] | None = None
    """Number that the detector looks at: whether answers to labelled samples are right, or the
    confidence of answers, which needs no label. Since: 0.2.0. Example: `watch = "accuracy"`"""
    tolerance: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Rise of the share of wrong answers, or of the doubt, that does not count. Since: 0.2.0.
    Example: `tolerance = 0.1, watch = "accuracy"`"""
    threshold: Annotated[float, Field(gt=0, le=10_000)] = 10.0
    """How many wrong answers more than expected say that something has changed: fewer are noticed
    sooner, and happen more often by chance. Since: 0.2.0.
    Example: `threshold = 20, watch = "accuracy"`"""
    after: Annotated[int, Field(ge=1, le=65535)] = 30
    """Number of answers before anything is said. Since: 0.2.0.
    Example: `after = 100, watch = "accuracy"`"""

    @model_validator(mode="after")
    def _something_is_watched(self) -> "DriftSpec":
        named = self.model_fields_set - {"watch"}
        if self.watch is None and named:
            raise ValueError(
                f"'{min(named)}' says nothing without watch: set watch = \"accuracy\" or "
                '"confidence"'
            )
        return self
