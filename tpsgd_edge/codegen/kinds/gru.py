"""Gated recurrent layers: two dense units, and two gates."""

from collections.abc import Iterator
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
from tpsgd_edge.codegen.kernel_names import forward_suffix, gru_suffix
from tpsgd_edge.codegen.kinds.dense import bound_of, summary_words, weighted_facts
from tpsgd_edge.codegen.kinds.kind import Kind
from tpsgd_edge.codegen.kinds.learning import error_calls, step_calls
from tpsgd_edge.codegen.kinds.unit import LayerView, unit_fields
from tpsgd_edge.quantize.model import QuantizedGru, QuantizedModel, QuantizedWeighted


@dataclass(frozen=True, slots=True)
class GruKernel:
    """`tps_gru_step_<suffix>`, after where the reset gate acts and the types it reads.

    `forward` is the suffix of the dense kernel that it calls.
    """

    suffix: str
    forward: str
    reset_before: bool
    w: str
    b: str
    x: str


@dataclass(frozen=True, slots=True)
class GruKernels:
    """The kernels of gated recurrent layers, and whether some of these learn."""

    step: tuple[GruKernel, ...]
    learns: bool


def gru_kernels(model: QuantizedModel) -> GruKernels | None:
    """The kernels that the gated recurrent layers of the model use; None without any."""
    grus: list[QuantizedGru] = model.of_kind("gru")
    if not grus:
        return None
    return GruKernels(
        step=unique(_kernel(layer) for layer in grus),
        learns=any(layer.trains for layer in grus),
    )


def _kernel(layer: QuantizedGru) -> GruKernel:
    return GruKernel(
        suffix=gru_suffix(layer),
        forward=forward_suffix(layer.reads),
        reset_before=layer.reset_before,
        w=C_TYPES[layer.weight_type],
        b=C_TYPES[layer.reads.bias_type],
        x=C_TYPES[layer.x_type],
    )


def _struct(model: QuantizedModel, layer: QuantizedGru) -> LayerView:
    units = [("reads", layer.reads), ("own", layer.own)]
    if layer.loss_layer is not None:
        units.append(("loss_layer", layer.loss_layer))
    members = tuple((member, unit_fields(model, unit)) for member, unit in units)
    return LayerView(layer.name, "tps_gru", units=members)


def _words(layer: QuantizedGru) -> str:
    return summary_words(layer.weight_type, layer.kind, layer.loss_layer)


def _facts(layer: QuantizedGru) -> dict[str, object]:
    reset = "before" if layer.reset_before else "after"
    return {"reset": reset, "units": [weighted_facts(unit) for unit in layer.units]}


def _forward(model: QuantizedModel, layer: QuantizedGru) -> OperationView:
    both = (*weights(layer.reads), *weights(layer.own))
    memory = (stream(layer, "h"), _gates(layer), arena(layer, "y"))
    function = f"tps_gru_step_{gru_suffix(layer)}"
    step = call(function, struct_of(layer), *both, input_of(model, layer), *memory)
    shapes = f"{layer.n_x} and own {layer.n_out} -> {layer.n_out}"
    return OperationView(f"{layer.name}: {shapes}, gru{bound_of(*layer.units)}", (step,))


def _gates(layer: QuantizedGru) -> Argument:
    """Memory of the sums and gates of the latest timestep."""
    return stream(layer, "g") if layer.trains else arena(layer, "g")


def _remember(model: QuantizedModel, layer: QuantizedGru) -> tuple[Call, ...]:
    if not layer.trains:
        return ()
    given = (struct_of(layer), input_of(model, layer), _gates(layer), stream(layer, "v"))
    return (call(f"tps_gru_remember_{layer.x_type}", *given),)


def _recall(_model: QuantizedModel, layer: QuantizedGru) -> OperationView:
    output = f"tps_gru_output_{layer.y_type}"
    recall = call(output, struct_of(layer), stream(layer, "h"), arena(layer, "y"))
    return OperationView(f"{layer.name}: output of the latest step", (recall,))


def _learn(_model: QuantizedModel, layer: QuantizedGru) -> OperationView:
    loss_layer = layer.loss_layer
    assert loss_layer is not None
    calls = tuple(_learning_calls(layer, loss_layer))
    return OperationView(f"{layer.name} learns: {loss_layer.loss.kind.replace('_', ' ')}", calls)


def _learning_calls(layer: QuantizedGru, loss_layer: QuantizedWeighted) -> Iterator[Call]:
    e, d = arena(layer, "e"), arena(layer, "d")
    yield from error_calls(loss_layer, struct_of(layer, "loss_layer"), arena(layer, "y"))
    yield call(f"tps_gru_deltas_{layer.state_type}", struct_of(layer), e, _gates(layer), d)
    yield from step_calls(layer.reads, struct_of(layer, "reads"), (stream(layer, "v"),), d)
    own_steps = arena(layer, "d", 3 * layer.n_out)
    own_input = (stream(layer, "v", layer.n_x),)
    yield from step_calls(layer.own, struct_of(layer, "own"), own_input, own_steps)


GRU = Kind(
    struct=_struct,
    words=_words,
    facts=_facts,
    forward=_forward,
    learn=_learn,
    recall=_recall,
    remember=_remember,
)
