"""Calls by which dense units learn, whatever kind of layer they are part of."""

from collections.abc import Iterator

from tpsgd_edge.codegen.calls import (
    DECAY,
    LABEL,
    Argument,
    Call,
    OperationView,
    arena,
    call,
    draws,
    input_gradient_of,
    number,
    state,
    weights,
)
from tpsgd_edge.codegen.kernel_names import error_suffix, input_gradient_suffix, update_suffix
from tpsgd_edge.quantize.model import InputGradient, QuantizedModel, QuantizedWeighted


def learning_stage(layer: QuantizedWeighted, calls: Iterator[Call]) -> OperationView:
    """The stage in which a layer learns."""
    comment = f"{layer.name} learns: {layer.loss.kind.replace('_', ' ')}{_sums_of(layer)}"
    return OperationView(comment, tuple(calls))


def draw_call(function: str, layer: QuantizedWeighted, this: Argument, seed: int) -> Call:
    """The call that draws the first values of a layer that is trained."""
    first = Argument("seed", number=seed)
    return call(f"{function}_{layer.weight_type}", this, *weights(layer), first)


def error_calls(
    layer: QuantizedWeighted,
    unit: Argument,
    seen: Argument,
    *,
    totals: Argument | None = None,
    probability: str = "",
) -> Iterator[Call]:
    """The error of what the loss sees, and then what its read-out learns.

    Args:
        unit: the struct that has the loss.
        totals: scores that are carried, where the error comes from them.
        probability: C type of the label's probability, where the kernel returns it.
    """
    scratch, e = scratch_of(layer), arena(layer, "e")
    learns = layer.has_learning_readout
    p = (state(layer, "p"),) if learns else ()
    given = (unit, seen if totals is None else totals, LABEL, *p, *scratch, e)
    suffix = error_suffix(layer, carries=totals is not None)
    yield Call(f"tps_error_{suffix}", given, probability)
    if learns:
        function = f"tps_readout_learn_{layer.y_type}"
        yield call(function, unit, seen, *scratch, DECAY, *draws(layer), *p)


def scratch_of(layer: QuantizedWeighted) -> tuple[Argument, ...]:
    """Scratch memory of a loss in label space."""
    return (arena(layer, "s"),) if layer.loss.in_label_space else ()


def backward_calls(
    model: QuantizedModel, layer: QuantizedWeighted, this: Argument, delta: Argument
) -> Iterator[Call]:
    """The errors of the layer below from delta, before this layer's weights change."""
    gradient = layer.learning.input_gradient
    if gradient is None:
        return
    shift = (number(gradient.shift),) if isinstance(gradient, InputGradient) else ()
    w, _ = weights(layer)
    function = f"tps_{layer.kind}_backward_{input_gradient_suffix(layer)}"
    yield call(function, this, w, delta, *shift, input_gradient_of(model, layer))


def passing_stage(layer: QuantizedWeighted, calls: Iterator[Call]) -> OperationView:
    """The stage in which errors pass through a layer that does not learn."""
    return OperationView(f"errors through {layer.name}{_sums_of(layer)}", tuple(calls))


def _sums_of(layer: QuantizedWeighted) -> str:
    gradient = layer.learning.input_gradient
    if not isinstance(gradient, InputGradient):
        return ""
    return f"; |w delta| <= {gradient.sums.high:,}"


def step_calls(
    layer: QuantizedWeighted, unit: Argument, read: tuple[Argument, ...], steps: Argument
) -> Iterator[Call]:
    """Errors become steps, and these change the weights of a dense unit.

    Args:
        unit: its struct.
        read: what its weights were multiplied by.
        steps: where the errors are.
    """
    yield steps_call(layer, unit, steps)
    function = f"tps_dense_update_{update_suffix(layer)}"
    yield call(function, unit, *weights(layer), *read, steps, *draws(layer))


def steps_call(layer: QuantizedWeighted, unit: Argument, errors: Argument) -> Call:
    """Errors become steps, where they are."""
    function = "tps_dense_steps_f32" if layer.weight_type == "f32" else "tps_dense_steps"
    return call(function, unit, DECAY, *draws(layer), errors)
