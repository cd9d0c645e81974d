"""The struct of a dense unit: its constants, and which members the units of a model need."""

from collections.abc import Iterator
from dataclasses import dataclass

from tpsgd_edge.codegen.activations import settings_of, table_name
from tpsgd_edge.codegen.c import c_float, c_uint
from tpsgd_edge.quantize.model import (
    FloatWeighted,
    IntegerWeighted,
    LossTableF32,
    QuantizedModel,
    QuantizedWeighted,
    Readout,
    ReadoutF32,
    Requantize,
    SeededInit,
    Target,
    TargetF32,
    in_binary32,
    in_integers,
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
    met = (*layers, *(layer for layer in model.weighted if layer.passes_only))
    tabulated = {layer.y_type for layer in model.weighted if layer.numbers.curve}
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
        slopes=any(layer.numbers.curve and layer.numbers.curve.has_slopes for layer in met),
        alpha=is_float and "alpha" in settings,
        beta=is_float and "beta" in settings,
    )


def unit_fields(model: QuantizedModel, layer: QuantizedWeighted) -> tuple[Field, ...]:
    """The constants of a dense unit."""
    is_class = model.labels.kind == "class"
    activation = tuple(_activation_fields(model, layer))
    if model.value_type == "f32":
        fields = tuple(_fields_f32(in_binary32(layer), activation, is_class=is_class))
    else:
        fields = tuple(_fields(in_integers(layer), activation, is_class=is_class))
    if _leaks(model):
        is_float, slope = model.value_type == "f32", layer.numbers.negative_slope
        fields = (*fields, ("negative_slope", c_float(slope) if is_float else slope))
    if any(other.kind == "conv2d" for other in model.layers):
        fields = (*fields, ("n_target", layer.n_target))
    return fields


def _activation_fields(model: QuantizedModel, layer: QuantizedWeighted) -> Iterator[Field]:
    """Tables of an activation, or the settings of its function in binary32."""
    if layer.numbers.curve is not None:
        yield f"table_{layer.y_type}", table_name(model, layer.numbers.curve, layer.y_type)
        if (layer.trains or layer.passes_only) and layer.numbers.curve.has_slopes:
            yield "slopes", table_name(model, layer.numbers.curve, "slopes")
    if model.value_type == "f32" and layer.activation != "leaky_relu":
        for key, number in zip(settings_of(layer.activation), layer.settings, strict=True):
            yield key, c_float(number)


def _leaks(model: QuantizedModel) -> bool:
    return any(layer.activation == "leaky_relu" for layer in model.weighted)


def _fields(
    layer: IntegerWeighted, activation: tuple[Field, ...], *, is_class: bool
) -> Iterator[Field]:
    own, steps = layer.numbers, layer.learning.steps
    yield "n_in", layer.n_in
    yield "n_out", layer.n_out
    yield "z_mult", own.z.mult
    yield "z_shift", own.z.shift
    yield "z_min", own.z_min
    yield "z_max", own.z_max
    yield from activation
    yield "weight_bits", own.weight_bits
    if isinstance(layer.init, SeededInit):
        yield "init_bound", layer.init.bound
    if not layer.trains:
        return
    yield "bias_one", steps.bias_one
    yield from _target_fields(layer, is_class=is_class)
    if layer.loss.kind in ("huber", "epsilon_insensitive"):
        yield "delta", layer.loss.delta
    if isinstance(layer.loss.readout, Readout):
        yield "readout_mult", layer.loss.readout.gain.mult
        yield "readout_shift", layer.loss.readout.gain.shift
        yield "error_shift", layer.loss.readout.error_shift
    if layer.loss.table is not None:
        yield "loss_table", f"tps_{layer.name}_loss_table"
    yield "rate_mult", steps.rate.mult
    yield "rate_shift", steps.rate.shift
    yield "dead_zone", steps.dead_zone
    yield from _projection_field(layer)


def _fields_f32(
    layer: FloatWeighted, activation: tuple[Field, ...], *, is_class: bool
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
    if isinstance(layer.loss.readout, ReadoutF32):
        yield "readout", c_float(layer.loss.readout.gain)
        yield "error_scale", c_float(layer.loss.readout.error_scale)
    if isinstance(layer.loss.table, LossTableF32):
        yield "loss_table_scale", c_float(layer.loss.table.scale)
        yield "loss_table", f"tps_{layer.name}_loss_table"
    yield "rate", c_float(layer.learning.steps.rate)
    yield "dead_zone", c_float(layer.learning.steps.dead_zone)
    yield from _projection_field(layer)


def _target_fields(layer: QuantizedWeighted, *, is_class: bool) -> Iterator[Field]:
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


def _projection_field(layer: QuantizedWeighted) -> Iterator[Field]:
    if layer.projection is None:
        return
    if layer.projection.learns:
        rate = layer.projection.rate
        if isinstance(rate, Requantize):
            yield "readout_rate_mult", rate.mult
            yield "readout_rate_shift", rate.shift
        elif rate is not None:
            yield "readout_rate", c_float(rate)
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
