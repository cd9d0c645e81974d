"""Gated recurrent layers: two dense units, and two gates."""

from collections.abc import Iterator

from tpsgd_edge.codegen.calls import (
    Argument,
    Call,
    StageView,
    arena,
    call,
    input_of,
    stream,
    struct_of,
    weights,
)
from tpsgd_edge.codegen.kinds.dense import bound_of
from tpsgd_edge.codegen.kinds.kind import Kind
from tpsgd_edge.codegen.kinds.learning import error_calls, step_calls
from tpsgd_edge.codegen.recurrent_kernels import gru_suffix
from tpsgd_edge.quantize.model import QuantizedDense, QuantizedGru, QuantizedModel


def _forward(model: QuantizedModel, layer: QuantizedGru) -> StageView:
    both = (*weights(layer.reads), *weights(layer.own))
    memory = (stream(layer, "h"), _gates(layer), arena(layer, "y"))
    function = f"tps_gru_step_{gru_suffix(layer)}"
    step = call(function, struct_of(layer), *both, input_of(model, layer), *memory)
    shapes = f"{layer.n_x} and own {layer.n_out} -> {layer.n_out}"
    return StageView(f"{layer.name}: {shapes}, gru{bound_of(*layer.units)}", (step,))


def _gates(layer: QuantizedGru) -> Argument:
    """Where the sums and gates of the latest step are."""
    return stream(layer, "g") if layer.trains else arena(layer, "g")


def _remember(model: QuantizedModel, layer: QuantizedGru) -> tuple[Call, ...]:
    if not layer.trains:
        return ()
    given = (struct_of(layer), input_of(model, layer), _gates(layer), stream(layer, "v"))
    return (call(f"tps_gru_remember_{layer.x_type}", *given),)


def _recall(_model: QuantizedModel, layer: QuantizedGru) -> StageView:
    output = f"tps_gru_output_{layer.y_type}"
    recall = call(output, struct_of(layer), stream(layer, "h"), arena(layer, "y"))
    return StageView(f"{layer.name}: output of the latest step", (recall,))


def _learn(_model: QuantizedModel, layer: QuantizedGru) -> StageView:
    taught = layer.taught
    assert taught is not None
    calls = tuple(_learning_calls(layer, taught))
    return StageView(f"{layer.name} learns: {taught.loss.kind.replace('_', ' ')}", calls)


def _learning_calls(layer: QuantizedGru, taught: QuantizedDense) -> Iterator[Call]:
    e, d = arena(layer, "e"), arena(layer, "d")
    yield from error_calls(taught, struct_of(layer, "taught"), arena(layer, "y"))
    yield call(f"tps_gru_deltas_{layer.state_type}", struct_of(layer), e, _gates(layer), d)
    yield from step_calls(layer.reads, struct_of(layer, "reads"), (stream(layer, "v"),), d)
    own_steps = arena(layer, "d", 3 * layer.n_out)
    own_input = (stream(layer, "v", layer.n_x),)
    yield from step_calls(layer.own, struct_of(layer, "own"), own_input, own_steps)


GRU = Kind(forward=_forward, learn=_learn, recall=_recall, remember=_remember)
