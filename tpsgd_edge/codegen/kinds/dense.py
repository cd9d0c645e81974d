"""Fully connected layers."""

from collections.abc import Iterator

from tpsgd_edge.codegen.calls import (
    Call,
    OperationView,
    arena,
    call,
    input_of,
    number,
    struct_of,
    weights,
)
from tpsgd_edge.codegen.carried import (
    answer_calls,
    carried_words,
    carries,
    scores_calls,
    totals_of,
)
from tpsgd_edge.codegen.error_kernels import probability_c
from tpsgd_edge.codegen.kernel_names import forward_suffix, grad_suffix, needs_derivative
from tpsgd_edge.codegen.kinds.kind import Kind
from tpsgd_edge.codegen.kinds.learning import (
    backward_calls,
    draw_call,
    error_calls,
    learning_stage,
    passing_stage,
    step_calls,
)
from tpsgd_edge.codegen.kinds.unit import LayerView, unit_fields, unit_struct
from tpsgd_edge.quantize.model import QuantizedModel, QuantizedWeighted


def _struct(model: QuantizedModel, layer: QuantizedWeighted) -> LayerView:
    return LayerView(layer.name, unit_struct(model), unit_fields(model, layer))


def weighted_words(layer: QuantizedWeighted) -> str:
    """Weights, activation and loss in the columns of a summary."""
    return summary_words(layer.weight_type, layer.activation, layer if layer.trains else None)


def summary_words(weight_type: str, what: str, loss: QuantizedWeighted | None) -> str:
    """Weights, what is done with their sums, and the loss in the columns of a summary."""
    learns = "none: it does not train" if loss is None else loss.loss.kind
    return f"{weight_type:<7}  {what:<10}  {learns}"


def weighted_facts(layer: QuantizedWeighted) -> dict[str, object]:
    """Facts for the manifest about weights and their sums."""
    accumulator = layer.numbers.accumulator
    return {
        "inputs": layer.n_in,
        "outputs": layer.n_out,
        "activation": layer.activation,
        "loss": layer.loss.kind,
        "weights": layer.weight_type,
        "trains": layer.trains,
        "weight_scale": layer.numbers.weight_scale,
        "input_scale": layer.numbers.x_scale,
        "output_scale": layer.y_scale,
        "accumulator": None if accumulator is None else [accumulator.low, accumulator.high],
    }


def _forward(model: QuantizedModel, layer: QuantizedWeighted) -> OperationView:
    function = f"tps_dense_forward_{forward_suffix(layer)}"
    x, y = input_of(model, layer), arena(layer, "y")
    forward = call(function, struct_of(layer), *weights(layer), x, y)
    calls = [forward, *residual_calls(model, layer)]
    if carries(model, layer):
        calls += scores_calls(model, layer, struct_of(layer), y)
    calls += answer_calls(model, layer)
    shapes = f"{layer.n_in} -> {layer.n_out}"
    return OperationView(f"{layer.name}: {shapes}, {ending(model, layer)}", tuple(calls))


def ending(model: QuantizedModel, layer: QuantizedWeighted) -> str:
    """Describe a layer's activation, its scores and the proved bound of its sums, in words."""
    what = "added to its input" if layer.residual else layer.activation
    return what + carried_words(model, layer) + bound_of(layer)


def bound_of(*layers: QuantizedWeighted) -> str:
    """The proved bound of all sums of some units, in words; empty in binary32."""
    highest = [
        layer.numbers.accumulator.high for layer in layers if layer.numbers.accumulator is not None
    ]
    return f"; |acc| <= {max(highest):,}" if highest else ""


def residual_calls(model: QuantizedModel, layer: QuantizedWeighted) -> tuple[Call, ...]:
    """Call that adds the input to the outputs, if the layer is residual."""
    if not layer.residual:
        return ()
    count, y = number(layer.y_count), arena(layer, "y")
    return (call(f"tps_add_{layer.y_type}", input_of(model, layer), count, y),)


def _learn(model: QuantizedModel, layer: QuantizedWeighted) -> OperationView:
    return learning_stage(layer, _learning_calls(model, layer))


def _learning_calls(model: QuantizedModel, layer: QuantizedWeighted) -> Iterator[Call]:
    this, y, e = struct_of(layer), arena(layer, "y"), arena(layer, "e")
    if layer.loss.is_local:
        is_asked = model.has_error_gate and layer.is_last
        probability = probability_c(is_float=layer.y_type == "f32") if is_asked else ""
        totals = totals_of(model, layer)
        yield from error_calls(layer, this, y, totals=totals, probability=probability)
    yield from _passing_calls(model, layer)
    yield from step_calls(layer, this, (input_of(model, layer),), e)


def _passing_calls(model: QuantizedModel, layer: QuantizedWeighted) -> Iterator[Call]:
    """Errors become delta, and errors of the layer below."""
    this, y, e = struct_of(layer), arena(layer, "y"), arena(layer, "e")
    if needs_derivative(layer):
        yield call(f"tps_dense_grad_{grad_suffix(layer)}", this, y, e)
    yield from backward_calls(model, layer, this, e)


def _backward(model: QuantizedModel, layer: QuantizedWeighted) -> OperationView:
    return passing_stage(layer, _passing_calls(model, layer))


def _draw(layer: QuantizedWeighted, seed: int) -> Call:
    return draw_call("tps_dense_init", layer, struct_of(layer), seed)


DENSE = Kind(
    files=None,
    struct=_struct,
    words=weighted_words,
    facts=weighted_facts,
    forward=_forward,
    learn=_learn,
    backward=_backward,
    draw=_draw,
)
