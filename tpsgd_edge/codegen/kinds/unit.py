"""The struct of a dense unit: its constants, and which members the units of a model need."""

from collections.abc import Iterator
from dataclasses import dataclass

from tpsgd_edge.codegen.activations import settings_of, table_name
from tpsgd_edge.codegen.c import c_float, c_uint
from tpsgd_edge.quantize.model import (
    QuantizedDense,
    QuantizedModel,
    SeededInit,
    Target,
    TargetF32,
)


@dataclass(frozen=True, slots=True)
class Entries:
    """A small array that a member of a struct points to."""

    c_type: str
    values: tuple[int, ...]


# A member and its value: a number, a literal, or the entries of a small array.
Field = tuple[str, float | str | Entries]


@dataclass(frozen=True, slots=True)
class LayerView:
    """The struct of one layer.

    Attributes:
        units: members that are dense units, and their members: that which a convolution applies at
            each position, those which a recurrent layer applies at each step.
    """

    name: str
    struct: str
    fields: tuple[Field, ...] = ()
    units: tuple[tuple[str, tuple[Field, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class UnitMembers:
    """The groups of members that the struct of dense units needs."""

    table_s8: bool
    table_s16: bool
    hidden_target: bool
    last_target: bool
    delta: bool
    readout: bool
    loss_table: bool
    learning_readout: bool
    negative_slope: bool
    slopes: bool
    alpha: bool
    beta: bool


def unit_members(model: QuantizedModel) -> UnitMembers:
    """The groups that any layer of the model needs."""
    layers = model.with_loss
    tabulated = {layer.y_type for layer in model.weighted if layer.curve}
    settings = {key for layer in model.weighted for key in settings_of(layer.activation)}
    is_float = model.value_type == "f32"
    targets = [layer for layer in layers if layer.loss.target is not None]
    return UnitMembers(
        table_s8="s8" in tabulated,
        table_s16="s16" in tabulated,
        hidden_target=any(not layer.is_last for layer in targets),
        last_target=any(layer.is_last for layer in targets) and model.labels.kind == "class",
        delta=any(layer.loss.kind in ("huber", "epsilon_insensitive") for layer in layers),
        readout=any(layer.loss.in_label_space for layer in layers),
        loss_table=any(layer.loss.table is not None for layer in layers),
        learning_readout=any(layer.has_learning_readout for layer in layers),
        negative_slope=_leaks(model),
        slopes=any(layer.curve and layer.curve.has_slopes for layer in layers),
        alpha=is_float and "alpha" in settings,
        beta=is_float and "beta" in settings,
    )


def unit_fields(model: QuantizedModel, layer: QuantizedDense) -> tuple[Field, ...]:
    """The constants of a dense unit."""
    is_class = model.labels.kind == "class"
    make = _fields_f32 if model.value_type == "f32" else _fields
    activation = tuple(_activation_fields(model, layer))
    fields = tuple(make(layer, activation, is_class=is_class))
    if _leaks(model):
        is_float, slope = model.value_type == "f32", layer.negative_slope
        fields = (*fields, ("negative_slope", c_float(slope) if is_float else slope))
    if any(other.kind == "conv2d" for other in model.layers):
        fields = (*fields, ("n_target", layer.n_target))
    return fields


def _activation_fields(model: QuantizedModel, layer: QuantizedDense) -> Iterator[Field]:
    """Tables of an activation, or the settings of its function in binary32."""
    if layer.curve is not None:
        yield f"table_{layer.y_type}", table_name(model, layer.curve, layer.y_type)
        if layer.trains and layer.curve.has_slopes:
            yield "slopes", table_name(model, layer.curve, "slopes")
    if model.value_type == "f32" and layer.activation != "leaky_relu":
        for key, number in zip(settings_of(layer.activation), layer.numbers, strict=True):
            yield key, c_float(number)


def _leaks(model: QuantizedModel) -> bool:
    return any(layer.activation == "leaky_relu" for layer in model.weighted)


def _fields(
    layer: QuantizedDense, activation: tuple[Field, ...], *, is_class: bool
) -> Iterator[Field]:
    assert layer.z is not None
    yield "n_in", layer.n_in
    yield "n_out", layer.n_out
    yield "z_mult", layer.z.mult
    yield "z_shift", layer.z.shift
    yield "z_min", layer.z_min
    yield "z_max", layer.z_max
    yield from activation
    yield "weight_bits", layer.weight_bits
    if isinstance(layer.init, SeededInit):
        yield "init_bound", layer.init.bound
    if not layer.trains:
        return
    assert layer.rate is not None
    yield "bias_one", layer.bias_one
    yield from _target_fields(layer, is_class=is_class)
    if layer.loss.kind in ("huber", "epsilon_insensitive"):
        yield "delta", layer.loss.delta
    if layer.loss.readout is not None:
        yield "readout_mult", layer.loss.readout.mult
        yield "readout_shift", layer.loss.readout.shift
        yield "error_shift", layer.loss.error_shift
    if layer.loss.table is not None:
        yield "loss_table", f"tps_{layer.name}_loss_table"
    yield "rate_mult", layer.rate.mult
    yield "rate_shift", layer.rate.shift
    yield "dead_zone", layer.dead_zone
    yield from _projection_field(layer)


def _fields_f32(
    layer: QuantizedDense, activation: tuple[Field, ...], *, is_class: bool
) -> Iterator[Field]:
    yield "n_in", layer.n_in
    yield "n_out", layer.n_out
    yield from activation
    if isinstance(layer.init, SeededInit):
        yield "init_bound", c_float(layer.init.bound)
    if not layer.trains:
        return
    yield from _target_fields(layer, is_class=is_class)
    if layer.loss.kind in ("huber", "epsilon_insensitive"):
        yield "delta", c_float(layer.loss.delta)
    if layer.loss.in_label_space:
        yield "readout", c_float(layer.loss.readout_f32)
        yield "error_scale", c_float(layer.loss.error_scale_f32)
    if layer.loss.table is not None:
        yield "loss_table_scale", c_float(layer.loss.custom_scale_f32)
        yield "loss_table", f"tps_{layer.name}_loss_table"
    yield "rate", c_float(layer.rate_f32)
    yield "dead_zone", c_float(layer.dead_zone)
    yield from _projection_field(layer)


def _target_fields(layer: QuantizedDense, *, is_class: bool) -> Iterator[Field]:
    target = layer.loss.target
    if target is None:
        return
    number = c_float if isinstance(target, TargetF32) else str
    if not layer.is_last:
        yield "target_mid", number(target.mid)
        yield "target_mult", number(target.mult)
        if isinstance(target, Target):
            yield "target_shift", target.shift
    elif is_class:
        yield "target_on", number(target.on)
        yield "target_off", number(target.off)


def _projection_field(layer: QuantizedDense) -> Iterator[Field]:
    if layer.projection is None:
        return
    if layer.projection.learns:
        rate = layer.projection.rate
        if layer.weight_type == "f32":
            yield "readout_rate", c_float(layer.projection.rate_f32)
        elif rate is not None:
            yield "readout_rate_mult", rate.mult
            yield "readout_rate_shift", rate.shift
    elif layer.projection.storage == "seed":
        yield "projection", c_uint(layer.projection.seed)
    else:
        yield "projection", f"tps_{layer.name}_projection"


def unit_struct(model: QuantizedModel) -> str:
    """The name of the struct of dense units."""
    return "tps_dense_f32" if model.value_type == "f32" else "tps_dense"


def numbers(**values: int) -> Iterator[Field]:
    """Members that are whole numbers, by name."""
    yield from values.items()
