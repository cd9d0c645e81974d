"""The constants of each layer, as members of its C struct."""

from collections.abc import Iterator
from dataclasses import dataclass

from tpsgd_edge.arithmetic.tables import TABULATED
from tpsgd_edge.codegen.c import c_float, c_uint
from tpsgd_edge.quantize.model import (
    QuantizedDense,
    QuantizedModel,
    SeededInit,
    Target,
    TargetF32,
)


@dataclass(frozen=True, slots=True)
class LayerView:
    """One layer: designated initializers of its struct."""

    name: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Uses:
    """Which groups of members the layer struct needs."""

    table_s8: bool
    table_s16: bool
    hidden_target: bool
    last_target: bool
    delta: bool
    readout: bool
    loss_table: bool


def uses_of(model: QuantizedModel) -> Uses:
    """The groups that any layer of the model needs."""
    layers = model.layers
    tabulated = {layer.y_type for layer in layers if layer.activation in TABULATED}
    targets = [layer for layer in layers if layer.loss.target is not None]
    return Uses(
        table_s8="s8" in tabulated,
        table_s16="s16" in tabulated,
        hidden_target=any(not layer.is_last for layer in targets),
        last_target=any(layer.is_last for layer in targets) and model.labels.kind == "class",
        delta=any(layer.loss.kind in ("huber", "dead_zone") for layer in layers),
        readout=any(layer.loss.in_label_space for layer in layers),
        loss_table=any(layer.loss.table is not None for layer in layers),
    )


def layer_views(model: QuantizedModel) -> tuple[LayerView, ...]:
    """The constants of all layers."""
    is_class = model.labels.kind == "class"
    fields = _fields_f32 if model.value_type == "f32" else _fields
    return tuple(
        LayerView(layer.name, tuple(fields(layer, is_class=is_class))) for layer in model.layers
    )


def _fields(layer: QuantizedDense, *, is_class: bool) -> Iterator[str]:
    assert layer.z is not None
    assert layer.rate is not None
    yield f"n_in = {layer.n_in}"
    yield f"n_out = {layer.n_out}"
    yield f"z_mult = {layer.z.mult}"
    yield f"z_shift = {layer.z.shift}"
    yield f"z_min = {layer.z_min}"
    yield f"z_max = {layer.z_max}"
    if layer.activation in TABULATED:
        yield f"table_{layer.y_type} = tps_{layer.activation}_table_{layer.y_type}"
    yield f"weight_min = {-(2**layer.weight_bits)}"
    yield f"weight_max = {2**layer.weight_bits - 1}"
    if isinstance(layer.init, SeededInit):
        yield f"init_bound = {layer.init.bound}"
    yield f"bias_one = {layer.bias_one}"
    yield from _target_fields(layer, is_class=is_class)
    if layer.loss.kind in ("huber", "dead_zone"):
        yield f"delta = {layer.loss.delta}"
    if layer.loss.readout is not None:
        yield f"readout_mult = {layer.loss.readout.mult}"
        yield f"readout_shift = {layer.loss.readout.shift}"
        yield f"error_shift = {layer.loss.error_shift}"
    if layer.loss.table is not None:
        yield f"loss_table = {layer.name}_loss_table"
    yield f"rate_mult = {layer.rate.mult}"
    yield f"rate_shift = {layer.rate.shift}"
    yield f"dead_zone = {layer.dead_zone}"
    yield from _projection_field(layer)


def _fields_f32(layer: QuantizedDense, *, is_class: bool) -> Iterator[str]:
    yield f"n_in = {layer.n_in}"
    yield f"n_out = {layer.n_out}"
    if isinstance(layer.init, SeededInit):
        yield f"init_bound = {c_float(layer.init.bound)}"
    yield from _target_fields(layer, is_class=is_class)
    if layer.loss.kind in ("huber", "dead_zone"):
        yield f"delta = {c_float(layer.loss.delta)}"
    if layer.loss.in_label_space:
        yield f"readout = {c_float(layer.loss.readout_f32)}"
        yield f"error_scale = {c_float(layer.loss.error_scale_f32)}"
    if layer.loss.table is not None:
        yield f"loss_table_scale = {c_float(layer.loss.custom_scale_f32)}"
        yield f"loss_table = {layer.name}_loss_table"
    yield f"rate = {c_float(layer.rate_f32)}"
    yield f"dead_zone = {c_float(layer.dead_zone)}"
    yield from _projection_field(layer)


def _target_fields(layer: QuantizedDense, *, is_class: bool) -> Iterator[str]:
    target = layer.loss.target
    if target is None:
        return
    number = c_float if isinstance(target, TargetF32) else str
    if not layer.is_last:
        yield f"target_mid = {number(target.mid)}"
        yield f"target_mult = {number(target.mult)}"
        if isinstance(target, Target):
            yield f"target_shift = {target.shift}"
    elif is_class:
        yield f"target_on = {number(target.on)}"
        yield f"target_off = {number(target.off)}"


def _projection_field(layer: QuantizedDense) -> Iterator[str]:
    if layer.projection is None:
        return
    if layer.projection.storage == "seed":
        yield f"projection = {c_uint(layer.projection.seed)}"
    else:
        yield f"projection = {layer.name}_projection"
