"""Recurrent layers: dense units on the input and on their own last output."""

from collections.abc import Iterator

from tpsgd_edge.codegen.calls import (
    Argument,
    Call,
    StageView,
    arena,
    call,
    draws,
    input_of,
    stream,
    struct_of,
    weights,
)
from tpsgd_edge.codegen.dense_kernels import update_suffix
from tpsgd_edge.codegen.kernels import forward_suffix, gate_suffix, has_gate
from tpsgd_edge.codegen.kinds.dense import ending
from tpsgd_edge.codegen.kinds.kind import Kind
from tpsgd_edge.codegen.kinds.learning import (
    draw_call,
    error_calls,
    learning_stage,
    step_calls,
    steps_call,
)
from tpsgd_edge.quantize.model import QuantizedModel, QuantizedRnn


def _forward(model: QuantizedModel, layer: QuantizedRnn) -> StageView:
    given = (struct_of(layer), *weights(layer), input_of(model, layer), stream(layer, "h"))
    function = f"tps_rnn_step_{forward_suffix(layer)}"
    step = call(function, *given, *_present(layer), arena(layer, "y"))
    shapes = f"{layer.n_x} and own {layer.n_out} -> {layer.n_out}"
    return StageView(f"{layer.name}: {shapes}, {ending(layer)}", (step,))


def _present(layer: QuantizedRnn) -> tuple[Argument, Argument]:
    """Where the input and the activation of the latest step go."""
    if not layer.keeps_present:
        return arena(layer, "p"), arena(layer, "y")
    return stream(layer, "v"), stream(layer, "c")


def _remember(_model: QuantizedModel, layer: QuantizedRnn) -> tuple[Call, ...]:
    if not layer.keeps_traces:
        return ()
    function = f"tps_rnn_remember_{layer.x_type}"
    return (call(function, struct_of(layer), arena(layer, "p"), stream(layer, "trace")),)


def _recall(_model: QuantizedModel, layer: QuantizedRnn) -> StageView:
    output = f"tps_rnn_output_{layer.y_type}"
    recall = call(output, struct_of(layer), stream(layer, "h"), arena(layer, "y"))
    return StageView(f"{layer.name}: output of the latest step", (recall,))


def _learn(_model: QuantizedModel, layer: QuantizedRnn) -> StageView:
    return learning_stage(layer, _learning_calls(layer))


def _learning_calls(layer: QuantizedRnn) -> Iterator[Call]:
    unit, y, e = struct_of(layer, "unit"), arena(layer, "y"), arena(layer, "e")
    yield from error_calls(layer, unit, y)
    if has_gate(layer):
        activation = y if layer.has_traces else stream(layer, "c")
        yield call(f"tps_dense_gate_{gate_suffix(layer)}", unit, activation, e)
    if not layer.has_traces:
        yield from step_calls(layer, unit, (stream(layer, "v"),), e)
        return
    yield steps_call(layer, unit, e)
    read = (stream(layer, "trace"), arena(layer, "p"))
    function = f"tps_rnn_update_{update_suffix(layer)}"
    yield call(function, struct_of(layer), *weights(layer), *read, e, *draws(layer))


def _draw(layer: QuantizedRnn, seed: int) -> Call:
    return draw_call("tps_rnn_init", layer, struct_of(layer), seed)


RNN = Kind(forward=_forward, draw=_draw, learn=_learn, recall=_recall, remember=_remember)
