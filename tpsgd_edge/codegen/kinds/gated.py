"""Gated recurrent layers of any kind: two dense units, gates, and states."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tpsgd_edge.codegen.c import C_TYPES, unique
from tpsgd_edge.codegen.calls import (
    Argument,
    Call,
    OperationView,
    arena,
    call,
    input_of,
    stream,
    struct_of,
    weights,
)
from tpsgd_edge.codegen.kernel_names import forward_suffix, gated_suffix
from tpsgd_edge.codegen.kinds.dense import bound_of, summary_words, weighted_facts
from tpsgd_edge.codegen.kinds.kind import KernelFiles, Kind
from tpsgd_edge.codegen.kinds.learning import error_calls, step_calls
from tpsgd_edge.codegen.kinds.unit import Field, LayerView, unit_fields
from tpsgd_edge.quantize.model import QuantizedGated, QuantizedModel, QuantizedWeighted


@dataclass(frozen=True, slots=True)
class GatedKernel:
    """`tps_<kind>_step_<suffix>`, after the types it reads; of a gru where the reset gate acts.

    `forward` is the suffix of the dense kernel that it calls.
    """

    suffix: str
    forward: str
    reset_before: bool
    w: str
    b: str
    x: str


@dataclass(frozen=True, slots=True)
class GatedKernels:
    """The kernels of gated recurrent layers of one kind, and whether some of these learn."""

    step: tuple[GatedKernel, ...]
    learns: bool


def gated_kernels(model: QuantizedModel, kind: str) -> GatedKernels | None:
    """The kernels that the gated layers of a kind use; None without any."""
    layers: list[QuantizedGated] = model.of_kind(kind)
    if not layers:
        return None
    return GatedKernels(
        step=unique(_kernel(layer) for layer in layers),
        learns=any(layer.trains for layer in layers),
    )


def _kernel(layer: QuantizedGated) -> GatedKernel:
    return GatedKernel(
        suffix=gated_suffix(layer),
        forward=forward_suffix(layer.reads),
        reset_before=layer.reset == "before",
        w=C_TYPES[layer.weight_type],
        b=C_TYPES[layer.reads.bias_type],
        x=C_TYPES[layer.x_type],
    )


def gated_kind(
    name: str,
    facts: Callable[[QuantizedGated], dict[str, object]],
    *,
    states: tuple[str, ...],
    fields: Callable[[QuantizedGated], tuple[Field, ...]] = lambda _layer: (),
) -> Kind:
    """The kind of gated layers.

    Args:
        name: of the kind, and of its files.
        facts: what the manifest says of a layer beside its units.
        states: roles of what a step moves.
        fields: members of the struct beside its units.
    """

    def struct(model: QuantizedModel, layer: QuantizedGated) -> LayerView:
        return _struct(model, layer, fields(layer))

    def all_facts(layer: QuantizedGated) -> dict[str, object]:
        return {**facts(layer), "units": [weighted_facts(unit) for unit in layer.units]}

    def forward(model: QuantizedModel, layer: QuantizedGated) -> OperationView:
        return _forward(model, layer, states)

    return Kind(
        files=KernelFiles(name, lambda model: gated_kernels(model, name)),
        struct=struct,
        words=_words,
        facts=all_facts,
        forward=forward,
        learn=_learn,
        recall=_recall,
        remember=_remember,
    )


def _struct(model: QuantizedModel, layer: QuantizedGated, fields: tuple[Field, ...]) -> LayerView:
    units = [("reads", layer.reads), ("own", layer.own)]
    if layer.loss_layer is not None:
        units.append(("loss_layer", layer.loss_layer))
    members = tuple((member, unit_fields(model, unit)) for member, unit in units)
    return LayerView(layer.name, f"tps_{layer.kind}", fields, units=members)


def _words(layer: QuantizedGated) -> str:
    return summary_words(layer.weight_type, layer.kind, layer.loss_layer)


def _forward(
    model: QuantizedModel, layer: QuantizedGated, states: tuple[str, ...]
) -> OperationView:
    both = (*weights(layer.reads), *weights(layer.own))
    memory = (*(stream(layer, role) for role in states), _gates(layer), arena(layer, "y"))
    function = f"tps_{layer.kind}_step_{gated_suffix(layer)}"
    step = call(function, struct_of(layer), *both, input_of(model, layer), *memory)
    shapes = f"{layer.n_x} and own {layer.n_out} -> {layer.n_out}"
    return OperationView(f"{layer.name}: {shapes}, {layer.kind}{bound_of(*layer.units)}", (step,))


def _gates(layer: QuantizedGated) -> Argument:
    """Memory of the sums and gates of the latest timestep."""
    return stream(layer, "g") if layer.trains else arena(layer, "g")


def _remember(model: QuantizedModel, layer: QuantizedGated) -> tuple[Call, ...]:
    if not layer.trains:
        return ()
    given = (struct_of(layer), input_of(model, layer), _gates(layer), stream(layer, "v"))
    return (call(f"tps_{layer.kind}_remember_{layer.x_type}", *given),)


def _recall(_model: QuantizedModel, layer: QuantizedGated) -> OperationView:
    output = f"tps_{layer.kind}_output_{layer.y_type}"
    recall = call(output, struct_of(layer), stream(layer, "h"), arena(layer, "y"))
    return OperationView(f"{layer.name}: output of the latest step", (recall,))


def _learn(_model: QuantizedModel, layer: QuantizedGated) -> OperationView:
    loss_layer = layer.loss_layer
    assert loss_layer is not None
    calls = tuple(_learning_calls(layer, loss_layer))
    return OperationView(f"{layer.name} learns: {loss_layer.loss.kind.replace('_', ' ')}", calls)


def _learning_calls(layer: QuantizedGated, loss_layer: QuantizedWeighted) -> Iterator[Call]:
    e, d = arena(layer, "e"), arena(layer, "d")
    yield from error_calls(loss_layer, struct_of(layer, "loss_layer"), arena(layer, "y"))
    yield call(f"tps_{layer.kind}_deltas_{layer.state_type}", struct_of(layer), e, _gates(layer), d)
    yield from step_calls(layer.reads, struct_of(layer, "reads"), (stream(layer, "v"),), d)
    own_steps = arena(layer, "d", layer.gates * layer.n_out)
    own_input = (stream(layer, "v", layer.n_x),)
    yield from step_calls(layer.own, struct_of(layer, "own"), own_input, own_steps)
