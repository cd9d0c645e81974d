"""What the generator knows of a kind of layers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tpsgd_edge.codegen.calls import Call, StageView
from tpsgd_edge.quantize.model import QuantizedModel

# A function of the model and one of its layers, of the class that the kind has.
MakeStage = Callable[[QuantizedModel, Any], StageView]
MakeDraw = Callable[[Any, int], Call]
MakeCalls = Callable[[QuantizedModel, Any], tuple[Call, ...]]


def _no_calls(_model: QuantizedModel, _layer: object) -> tuple[Call, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of layers.

    Attributes:
        forward: the stage of the forward pass.
        learn: the stage in which the layer learns; None of a kind that has no weights.
        pass_down: the stage in which errors go through it; None of a kind that learns, which hands
            them down while it learns.
        recall: the stage that makes the outputs of the latest step again; None of a kind that is
            not recurrent.
        draw: the call that draws first weights from a seed; None of a kind that has no weights.
        remember: what follows the forward pass where the project trains.
    """

    forward: MakeStage
    learn: MakeStage | None = None
    pass_down: MakeStage | None = None
    recall: MakeStage | None = None
    draw: MakeDraw | None = None
    remember: MakeCalls = _no_calls
