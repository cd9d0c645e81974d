"""Record of a kind of layers, with all that the generator knows about it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tpsgd_edge.codegen.calls import Call, OperationView
from tpsgd_edge.codegen.kinds.unit import LayerView
from tpsgd_edge.quantize.model import QuantizedModel

# A function of the model and one of its layers, of the class that the kind has.
MakeOperation = Callable[[QuantizedModel, Any], OperationView]
MakeStruct = Callable[[QuantizedModel, Any], LayerView]
MakeDraw = Callable[[Any, int], Call]
MakeCalls = Callable[[QuantizedModel, Any], tuple[Call, ...]]


def _no_calls(_model: QuantizedModel, _layer: object) -> tuple[Call, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class KernelFiles:
    """A header and a source with the kernels of a kind of layers, or of several kinds.

    Attributes:
        name: of both, which are tps_NAME.h and tps_NAME.c; templates read `m.kernels.NAME`.
        kernels: facts about the kernels that a model needs; None, or empty, where it needs none.
    """

    name: str
    kernels: Callable[[QuantizedModel], object]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of layers.

    Attributes:
        files: where its kernels are; None of dense layers, whose kernels all others share.
        struct: the constants of a layer.
        words: what a summary says of a layer behind its sizes.
        facts: what the manifest says of a layer beside its shape.
        forward: the stage of the forward pass.
        learn: the stage in which the layer learns; None of a kind that has no weights.
        backward: the stage in which errors only go through it; a layer that learns hands them down
            in that one. None of a kind that they do not pass.
        recall: the stage that makes the outputs of the latest step again; None of a kind that is
            not recurrent.
        draw: the call that draws initial weights from a seed; None of a kind that has no weights.
        remember: what follows the forward pass where the project trains.
    """

    files: KernelFiles | None
    struct: MakeStruct
    words: Callable[[Any], str]
    facts: Callable[[Any], dict[str, object]]
    forward: MakeOperation
    learn: MakeOperation | None = None
    backward: MakeOperation | None = None
    recall: MakeOperation | None = None
    draw: MakeDraw | None = None
    remember: MakeCalls = _no_calls
