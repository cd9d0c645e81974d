"""Convolutions: dense units at each position of a map."""

from collections.abc import Iterator

from tpsgd_edge.codegen.calls import (
    DECAY,
    Argument,
    Call,
    OperationView,
    arena,
    call,
    draws,
    input_of,
    number,
    struct_of,
    weights,
)
from tpsgd_edge.codegen.carried import carries, scores_calls, totals_of
from tpsgd_edge.codegen.conv2d_kernels import conv2d_kernels, is_dilated, sees_pooled
from tpsgd_edge.codegen.kernel_names import (
    conv_learn_suffix,
    forward_suffix,
    grad_suffix,
    is_depthwise,
    needs_derivative,
)
from tpsgd_edge.codegen.kinds.dense import (
    ending,
    residual_calls,
    weighted_facts,
    weighted_words,
)
from tpsgd_edge.codegen.kinds.kind import KernelFiles, Kind
from tpsgd_edge.codegen.kinds.learning import (
    backward_calls,
    draw_call,
    error_calls,
    learning_stage,
    passing_stage,
)
from tpsgd_edge.codegen.kinds.unit import Field, LayerView, numbers, unit_fields
from tpsgd_edge.quantize.model import Conv2dShape, QuantizedConv2d, QuantizedModel


def _struct(model: QuantizedModel, layer: QuantizedConv2d) -> LayerView:
    fields = tuple(_geometry_fields(layer.shape))
    if is_dilated(model):
        rows, columns = layer.shape.dilation
        fields += tuple(numbers(row_dilation=rows, column_dilation=columns))
    if sees_pooled(model):
        fields += tuple(_target_pool_fields(layer.shape))
    unit = ("unit", unit_fields(model, layer))
    return LayerView(layer.name, "tps_conv2d", fields, units=(unit,))


def _geometry_fields(g: Conv2dShape) -> Iterator[Field]:
    yield from numbers(rows=g.x_shape[0], columns=g.x_shape[1], channels=g.x_shape[2])
    yield from numbers(out_rows=g.y_shape[0], out_columns=g.y_shape[1])
    yield from numbers(kernel_rows=g.kernel[0], kernel_columns=g.kernel[1])
    yield from numbers(row_stride=g.stride[0], column_stride=g.stride[1])
    yield from numbers(top=g.padding[0], left=g.padding[1], groups=g.groups)
    yield from numbers(window_rows=g.windows[0], window_columns=g.windows[1])


def _target_pool_fields(g: Conv2dShape) -> Iterator[Field]:
    yield from numbers(seen_rows=g.seen_shape[0], seen_columns=g.seen_shape[1])
    yield from numbers(pool_rows=g.pool_kernel[0], pool_columns=g.pool_kernel[1])
    yield from numbers(pool_row_stride=g.pool_stride[0], pool_column_stride=g.pool_stride[1])


def _forward(model: QuantizedModel, layer: QuantizedConv2d) -> OperationView:
    given = (struct_of(layer), *weights(layer), input_of(model, layer), arena(layer, "p"))
    forward = call(
        f"tps_{_family(layer)}_forward_{forward_suffix(layer)}", *given, arena(layer, "y")
    )
    calls = [forward, *residual_calls(model, layer)]
    if carries(model, layer):
        unit, averages = struct_of(layer, "unit"), arena(layer, "m")
        calls += [_average(layer), *scores_calls(model, layer, unit, averages)]
    shapes = shapes_of(layer.shape.x_shape, layer.shape.y_shape)
    return OperationView(f"{layer.name}: {shapes}, {ending(model, layer)}", tuple(calls))


def _family(layer: QuantizedConv2d) -> str:
    return "depthwise" if is_depthwise(layer) else "conv2d"


def _average(layer: QuantizedConv2d) -> Call:
    """The averages of the map that the local loss sees."""
    averages = arena(layer, "m")
    return call(f"tps_map_average_{layer.y_type}", struct_of(layer), arena(layer, "y"), averages)


def shapes_of(x: tuple[int, int, int], y: tuple[int, int, int]) -> str:
    """Describe the shapes of two maps in words."""
    return " -> ".join("x".join(str(n) for n in shape) for shape in (x, y))


def _learn(model: QuantizedModel, layer: QuantizedConv2d) -> OperationView:
    return learning_stage(layer, _learning_calls(model, layer))


def _learning_calls(model: QuantizedModel, layer: QuantizedConv2d) -> Iterator[Call]:
    this, y, e = struct_of(layer), arena(layer, "y"), arena(layer, "e")
    if layer.loss.is_local:
        totals = totals_of(model, layer)
        # The scores that are carried were read out of them in the forward pass.
        if totals is None or layer.has_learning_readout:
            yield _average(layer)
        unit, averages = struct_of(layer, "unit"), arena(layer, "m")
        yield from error_calls(layer, unit, averages, totals=totals)
    yield from _passing_calls(model, layer)
    given = (this, *weights(layer), input_of(model, layer), y, e)
    function = f"tps_{_family(layer)}_learn_{conv_learn_suffix(layer)}"
    yield call(function, *given, *_learn_scratch(model, layer), DECAY, *draws(layer))


def _learn_scratch(model: QuantizedModel, layer: QuantizedConv2d) -> Iterator[Argument]:
    """Patches; in f32 errors of a place; winners of windows, null where there is no pool."""
    yield arena(layer, "p")
    if layer.error_type == "f32":
        yield arena(layer, "d")
    if sees_pooled(model):
        yield arena(layer, "w") if layer.shape.is_pooled else number(0)


def _passing_calls(model: QuantizedModel, layer: QuantizedConv2d) -> Iterator[Call]:
    """Errors of units become delta, and errors of the layer below; none where nothing is below."""
    this, y, delta = struct_of(layer), arena(layer, "y"), arena(layer, "e")
    if layer.learning.input_gradient is None:
        return
    if layer.hands_down_windows:
        # The errors of windows stay: from them the layer itself learns, place by place.
        e, delta = delta, arena(layer, "u")
        yield call(f"tps_map_spread_{layer.y_type}", this, y, e, delta)
    if needs_derivative(layer):
        yield call(f"tps_map_grad_{grad_suffix(layer)}", this, y, delta)
    yield from backward_calls(model, layer, this, delta)


def _backward(model: QuantizedModel, layer: QuantizedConv2d) -> OperationView:
    return passing_stage(layer, _passing_calls(model, layer))


def _draw(layer: QuantizedConv2d, seed: int) -> Call:
    return draw_call("tps_dense_init", layer, struct_of(layer, "unit"), seed)


CONV2D = Kind(
    files=KernelFiles("conv2d", conv2d_kernels),
    struct=_struct,
    words=weighted_words,
    facts=weighted_facts,
    forward=_forward,
    learn=_learn,
    backward=_backward,
    draw=_draw,
)
