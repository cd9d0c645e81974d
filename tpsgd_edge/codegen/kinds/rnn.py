"""Recurrent layers: dense units on the input and on their own last output."""

from collections.abc import Iterator
from dataclasses import dataclass

from tpsgd_edge.codegen.c import C_TYPES, c_float, unique
from tpsgd_edge.codegen.calls import (
    Argument,
    Call,
    OperationView,
    arena,
    call,
    draws,
    input_of,
    stream,
    struct_of,
    weights,
)
from tpsgd_edge.codegen.dense_kernels import InitKernel, init_kernel
from tpsgd_edge.codegen.kernel_names import (
    forward_suffix,
    grad_suffix,
    needs_derivative,
    update_suffix,
)
from tpsgd_edge.codegen.kinds.dense import ending, weighted_facts, weighted_words
from tpsgd_edge.codegen.kinds.kind import KernelFiles, Kind
from tpsgd_edge.codegen.kinds.learning import (
    draw_call,
    error_calls,
    learning_stage,
    step_calls,
    steps_call,
)
from tpsgd_edge.codegen.kinds.unit import Entries, Field, LayerView, unit_fields
from tpsgd_edge.quantize.model import (
    IntegerNumbers,
    QuantizedModel,
    QuantizedRnn,
    SeededInit,
    keeps_present,
    keeps_traces,
)


@dataclass(frozen=True, slots=True)
class RnnKernel:
    """`tps_rnn_step_<suffix>` or `tps_rnn_update_<suffix>`, after the dense kernel it calls."""

    suffix: str
    w: str
    b: str
    x: str
    e: str


@dataclass(frozen=True, slots=True)
class RnnKernels:
    """The kernels of recurrent layers."""

    init: tuple[InitKernel, ...]
    step: tuple[RnnKernel, ...]
    update: tuple[RnnKernel, ...]


def rnn_kernels(model: QuantizedModel) -> RnnKernels | None:
    """The kernels that the recurrent layers of the model use; None without any."""
    rnns: list[QuantizedRnn] = model.of_kind("rnn")
    if not rnns:
        return None
    seeded = [layer for layer in rnns if layer.trains and isinstance(layer.init, SeededInit)]
    learning = [layer for layer in rnns if keeps_traces(layer)]
    return RnnKernels(
        init=unique(init_kernel(layer) for layer in seeded),
        step=unique(_kernel(layer, forward_suffix(layer)) for layer in rnns),
        update=unique(_kernel(layer, update_suffix(layer)) for layer in learning),
    )


def _kernel(layer: QuantizedRnn, suffix: str) -> RnnKernel:
    """A kernel of the layer, after the dense kernel that it calls."""
    return RnnKernel(
        suffix=suffix,
        w=C_TYPES[layer.weight_type],
        b=C_TYPES[layer.bias_type],
        x=C_TYPES[layer.x_type],
        e="float" if layer.weight_type == "f32" else "int16_t",
    )


def _struct(model: QuantizedModel, layer: QuantizedRnn) -> LayerView:
    unit = ("unit", unit_fields(model, layer))
    return LayerView(layer.name, "tps_rnn", tuple(_rnn_fields(layer)), units=(unit,))


def _rnn_fields(layer: QuantizedRnn) -> Iterator[Field]:
    own = layer.numbers
    if isinstance(own, IntegerNumbers) and own.own_shift is not None:
        yield "own_shift", own.own_shift
    bounds = layer.init.recurrent if isinstance(layer.init, SeededInit) else None
    if bounds is not None:
        is_float = layer.weight_type == "f32"
        for name, bound in (("input", bounds.inputs), ("bias", bounds.biases)):
            yield f"{name}_bound", c_float(bound) if is_float else bound
    yield "groups", len(layer.shape.leak_shifts)
    yield "group_shift", Entries("uint8_t", layer.shape.leak_shifts)


def _forward(model: QuantizedModel, layer: QuantizedRnn) -> OperationView:
    given = (struct_of(layer), *weights(layer), input_of(model, layer), stream(layer, "h"))
    function = f"tps_rnn_step_{forward_suffix(layer)}"
    step = call(function, *given, *_present(layer), arena(layer, "y"))
    shapes = f"{layer.shape.n_x} and own {layer.n_out} -> {layer.n_out}"
    return OperationView(f"{layer.name}: {shapes}, {ending(model, layer)}", (step,))


def _present(layer: QuantizedRnn) -> tuple[Argument, Argument]:
    """Memory for the input and the activation of the latest timestep."""
    if not keeps_present(layer):
        return arena(layer, "p"), arena(layer, "y")
    return stream(layer, "v"), stream(layer, "c")


def _remember(_model: QuantizedModel, layer: QuantizedRnn) -> tuple[Call, ...]:
    if not keeps_traces(layer):
        return ()
    function = f"tps_rnn_remember_{layer.x_type}"
    return (call(function, struct_of(layer), arena(layer, "p"), stream(layer, "trace")),)


def _recall(_model: QuantizedModel, layer: QuantizedRnn) -> OperationView:
    output = f"tps_rnn_output_{layer.y_type}"
    recall = call(output, struct_of(layer), stream(layer, "h"), arena(layer, "y"))
    return OperationView(f"{layer.name}: output of the latest step", (recall,))


def _learn(_model: QuantizedModel, layer: QuantizedRnn) -> OperationView:
    return learning_stage(layer, _learning_calls(layer))


def _learning_calls(layer: QuantizedRnn) -> Iterator[Call]:
    unit, y, e = struct_of(layer, "unit"), arena(layer, "y"), arena(layer, "e")
    yield from error_calls(layer, unit, y)
    if needs_derivative(layer):
        activation = y if layer.shape.has_traces else stream(layer, "c")
        yield call(f"tps_dense_grad_{grad_suffix(layer)}", unit, activation, e)
    if not layer.shape.has_traces:
        yield from step_calls(layer, unit, (stream(layer, "v"),), e)
        return
    yield steps_call(layer, unit, e)
    # In binary32 a trace is an input as it stands; integers are narrowed into scratch memory.
    narrowed = () if layer.weight_type == "f32" else (arena(layer, "p"),)
    read = (stream(layer, "trace"), *narrowed)
    function = f"tps_rnn_update_{update_suffix(layer)}"
    yield call(function, struct_of(layer), *weights(layer), *read, e, *draws(layer))


def _draw(layer: QuantizedRnn, seed: int) -> Call:
    return draw_call("tps_rnn_init", layer, struct_of(layer), seed)


RNN = Kind(
    files=KernelFiles("rnn", rnn_kernels),
    struct=_struct,
    words=weighted_words,
    facts=weighted_facts,
    forward=_forward,
    learn=_learn,
    recall=_recall,
    draw=_draw,
    remember=_remember,
)
