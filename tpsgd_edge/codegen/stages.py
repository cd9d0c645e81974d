"""The schedule as calls of kernels, in the order of the memory plan."""

from collections.abc import Iterator
from dataclasses import dataclass

from tpsgd_edge.codegen.c import c_call, c_float, c_uint
from tpsgd_edge.codegen.error_kernels import error_suffix
from tpsgd_edge.codegen.kernels import forward_suffix, gate_suffix, has_gate, update_suffix
from tpsgd_edge.memory import MemoryPlan, Stage
from tpsgd_edge.quantize.model import QuantizedDense, QuantizedModel, SeededInit


@dataclass(frozen=True, slots=True)
class StageView:
    """One stage of a step. Stages between `opens_gate` and `closes_gate` are indented once more."""

    comment: str
    lines: tuple[str, ...]
    opens_gate: bool = False
    closes_gate: bool = False
    indent: str = ""


def inference_stages(model: QuantizedModel, plan: MemoryPlan) -> tuple[StageView, ...]:
    """Forward passes of all layers."""
    return tuple(_forward(model, stage.layer, 4) for stage in plan.inference.schedule)


def training_stages(model: QuantizedModel, plan: MemoryPlan) -> tuple[StageView, ...]:
    """Forward and learn stages of one training step."""
    schedule = plan.training.schedule
    gate = next((i for i, stage in enumerate(schedule) if stage.gates), len(schedule))
    return tuple(
        _with_gate(
            model, stage, is_gated=i > gate, opens=i == gate + 1, closes=i == len(schedule) - 1
        )
        for i, stage in enumerate(schedule)
    )


def _with_gate(
    model: QuantizedModel, stage: Stage, *, is_gated: bool, opens: bool, closes: bool
) -> StageView:
    indent = 8 if is_gated else 4
    make = _forward if stage.kind == "forward" else _learn
    view = make(model, stage.layer, indent)
    lines = view.lines
    if stage.gates:
        lines = (*_gate_lines(model), *lines)
    return StageView(view.comment, lines, opens, is_gated and closes, "    " if is_gated else "")


def init_lines(model: QuantizedModel) -> tuple[str, ...]:
    """Statements that bring weights and biases to their first values."""
    lines: list[str] = []
    for layer in model.layers:
        name = layer.name
        if isinstance(layer.init, SeededInit):
            arguments = [f"&{name}_layer", f"model->{name}_w", f"model->{name}_b"]
            function = f"tps_dense_init_{layer.weight_type}"
            lines.extend(c_call(function, [*arguments, c_uint(layer.init.seed)]))
            continue
        for tensor, count in (("w", layer.n_weights), ("b", layer.n_out)):
            lines.append(f"for (uint32_t i = 0; i < {count}; i++) {{")
            lines.append(f"    model->{name}_{tensor}[i] = {name}_first_{tensor}[i];")
            lines.append("}")
    return tuple(lines)


def _forward(model: QuantizedModel, index: int, indent: int) -> StageView:
    layer = model.layers[index]
    comment = f"{layer.name}: {layer.n_in} -> {layer.n_out}, {layer.activation}"
    if layer.accumulator is not None:
        comment += f"; |acc| <= {layer.accumulator.high:,}"
    function = f"tps_dense_forward_{forward_suffix(layer)}"
    arguments = [*_weights(layer), _input(model, index), _buffer(layer, "y")]
    return StageView(comment, c_call(function, arguments, indent=indent))


def _learn(model: QuantizedModel, index: int, indent: int) -> StageView:
    lines = [line for call in _learn_calls(model, index) for line in c_call(*call, indent=indent)]
    layer = model.layers[index]
    return StageView(f"{layer.name} learns: {layer.loss.kind.replace('_', ' ')}", tuple(lines))


def _learn_calls(model: QuantizedModel, index: int) -> Iterator[tuple[str, list[str]]]:
    layer = model.layers[index]
    this, y, e = f"&{layer.name}_layer", _buffer(layer, "y"), _buffer(layer, "e")
    scratch = [_buffer(layer, "s")] if layer.loss.in_label_space else []
    yield f"tps_error_{error_suffix(layer)}", [this, y, "label", *scratch, e]
    if has_gate(layer):
        yield f"tps_dense_gate_{gate_suffix(layer)}", [this, y, e]
    update = f"tps_dense_update_{update_suffix(layer)}"
    arguments = [*_weights(layer), _input(model, index), e]
    if layer.weight_type == "f32":
        yield "tps_dense_steps_f32", [this, "decay", e]
        yield update, arguments
        return
    draw = f"model->rng + TPS_PHI * {layer.unit_offset}" if layer.unit_offset else "model->rng"
    yield "tps_dense_steps", [this, "decay", draw, e]
    yield update, [*arguments, draw]


def _gate_lines(model: QuantizedModel) -> tuple[str, ...]:
    gate = model.gate
    assert gate is not None
    text = c_float(gate) if model.value_type == "f32" else str(gate)
    last = model.layers[-1]
    return c_call("learn_hidden = tps_gate_is_open", [_buffer(last, "y"), "label", text])


def _weights(layer: QuantizedDense) -> list[str]:
    return [f"&{layer.name}_layer", f"model->{layer.name}_w", f"model->{layer.name}_b"]


def _input(model: QuantizedModel, index: int) -> str:
    return "x" if index == 0 else _buffer(model.layers[index - 1], "y")


def _buffer(layer: QuantizedDense, role: str) -> str:
    return f"arena.{layer.name}_{role}.at"
