"""Sums and concatenations of several values."""

from collections.abc import Iterator
from dataclasses import dataclass

from tpsgd_edge.arithmetic.formats import FORMATS
from tpsgd_edge.codegen.c import C_TYPES, c_float
from tpsgd_edge.codegen.calls import Argument, OperationView, arena, call, inputs_of, struct_of
from tpsgd_edge.codegen.kinds.conv2d import shapes_of
from tpsgd_edge.codegen.kinds.kind import KernelFiles, Kind
from tpsgd_edge.codegen.kinds.unit import Entries, Field, LayerView, numbers
from tpsgd_edge.quantize.model import (
    IntegerSum,
    QuantizedAdd,
    QuantizedConcat,
    QuantizedJoin,
    QuantizedModel,
)

# docs/ARITHMETIC.md, section 20: what sums are limited to in binary32.
_F32_RANGE = {"linear": (-(2.0**20), 2.0**20), "relu": (0.0, 2.0**20), "relu6": (0.0, 6.0)}


def _sum(model: QuantizedModel, layer: QuantizedAdd) -> OperationView:
    values = inputs_of(model, layer)
    comment = f"{layer.name}: {_names(values)}, {layer.activation}"
    if isinstance(layer.numbers, IntegerSum):
        comment += f"; |sum| <= {layer.numbers.largest(layer.x_type):,}"
    return _stage(layer, "sum", comment, values)


def _concat(model: QuantizedModel, layer: QuantizedConcat) -> OperationView:
    values = inputs_of(model, layer)
    made = shapes_of(layer.x_shapes[0], layer.y_shape)
    return _stage(layer, "concat", f"{layer.name}: {_names(values)} side by side, {made}", values)


def _stage(layer: QuantizedJoin, verb: str, comment: str, values: Argument) -> OperationView:
    forward = call(f"tps_{verb}_{layer.x_type}", struct_of(layer), values, arena(layer, "y"))
    return OperationView(comment, (forward,))


def _names(values: Argument) -> str:
    return " and ".join(part.name.removesuffix("_y") for part in values.parts)


def _sum_words(layer: QuantizedAdd) -> str:
    return f"add, {layer.activation}"


def _concat_words(_layer: QuantizedConcat) -> str:
    return "concat"


def _facts(layer: QuantizedJoin) -> dict[str, object]:
    return {"input_scales": list(layer.x_scales), "output_scale": layer.y_scale}


def _sum_struct(_model: QuantizedModel, layer: QuantizedAdd) -> LayerView:
    return LayerView(layer.name, "tps_sum", tuple(_sum_fields(layer)))


def _sum_fields(layer: QuantizedAdd) -> Iterator[Field]:
    yield from numbers(count=layer.y_count, n_values=len(layer.x_scales))
    own = layer.numbers
    if not isinstance(own, IntegerSum):
        low, high = _F32_RANGE[layer.activation]
        yield "y_min", c_float(low)
        yield "y_max", c_float(high)
        return
    yield "mult", Entries("uint16_t", own.mults)
    yield from numbers(shift=own.shift, y_min=own.z_min, y_max=own.z_max)


def _concat_struct(_model: QuantizedModel, layer: QuantizedConcat) -> LayerView:
    return LayerView(layer.name, "tps_concat", tuple(_concat_fields(layer)))


def _concat_fields(layer: QuantizedConcat) -> Iterator[Field]:
    height, width, channels = layer.y_shape
    yield from numbers(places=height * width, channels=channels, n_values=len(layer.x_shapes))
    yield "part", Entries("uint16_t", tuple(shape[2] for shape in layer.x_shapes))
    if layer.x_type != "f32":
        yield "mult", Entries("uint16_t", tuple(part.mult for part in layer.parts))
        yield "shift", Entries("uint8_t", tuple(part.shift for part in layer.parts))


@dataclass(frozen=True, slots=True)
class JoinKernels:
    """Kernels of layers with several inputs, and the C type of their sums."""

    has_add: bool
    has_concat: bool
    sum_c: str


def join_kernels(model: QuantizedModel) -> JoinKernels | None:
    """The kernels of layers with several inputs that the model uses; None without any."""
    kinds = {layer.kind for layer in model.layers}
    sum_c = C_TYPES[FORMATS[model.value_type].accumulator]
    made = JoinKernels("add" in kinds, "concat" in kinds, sum_c)
    return made if made.has_add or made.has_concat else None


_FILES = KernelFiles("join", join_kernels)
ADD = Kind(files=_FILES, struct=_sum_struct, words=_sum_words, facts=_facts, forward=_sum)
CONCAT = Kind(
    files=_FILES, struct=_concat_struct, words=_concat_words, facts=_facts, forward=_concat
)
