"""Calls of kernels, as facts; `calls.c.j2` writes them.

What a call uses is part of it: whoever must know whether a function needs the decay of the learning
rate, or the model's state, asks the calls and not their text.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self

from tpsgd_edge.codegen.c import C_TYPES
from tpsgd_edge.quantize.model import SAMPLE, QuantizedLayer, QuantizedModel, QuantizedWeighted

Source = Literal[
    "variable",
    "number",
    "seed",
    "layer",
    "arena",
    "stream",
    "state",
    "constant",
    "random",
    "values",
]


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a kernel's call.

    Attributes:
        source: a `variable` of the calling function, a `number`, a `seed`, the struct of a `layer`,
            memory in the `arena`, in the `stream` or in the model's `state`, a `constant` in flash,
            the `random` numbers of the model, or an array of pointers to several `values`.
        name: of the variable, the layer or the memory; the C type of several values.
        member: of the layer's struct, where it is not the whole struct.
        number: the number or the seed; of memory and random numbers, how far behind their start.
        parts: the several values.
    """

    source: Source
    name: str = ""
    member: str = ""
    number: int = 0
    parts: tuple[Self, ...] = ()

    @property
    def is_state(self) -> bool:
        """Tell whether it lies in the model."""
        return self.source in ("state", "random")


X = Argument("variable", "x")
LABEL = Argument("variable", "label")
DECAY = Argument("variable", "decay")


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a kernel.

    Attributes:
        probability: C type of what it returns, where that is the label's probability, which an
            error gate looks at; else empty.
    """

    function: str
    arguments: tuple[Argument, ...]
    probability: str = ""


@dataclass(frozen=True, slots=True)
class OperationView:
    """One stage of a step. `training_calls` follow where the project trains.

    The step of a sequence ends behind it where the call `until` returns 0.
    """

    comment: str
    calls: tuple[Call, ...]
    training_calls: tuple[Call, ...] = ()
    until: Call | None = None


@dataclass(frozen=True, slots=True)
class LearningCalls:
    """Stages that learn from a sample, and those that an error gate keeps from it."""

    stages: tuple[OperationView, ...]
    gated: tuple[OperationView, ...] = ()

    @property
    def decays_from(self) -> int | None:
        """The first stage that needs the decay of the learning rate, if any before the gate."""
        needing = (i for i, stage in enumerate(self.stages) if DECAY in arguments_of([stage]))
        return next(needing, None)

    @property
    def reads_input(self) -> bool:
        """Tell whether a stage behind the gate reads the sample itself."""
        return X in arguments_of(self.gated)


def arguments_of(stages: Iterable[OperationView]) -> set[Argument]:
    """Collect the arguments of the stages' calls, without those calls that only training makes."""
    given = {a for stage in stages for call in stage.calls for a in call.arguments}
    return given.union(*(argument.parts for argument in given))


def use_state(stages: Iterable[OperationView]) -> bool:
    """Tell whether any of the stages reads or writes the model."""
    return any(given.is_state for given in arguments_of(stages))


def call(function: str, *arguments: Argument) -> Call:
    """A call that returns nothing of use."""
    return Call(function, arguments)


# ------------------------------------------------------------------ arguments


def number(value: int) -> Argument:
    """A number."""
    return Argument("number", number=value)


def struct_of(layer: QuantizedLayer, member: str = "") -> Argument:
    """The constants of a layer, or a member of them."""
    return Argument("layer", layer.name, member)


def arena(layer: QuantizedLayer, role: str, offset: int = 0) -> Argument:
    """A buffer of the layer in the arena, or its numbers from `offset` on."""
    return Argument("arena", f"{layer.name}_{role}", number=offset)


def stream(layer: QuantizedLayer, role: str, offset: int = 0) -> Argument:
    """Memory that a recurrent layer keeps from timestep to timestep."""
    return Argument("stream", f"{layer.name}_{role}", number=offset)


def state(layer: QuantizedLayer, tensor: str) -> Argument:
    """A tensor that training changes."""
    return Argument("state", f"{layer.name}_{tensor}")


def weights(layer: QuantizedWeighted) -> tuple[Argument, Argument]:
    """The weights and biases of a layer: in the model, or constants where it does not train."""
    where: Source = "state" if layer.trains else "constant"
    return Argument(where, f"{layer.name}_w"), Argument(where, f"{layer.name}_b")


def draw(layer: QuantizedWeighted) -> Argument:
    """The random numbers of a layer's units."""
    return Argument("random", number=layer.learning.unit_offset)


def draws(layer: QuantizedWeighted) -> tuple[Argument, ...]:
    """The same as the last argument of a kernel; in binary32 nothing is rounded at random."""
    return () if layer.weight_type == "f32" else (draw(layer),)


def input_of(model: QuantizedModel, layer: QuantizedLayer) -> Argument:
    """The value that a layer with one input reads."""
    return value_of(model.edges.input_of(layer.name))


def inputs_of(model: QuantizedModel, layer: QuantizedLayer) -> Argument:
    """The values that a layer with several inputs reads."""
    parts = tuple(value_of(name) for name in model.edges.inputs_of(layer.name))
    return Argument("values", C_TYPES[layer.x_type], parts=parts)


def value_of(name: str) -> Argument:
    """A value: the sample, or the outputs of a layer."""
    return X if name == SAMPLE else Argument("arena", f"{name}_y")


def input_gradient_of(model: QuantizedModel, layer: QuantizedLayer) -> Argument:
    """The buffer for the input gradient of a layer."""
    reader = model.errors_go_to(_index(model, layer))
    assert reader is not None
    return arena(model.layers[reader], "e")


def _index(model: QuantizedModel, layer: QuantizedLayer) -> int:
    return [other.name for other in model.layers].index(layer.name)
