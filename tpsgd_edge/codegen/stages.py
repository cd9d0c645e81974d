"""The schedule as calls of kernels, in the order of the memory plan."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tpsgd_edge.codegen.below import below_suffix
from tpsgd_edge.codegen.c import c_call, c_uint
from tpsgd_edge.codegen.dense_kernels import update_suffix
from tpsgd_edge.codegen.error_kernels import error_suffix, probability_c
from tpsgd_edge.codegen.kernels import (
    conv_learn_suffix,
    forward_suffix,
    gate_suffix,
    has_gate,
    is_depthwise,
)
from tpsgd_edge.codegen.recurrent_kernels import gru_suffix
from tpsgd_edge.memory import MemoryPlan, Stage
from tpsgd_edge.quantize.model import (
    SAMPLE,
    QuantizedConv2d,
    QuantizedDense,
    QuantizedGru,
    QuantizedLayer,
    QuantizedModel,
    QuantizedPool,
    QuantizedRecurrent,
    QuantizedRnn,
    SeededInit,
)


@dataclass(frozen=True, slots=True)
class StageView:
    """One stage of a step. `training_lines` follow where the project trains."""

    comment: str
    lines: tuple[str, ...]
    training_lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lesson:
    """Stages that learn from a sample, and those that an error gate keeps from it."""

    stages: tuple[StageView, ...]
    gated: tuple[StageView, ...] = ()

    @property
    def decays_from(self) -> int | None:
        """The first stage that needs the decay of the learning rate, if any before the gate."""
        return next((i for i, stage in enumerate(self.stages) if uses("decay", [stage])), None)

    @property
    def reads_input(self) -> bool:
        """Whether a stage behind the gate reads the sample itself."""
        return uses("x", self.gated)


def uses(name: str, stages: Sequence[StageView]) -> bool:
    """Whether any of the stages reads or writes a variable."""
    word = re.compile(rf"\b{name}\b")
    return any(word.search(line) for stage in stages for line in stage.lines)


def step_stages(model: QuantizedModel) -> tuple[StageView, ...]:
    """One step of the recurrent layers, each of which remembers what it will learn from."""
    return tuple(
        replace(_forward(model, index), training_lines=_remember(model, index, layer))
        for index, layer in enumerate(model.recurrent)
    )


def _remember(model: QuantizedModel, index: int, layer: QuantizedRecurrent) -> tuple[str, ...]:
    if isinstance(layer, QuantizedGru):
        return _gru_remember(model, index, layer) if layer.trains else ()
    if not layer.keeps_traces:
        return ()
    arguments = [f"&{layer.name}_layer", _buffer(layer, "p"), f"work->stream.{layer.name}_trace"]
    return c_call(f"tps_rnn_remember_{layer.x_type}", arguments)


def inference_stages(model: QuantizedModel, plan: MemoryPlan) -> tuple[StageView, ...]:
    """Forward passes of all layers; behind recurrent layers, of the others."""
    _, _, answer = plan.inference.parts
    return tuple(_MAKE[stage.kind](model, stage.layer) for stage in answer)


def training_lesson(model: QuantizedModel, plan: MemoryPlan) -> Lesson:
    """One training step; behind recurrent layers, its learning."""
    _, _, learning = plan.training.parts
    return _lesson(model, learning)


def teaching_lesson(model: QuantizedModel, plan: MemoryPlan) -> Lesson:
    """What recurrent layers alone do to learn in the middle of a sequence."""
    _, teach, _ = plan.training.parts
    return _lesson(model, teach)


def _lesson(model: QuantizedModel, schedule: Sequence[Stage]) -> Lesson:
    gate = next((i for i, stage in enumerate(schedule) if stage.gates), len(schedule))
    views = tuple(_learning_stage(model, stage) for stage in schedule)
    return Lesson(views[: gate + 1], views[gate + 1 :])


def _learning_stage(model: QuantizedModel, stage: Stage) -> StageView:
    view = _MAKE[stage.kind](model, stage.layer)
    if stage.gates and stage.kind == "forward":
        # The last layer does not learn, whose error kernel tells else.
        function = f"{_told_probability(model)}tps_label_probability"
        more = c_call(function, [_buffer(model.last, "y"), "label"])
        return replace(view, lines=(*view.lines, *more))
    return view


def _told_probability(model: QuantizedModel) -> str:
    """The variable that an error gate looks at."""
    return f"const {probability_c(is_float=model.value_type == 'f32')} p_label = "


def init_lines(model: QuantizedModel) -> tuple[str, ...]:
    """Statements that bring weights and biases to their first values."""
    lines: list[str] = []
    for layer in model.trained:
        name = layer.name
        if layer.has_learning_readout:
            lines.extend(_copy_lines(name, "p", layer.n_target * model.labels.count))
        if isinstance(layer.init, SeededInit):
            arguments = [_unit(layer), f"model->{name}_w", f"model->{name}_b"]
            function = f"tps_dense_init_{layer.weight_type}"
            if isinstance(layer, QuantizedRnn):
                arguments[0] = f"&{name}_layer"
                function = f"tps_rnn_init_{layer.weight_type}"
            lines.extend(c_call(function, [*arguments, c_uint(layer.init.seed)]))
            continue
        for tensor, count in (("w", layer.n_weights), ("b", layer.n_out)):
            lines.extend(_copy_lines(name, tensor, count))
    return tuple(lines)


def _copy_lines(name: str, tensor: str, count: int) -> tuple[str, ...]:
    return (
        f"for (uint32_t i = 0; i < {count}; i++) {{",
        f"    model->{name}_{tensor}[i] = tps_{name}_first_{tensor}[i];",
        "}",
    )


def _forward(model: QuantizedModel, index: int) -> StageView:
    layer = model.layers[index]
    if isinstance(layer, QuantizedPool):
        arguments = [f"&{layer.name}_layer", _input(model, index), _buffer(layer, "y")]
        cut = "_cut" if layer.is_cut else ""
        lines = c_call(f"tps_{layer.kind}{cut}_{layer.x_type}", arguments)
        return StageView(f"{layer.name}: {_shapes(layer.x_shape, layer.y_shape)}", lines)
    if isinstance(layer, QuantizedGru):
        return _gru_forward(model, index, layer)
    comment = f"{layer.name}: {layer.n_in} -> {layer.n_out}, {layer.activation}"
    function = f"tps_dense_forward_{forward_suffix(layer)}"
    arguments = [*_weights(layer), _input(model, index), _buffer(layer, "y")]
    if isinstance(layer, QuantizedConv2d):
        shapes = _shapes(layer.geometry.x_shape, layer.geometry.y_shape)
        comment = f"{layer.name}: {shapes}, {layer.activation}"
        kind = "depthwise" if is_depthwise(layer) else "conv2d"
        function = f"tps_{kind}_forward_{forward_suffix(layer)}"
        arguments.insert(-1, _buffer(layer, "p"))
    if isinstance(layer, QuantizedRnn):
        comment = f"{layer.name}: {layer.n_x} and own {layer.n_out} -> {layer.n_out}, "
        comment += layer.activation
        function = f"tps_rnn_step_{forward_suffix(layer)}"
        arguments[-1:] = [f"work->stream.{layer.name}_h", *_present(layer), _buffer(layer, "y")]
    if layer.accumulator is not None:
        comment += f"; |acc| <= {layer.accumulator.high:,}"
    lines = tuple(c_call(function, arguments))
    if layer.residual:
        comment = comment.replace(layer.activation, "added to its input")
        more = [_input(model, index), str(layer.y_count), _buffer(layer, "y")]
        lines = (*lines, *c_call(f"tps_add_{layer.y_type}", more))
    return StageView(comment, lines)


def _gru_forward(model: QuantizedModel, index: int, layer: QuantizedGru) -> StageView:
    comment = f"{layer.name}: {layer.n_x} and own {layer.n_out} -> {layer.n_out}, gru"
    if layer.reads.accumulator is not None and layer.own.accumulator is not None:
        reach = max(layer.reads.accumulator.high, layer.own.accumulator.high)
        comment += f"; |acc| <= {reach:,}"
    arguments = [f"&{layer.name}_layer"]
    for unit in layer.units:
        arguments += _weights(unit)[1:]
    arguments += [
        _input(model, index),
        f"work->stream.{layer.name}_h",
        _gates(layer),
        _buffer(layer, "y"),
    ]
    return StageView(comment, c_call(f"tps_gru_step_{gru_suffix(layer)}", arguments))


def _gates(layer: QuantizedGru) -> str:
    """Where the sums and gates of the latest step are."""
    return f"work->stream.{layer.name}_g" if layer.trains else _buffer(layer, "g")


def _gru_remember(model: QuantizedModel, index: int, layer: QuantizedGru) -> tuple[str, ...]:
    arguments = [f"&{layer.name}_layer", _input(model, index), _gates(layer)]
    return c_call(f"tps_gru_remember_{layer.x_type}", [*arguments, f"work->stream.{layer.name}_v"])


def _gru_calls(
    model: QuantizedModel, index: int, layer: QuantizedGru
) -> Iterator[tuple[str, list[str]]]:
    taught = layer.taught
    assert taught is not None
    this, y, e, d = f"&{layer.name}_layer", *(_buffer(layer, role) for role in "yed")
    error = [f"{this}.taught", y, "label", *_scratch(taught), e]
    yield f"tps_error_{error_suffix(taught)}", error
    yield f"tps_gru_deltas_{layer.state_type}", [this, e, _gates(layer), d]
    v = f"work->stream.{layer.name}_v"
    both = (
        ("reads", layer.reads, v, d),
        ("own", layer.own, f"{v} + {layer.n_x}", f"{d} + {3 * layer.n_out}"),
    )
    for member, unit, read, steps in both:
        update = [f"{this}.{member}", *_weights(unit)[1:], read, steps]
        if layer.weight_type == "f32":
            yield "tps_dense_steps_f32", [f"{this}.{member}", "decay", steps]
            yield "tps_dense_update_f32", update
        else:
            yield "tps_dense_steps", [f"{this}.{member}", "decay", _draw(unit), steps]
            yield f"tps_dense_update_{update_suffix(unit)}", [*update, _draw(unit)]


def _recall(model: QuantizedModel, index: int) -> StageView:
    layer = model.layers[index]
    arguments = [f"&{layer.name}_layer", f"work->stream.{layer.name}_h", _buffer(layer, "y")]
    lines = c_call(f"tps_{layer.kind}_output_{layer.y_type}", arguments)
    return StageView(f"{layer.name}: output of the latest step", lines)


def _learn(model: QuantizedModel, index: int) -> StageView:
    layer = model.layers[index]
    if isinstance(layer, QuantizedGru):
        gru_calls = _gru_calls(model, index, layer)
        lines = [line for call in gru_calls for line in c_call(*call)]
        kind = "" if layer.taught is None else layer.taught.loss.kind
        return StageView(f"{layer.name} learns: {kind.replace('_', ' ')}", tuple(lines))
    assert isinstance(layer, QuantizedDense)
    calls = _conv_calls if isinstance(layer, QuantizedConv2d) else _dense_calls
    lines = [line for call in calls(model, index, layer) for line in c_call(*call)]
    comment = f"{layer.name} learns: {layer.loss.kind.replace('_', ' ')}"
    if layer.passing is not None and layer.passing.sums is not None:
        comment += f"; |w delta| <= {layer.passing.sums.high:,}"
    return StageView(comment, tuple(lines))


def _pass(model: QuantizedModel, index: int) -> StageView:
    pool = model.layers[index]
    assert isinstance(pool, QuantizedPool)
    function, arguments = f"tps_{pool.kind}_delta_below", [f"&{pool.name}_layer"]
    if pool.mode == "max":
        function += f"_{pool.x_type}"
        arguments += [_input(model, index), _buffer(pool, "y")]
    arguments += [_buffer(pool, "e"), str(pool.x_count), _errors_below(model, index)]
    return StageView(f"errors through {pool.name}", c_call(function, arguments))


def _below(
    model: QuantizedModel, index: int, layer: QuantizedDense
) -> Iterator[tuple[str, list[str]]]:
    """The errors of the layer below, before this layer's weights change."""
    if layer.passing is None:
        return
    this, w, _ = _weights(layer)
    shift = [] if layer.weight_type == "f32" else [str(layer.passing.shift)]
    arguments = [this, w, _buffer(layer, "e"), *shift, _errors_below(model, index)]
    yield f"tps_{layer.kind}_delta_below_{below_suffix(layer)}", arguments


def _errors_below(model: QuantizedModel, index: int) -> str:
    """Where the errors go that a layer hands down."""
    below = model.errors_go_to(index)
    assert below is not None
    return _buffer(model.layers[below], "e")


def _dense_calls(
    model: QuantizedModel, index: int, layer: QuantizedDense
) -> Iterator[tuple[str, list[str]]]:
    this, y, e = _unit(layer), _buffer(layer, "y"), _buffer(layer, "e")
    if layer.loss.is_local:
        tells = model.is_gated and layer.is_last
        yield from _error_calls(layer, y, _told_probability(model) if tells else "")
    if has_gate(layer):
        learns_from_c = isinstance(layer, QuantizedRnn) and not layer.has_traces
        slope = f"work->stream.{layer.name}_c" if learns_from_c else y
        yield f"tps_dense_gate_{gate_suffix(layer)}", [this, slope, e]
    yield from _below(model, index, layer)
    update = f"tps_dense_update_{update_suffix(layer)}"
    arguments = [*_weights(layer), _input(model, index), e]
    if isinstance(layer, QuantizedRnn) and layer.has_traces:
        update = f"tps_rnn_update_{update_suffix(layer)}"
        arguments[-2:] = [f"work->stream.{layer.name}_trace", _buffer(layer, "p"), e]
    elif isinstance(layer, QuantizedRnn):
        arguments = [this, *_weights(layer)[1:], f"work->stream.{layer.name}_v", e]
    if layer.weight_type == "f32":
        yield "tps_dense_steps_f32", [this, "decay", e]
        yield update, arguments
        return
    yield "tps_dense_steps", [this, "decay", _draw(layer), e]
    yield update, [*arguments, _draw(layer)]


def _conv_calls(
    model: QuantizedModel, index: int, layer: QuantizedDense
) -> Iterator[tuple[str, list[str]]]:
    y, m, e = (_buffer(layer, role) for role in "yme")
    if layer.loss.is_local:
        yield f"tps_map_average_{layer.y_type}", [f"&{layer.name}_layer", y, m]
        yield from _error_calls(layer, m)
    elif has_gate(layer) and layer.passing is not None:
        yield f"tps_map_gate_{gate_suffix(layer)}", [f"&{layer.name}_layer", y, e]
    yield from _below(model, index, layer)
    arguments = [*_weights(layer), _input(model, index), y, e]
    arguments += [_buffer(layer, "p"), _buffer(layer, "d"), "decay"]
    draw = [] if layer.weight_type == "f32" else [_draw(layer)]
    yield f"tps_conv2d_learn_{conv_learn_suffix(layer)}", [*arguments, *draw]


def _error_calls(
    layer: QuantizedDense, seen: str, told: str = ""
) -> Iterator[tuple[str, list[str]]]:
    """The error of what the loss sees, and then what its read-out learns."""
    this, scratch, e = _unit(layer), _scratch(layer), _buffer(layer, "e")
    learns = layer.has_learning_readout
    p = [f"model->{layer.name}_p"] if learns else []
    yield f"{told}tps_error_{error_suffix(layer)}", [this, seen, "label", *p, *scratch, e]
    if learns:
        draw = [] if layer.weight_type == "f32" else [_draw(layer)]
        function = f"tps_readout_learn_{layer.y_type}"
        yield function, [this, seen, *scratch, "decay", *draw, *p]


def _present(layer: QuantizedRnn) -> list[str]:
    """Where the input and the activation of the latest step go."""
    if not layer.keeps_present:
        return [_buffer(layer, "p"), _buffer(layer, "y")]
    return [f"work->stream.{layer.name}_v", f"work->stream.{layer.name}_c"]


def _scratch(layer: QuantizedDense) -> list[str]:
    return [_buffer(layer, "s")] if layer.loss.in_label_space else []


def _draw(layer: QuantizedDense) -> str:
    offset = layer.unit_offset
    return f"model->rng + TPS_PHI * {offset}u" if offset else "model->rng"


def _unit(layer: QuantizedDense) -> str:
    """The struct of the dense layer: of a convolution, the one at each position."""
    member = ".unit" if isinstance(layer, QuantizedConv2d | QuantizedRnn) else ""
    return f"&{layer.name}_layer{member}"


def _shapes(x: tuple[int, int, int], y: tuple[int, int, int]) -> str:
    return " -> ".join("x".join(str(n) for n in shape) for shape in (x, y))


def _weights(layer: QuantizedDense) -> list[str]:
    where = "model->" if layer.trains else "tps_"
    return [f"&{layer.name}_layer", f"{where}{layer.name}_w", f"{where}{layer.name}_b"]


def _input(model: QuantizedModel, index: int) -> str:
    """The value that a layer with one input reads."""
    return _value(model.edges.input_of(model.layers[index].name))


def _value(name: str) -> str:
    """The sample, or what a layer made."""
    return name if name == SAMPLE else f"work->arena.{name}_y.at"


def _buffer(layer: QuantizedLayer, role: str) -> str:
    return f"work->arena.{layer.name}_{role}.at"


_MAKE = {"forward": _forward, "recall": _recall, "learn": _learn, "pass": _pass}
