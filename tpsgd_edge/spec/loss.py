"""The losses of a spec."""

from typing import Literal

from pydantic import model_validator

from tpsgd_edge.spec.base import Positive, Section

HiddenLoss = Literal[
    "projected_cross_entropy",
    "projected_l2",
    "l2",
    "l1",
    "huber",
    "epsilon_insensitive",
    "cross_entropy",
    "custom",
]
OutputLoss = Literal[
    "softmax_cross_entropy", "l2", "l1", "huber", "epsilon_insensitive", "cross_entropy", "custom"
]
LossKind = Literal[HiddenLoss, "softmax_cross_entropy"]

# They compare P^T y with the label, instead of y with P y*.
LABEL_SPACE: tuple[LossKind, ...] = ("projected_cross_entropy", "projected_l2")

_LOSS_SETTINGS = {
    "delta": ("huber", "epsilon_insensitive"),
    "temperature": ("projected_cross_entropy",),
    "expression": ("custom",),
}


class LossSpec(Section):
    """A local loss: a table, or its kind alone as text."""

    kind: LossKind
    """Which loss. Example: `kind = "l2"`"""
    delta: Positive = 0.25
    """Where huber turns linear and epsilon_insensitive starts, in units of the layer's output.
    Example: `delta = 0.1, kind = "huber"`"""
    temperature: Positive = 1.0
    """How soft the answers of projected_cross_entropy are: lower is surer.
    Example: `temperature = 0.5, kind = "projected_cross_entropy"`"""
    expression: str | None = None
    """Error of a custom loss: -dJ/dy as an expression in r = t - y.
    Example: `expression = "tanh(4 * r)", kind = "custom"`"""

    @model_validator(mode="after")
    def _settings_belong_to_the_kind(self) -> "LossSpec":
        if self.kind == "custom" and self.expression is None:
            raise ValueError('a custom loss needs an expression, such as "tanh(4 * r)"')
        for key, kinds in _LOSS_SETTINGS.items():
            if key in self.model_fields_set and self.kind not in kinds:
                which = " or ".join(repr(kind) for kind in kinds)
                raise ValueError(f"{key!r} goes with the loss {which}, not with {self.kind!r}")
        return self
