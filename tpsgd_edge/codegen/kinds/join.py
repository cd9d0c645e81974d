"""Sums and concatenations of several values."""

from collections.abc import Iterator
from dataclasses import dataclass

from tpsgd_edge.codegen.c import c_float
from tpsgd_edge.codegen.calls import Argument, StageView, arena, call, inputs_of, struct_of
from tpsgd_edge.codegen.kinds.conv2d import shapes_of
from tpsgd_edge.codegen.kinds.kind import Kind
from tpsgd_edge.quantize.model import QuantizedAdd, QuantizedConcat, QuantizedJoin, QuantizedModel

# docs/ARITHMETIC.md, section 20: what sums are limited to in binary32.
_F32_RANGE = {"linear": (-(2.0**20), 2.0**20), "relu": (0.0, 2.0**20), "relu6": (0.0, 6.0)}


def _sum(model: QuantizedModel, layer: QuantizedAdd) -> StageView:
    values = inputs_of(model, layer)
    comment = f"{layer.name}: {_names(values)}, {layer.activation}"
    if layer.x_type != "f32":
        comment += f"; |sum| <= {layer.largest_sum:,}"
    return _stage(layer, "sum", comment, values)


def _concat(model: QuantizedModel, layer: QuantizedConcat) -> StageView:
    values = inputs_of(model, layer)
    made = shapes_of(layer.x_shapes[0], layer.y_shape)
    return _stage(layer, "concat", f"{layer.name}: {_names(values)} side by side, {made}", values)


def _stage(layer: QuantizedJoin, verb: str, comment: str, values: Argument) -> StageView:
    forward = call(f"tps_{verb}_{layer.x_type}", struct_of(layer), values, arena(layer, "y"))
    return StageView(comment, (forward,))


def _names(values: Argument) -> str:
    return " and ".join(part.name.removesuffix("_y") for part in values.parts)


ADD = Kind(forward=_sum)
CONCAT = Kind(forward=_concat)


@dataclass(frozen=True, slots=True)
class JoinKernels:
    """Which layers with several inputs a model has, and the C type of their sums."""

    add: bool
    concat: bool
    sum_c: str


def join_kernels(model: QuantizedModel) -> JoinKernels:
    """The kernels that the model needs."""
    kinds = {layer.kind for layer in model.layers}
    sum_c = {"s8": "int32_t", "s16": "int64_t", "f32": "float"}[model.value_type]
    return JoinKernels("add" in kinds, "concat" in kinds, sum_c)


def add_fields(layer: QuantizedAdd) -> Iterator[str]:
    """Designated initializers of `struct tps_sum`."""
    yield f"count = {layer.y_count}"
    yield f"n_values = {len(layer.mults)}"
    if layer.x_type == "f32":
        low, high = (c_float(bound) for bound in _F32_RANGE[layer.activation])
        yield f"y_min = {low}"
        yield f"y_max = {high}"
        return
    yield f"mult = (const uint16_t[]){{{', '.join(map(str, layer.mults))}}}"
    yield f"shift = {layer.shift}"
    yield f"y_min = {layer.z_min}"
    yield f"y_max = {layer.z_max}"


def concat_fields(layer: QuantizedConcat) -> Iterator[str]:
    """Designated initializers of `struct tps_concat`."""
    height, width, channels = layer.y_shape
    yield f"places = {height * width}"
    yield f"channels = {channels}"
    yield f"n_values = {len(layer.x_shapes)}"
    parts = ", ".join(str(shape[2]) for shape in layer.x_shapes)
    yield f"part = (const uint16_t[]){{{parts}}}"
    if layer.x_type != "f32":
        yield f"mult = (const uint16_t[]){{{', '.join(str(p.mult) for p in layer.parts)}}}"
        yield f"shift = (const uint8_t[]){{{', '.join(str(p.shift) for p in layer.parts)}}}"
