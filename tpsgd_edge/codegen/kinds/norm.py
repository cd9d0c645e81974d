"""Layers that normalize."""

from collections.abc import Iterator

from tpsgd_edge.codegen.c import C_TYPES, c_float
from tpsgd_edge.codegen.calls import OperationView, arena, call, input_of, struct_of
from tpsgd_edge.codegen.kinds.conv2d import shapes_of
from tpsgd_edge.codegen.kinds.kind import KernelFiles, Kind
from tpsgd_edge.codegen.kinds.unit import Field, LayerView, numbers
from tpsgd_edge.quantize.model import QuantizedModel, QuantizedNorm


def norm_types(model: QuantizedModel) -> tuple[tuple[str, str], ...]:
    """Suffix and C type of the kernels that the model uses; empty without any."""
    types = {layer.x_type for layer in model.of_kind("norm")}
    return tuple((name, C_TYPES[name]) for name in sorted(types))


def _struct(_model: QuantizedModel, layer: QuantizedNorm) -> LayerView:
    return LayerView(layer.name, "tps_norm", tuple(_fields(layer)))


def _fields(layer: QuantizedNorm) -> Iterator[Field]:
    yield from numbers(groups=layer.groups, count=layer.group_size, centered=int(layer.centered))
    if layer.x_type == "f32":
        yield "epsilon", c_float(layer.epsilon)
        return
    yield "unit_bits", layer.unit_bits
    yield "epsilon", int(layer.epsilon)


def _words(_layer: QuantizedNorm) -> str:
    return "norm"


def _facts(layer: QuantizedNorm) -> dict[str, object]:
    return {"group_size": layer.group_size, "centered": layer.centered}


def _forward(model: QuantizedModel, layer: QuantizedNorm) -> OperationView:
    function = f"tps_norm_{layer.x_type}"
    forward = call(function, struct_of(layer), input_of(model, layer), arena(layer, "y"))
    shapes = shapes_of(layer.y_shape, layer.y_shape)
    return OperationView(f"{layer.name}: {shapes}, normalized", (forward,))


NORM = Kind(
    files=KernelFiles("norm", norm_types),
    struct=_struct,
    words=_words,
    facts=_facts,
    forward=_forward,
)
