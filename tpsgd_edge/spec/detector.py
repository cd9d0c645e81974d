"""The layer kind that learns what is normal and finds what is not: the end of an anomaly task."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tpsgd_edge.spec.lengths import LARGEST
from tpsgd_edge.spec.weighted import WeightedSpec

DETECTOR = "detector"


class DetectorSpec(WeightedSpec):
    """The last layer of a net that learns without labels: it scores how odd a sample is.

    It compares the score with a threshold that follows the scores of normal samples.
    """

    kind: Literal["detector"]
    """Kind of the layer. Since: 0.2.0. Example: `kind = "detector"`"""
    method: Literal["reconstruction", "statistics"] = "reconstruction"
    """What a sample is compared with: what a few units can tell of it, whose weights learn to
    reconstruct; or a running mean and variance of each input.
    Since: 0.2.0. Example: `method = "statistics"`"""
    units: Annotated[int, Field(ge=1, le=LARGEST)] | None = None
    """Units of a reconstruction: the directions in which normal samples may differ; where not
    given, an eighth of the inputs, from 2 to 32. Since: 0.2.0. Example: `units = 16`"""
    false_alarms: Annotated[float, Field(ge=0.001, le=0.5)] = 0.01
    """Share of the normal samples whose scores may lie above the threshold: a smaller share makes
    it less sensitive. Since: 0.2.0. Example: `false_alarms = 0.02`"""
    activation: Literal["linear"] = "linear"
    """Activation of a detector, which is always linear. Example: `activation = "linear"`"""

    @model_validator(mode="after")
    def _statistics_have_no_units(self) -> "DetectorSpec":
        given = {"units", "learning_rate", "weights", "weight_range"} & self.model_fields_set
        if self.method == "statistics" and given:
            raise ValueError(
                f"'{min(given)}' is of a reconstruction: leave it out, or method = \"statistics\""
            )
        if not self.train:
            raise ValueError("a detector always learns: leave train = false out")
        if self.loss is not None or self.projection is not None:
            raise ValueError("a detector has neither targets nor labels: leave loss and projection")
        return self
