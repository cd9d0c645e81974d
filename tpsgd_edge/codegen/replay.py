"""Samples that are kept, as the templates print them."""

import math
from dataclasses import dataclass

from tpsgd_edge.arithmetic.random import Purpose, stream
from tpsgd_edge.codegen.c import c_uint
from tpsgd_edge.memory.kept import KEPT, kept_samples
from tpsgd_edge.quantize.model import QuantizedModel


@dataclass(frozen=True, slots=True)
class ReplayView:
    """The kept samples of a model.

    Attributes:
        again: steps on kept samples before each new one.
        start: where their random numbers begin, as a literal.
        label_count: entries of all their labels.
    """

    size: int
    is_balanced: bool
    again: int
    start: str
    label_count: int

    @property
    def again_words(self) -> str:
        """Name the samples that are learned from again."""
        return "a kept sample" if self.again == 1 else f"{self.again} kept samples"

    @property
    def words(self) -> str:
        """Say which samples are kept."""
        if self.is_balanced:
            return "or leave it: as many of each class"
        return "or leave it: each that ever came with the same probability"


def replay_view(model: QuantizedModel) -> ReplayView | None:
    """The view of a model's kept samples; None where it keeps none."""
    replay = model.replay
    if replay is None:
        return None
    start = c_uint(stream(model.seed, Purpose.KEPT_SAMPLES, 0))
    labels = next(shape for name, _, shape in kept_samples(model) if name == f"{KEPT}.label")
    return ReplayView(replay.size, replay.is_balanced, replay.again, start, math.prod(labels))
