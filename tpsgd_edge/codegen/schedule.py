"""The schedule of the memory plan as stages of calls, and the first values of a model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

from tpsgd_edge.codegen.calls import LABEL, Call, LearningCalls, OperationView, arena
from tpsgd_edge.codegen.error_kernels import probability_c
from tpsgd_edge.codegen.kinds import KINDS
from tpsgd_edge.codegen.kinds.memory import due_call
from tpsgd_edge.memory import MemoryPlan, Operation
from tpsgd_edge.quantize.detectors import OwnTensor
from tpsgd_edge.quantize.model import (
    QuantizedDetector,
    QuantizedMemory,
    QuantizedModel,
    QuantizedWeighted,
    SeededInit,
)

LABEL_PROBABILITY = "tps_label_probability"


def step_stages(model: QuantizedModel) -> tuple[OperationView, ...]:
    """One step of the layers that walk, each of which remembers what it will learn from."""
    return tuple(_walking(model))


def _walking(model: QuantizedModel) -> Iterator[OperationView]:
    for layer in model.walk:
        kind = KINDS[layer.kind]
        stage = replace(kind.forward(model, layer), training_calls=kind.remember(model, layer))
        if layer.kind != "memory" or layer is model.walk[-1]:
            yield stage
            continue
        assert kind.recall is not None
        yield replace(stage, until=due_call(cast(QuantizedMemory, layer)))
        yield kind.recall(model, layer)


def inference_stages(model: QuantizedModel, plan: MemoryPlan) -> tuple[OperationView, ...]:
    """Forward passes of all layers; behind recurrent layers, of the others."""
    _, _, answer = plan.inference.parts
    return tuple(_stage(model, stage) for stage in answer)


def training_calls_of(model: QuantizedModel, plan: MemoryPlan) -> LearningCalls:
    """One training step; behind recurrent layers, its learning."""
    _, _, learning = plan.training.parts
    return _learning_calls(model, learning)


def teaching_calls_of(model: QuantizedModel, plan: MemoryPlan) -> LearningCalls:
    """Calls by which recurrent layers alone learn in the middle of a sequence."""
    _, teach, _ = plan.training.parts
    return _learning_calls(model, teach)


def _learning_calls(model: QuantizedModel, schedule: Sequence[Operation]) -> LearningCalls:
    gate = next((i for i, stage in enumerate(schedule) if stage.gates), len(schedule))
    views = tuple(_learning_stage(model, stage) for stage in schedule)
    return LearningCalls(views[: gate + 1], views[gate + 1 :])


def _learning_stage(model: QuantizedModel, stage: Operation) -> OperationView:
    view = _stage(model, stage)
    if not stage.gates or stage.kind != "forward":
        return view
    # If the last layer does not learn, no error kernel returns the label's probability.
    asked = (arena(model.last, "y"), LABEL)
    probability = probability_c(is_float=model.value_type == "f32")
    return replace(view, calls=(*view.calls, Call(LABEL_PROBABILITY, asked, probability)))


def _stage(model: QuantizedModel, stage: Operation) -> OperationView:
    layer = model.layers[stage.layer]
    kind = KINDS[layer.kind]
    makers = {
        "forward": kind.forward,
        "recall": kind.recall,
        "learn": kind.learn,
        "backward": kind.backward,
    }
    make = makers[stage.kind]
    assert make is not None, f"{layer.kind} has no stage {stage.kind!r}"
    return make(model, layer)


@dataclass(frozen=True, slots=True)
class FirstValues:
    """First values of one layer's tensors.

    Attributes:
        copies: members of the state that are copied from flash, and how many numbers they have.
        draw: the call that draws weights and biases; None where they are copied, too.
        zeros: members that begin with zeros, and how many numbers they have.
        numbers: members that begin with a few numbers.
    """

    name: str
    copies: tuple[tuple[str, int], ...]
    draw: Call | None
    zeros: tuple[tuple[str, int], ...] = ()
    numbers: tuple[tuple[str, tuple[int, ...]], ...] = ()


def first_values(model: QuantizedModel) -> tuple[FirstValues, ...]:
    """First values of weights, biases, and projections that learn."""
    own = (_own_values(layer, tensor) for layer in model.detectors for tensor in layer.tensors)
    return (*(_first_values(model, layer) for layer in model.trainable), *own)


def _own_values(layer: QuantizedDetector, tensor: OwnTensor) -> FirstValues:
    """First values of what a detector keeps beside weights and biases."""
    if not any(tensor.first):
        return FirstValues(layer.name, (), None, zeros=((tensor.role, tensor.count),))
    return FirstValues(layer.name, (), None, numbers=((tensor.role, tensor.first),))


def _kind_of(model: QuantizedModel, unit: QuantizedWeighted) -> str:
    """The kind of the layer that a unit is part of."""
    owners = (la.kind for la in model.layers if any(unit is part for part in la.units))
    return next(owners)


def _first_values(model: QuantizedModel, layer: QuantizedWeighted) -> FirstValues:
    p = (("p", layer.n_target * model.labels.count),) if layer.has_learning_readout else ()
    if isinstance(layer.init, SeededInit):
        draw = KINDS[_kind_of(model, layer)].draw
        assert draw is not None
        return FirstValues(layer.name, p, draw(layer, layer.init.seed))
    return FirstValues(layer.name, (*p, ("w", layer.n_weights), ("b", layer.n_out)), None)
