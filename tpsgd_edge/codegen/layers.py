"""The constants of each layer, as members of its C struct."""

from collections.abc import Iterator
from dataclasses import dataclass

from tpsgd_edge.codegen.activations import settings_of, table_name
from tpsgd_edge.codegen.c import c_float, c_uint
from tpsgd_edge.codegen.kinds.join import add_fields, concat_fields
from tpsgd_edge.quantize.model import (
    Geometry,
    QuantizedAdd,
    QuantizedConcat,
    QuantizedConv2d,
    QuantizedDense,
    QuantizedGru,
    QuantizedLayer,
    QuantizedModel,
    QuantizedPool,
    QuantizedRnn,
    SeededInit,
    Target,
    TargetF32,
)


@dataclass(frozen=True, slots=True)
class LayerView:
    """One layer: designated initializers of its struct.

    `units` holds those of dense layers inside of it, by member: that which a convolution applies at
    each position, those which a recurrent layer applies at each step.
    """

    name: str
    struct: str
    fields: tuple[str, ...]
    units: tuple[tuple[str, tuple[str, ...]], ...] = ()


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
    pooled_targets: bool
    cut_pools: bool
    dilation: bool
    learning_readout: bool
    negative_slope: bool
    slopes: bool
    alpha: bool
    beta: bool


def uses_of(model: QuantizedModel) -> Uses:
    """The groups that any layer of the model needs."""
    layers = model.taught
    tabulated = {layer.y_type for layer in model.weighted if layer.curve}
    settings = {key for layer in model.weighted for key in settings_of(layer.activation)}
    is_float = model.value_type == "f32"
    targets = [layer for layer in layers if layer.loss.target is not None]
    return Uses(
        table_s8="s8" in tabulated,
        table_s16="s16" in tabulated,
        hidden_target=any(not layer.is_last for layer in targets),
        last_target=any(layer.is_last for layer in targets) and model.labels.kind == "class",
        delta=any(layer.loss.kind in ("huber", "dead_zone") for layer in layers),
        readout=any(layer.loss.in_label_space for layer in layers),
        loss_table=any(layer.loss.table is not None for layer in layers),
        pooled_targets=_has_pooled_targets(model),
        cut_pools=_has_cut_pools(model),
        dilation=_has_dilation(model),
        learning_readout=any(layer.has_learning_readout for layer in layers),
        negative_slope=_has_slopes(model),
        slopes=any(layer.curve and layer.curve.has_slopes for layer in layers),
        alpha=is_float and "alpha" in settings,
        beta=is_float and "beta" in settings,
    )


def layer_views(model: QuantizedModel) -> tuple[LayerView, ...]:
    """The constants of all layers."""
    return tuple(_layer_view(model, layer) for layer in model.layers)


def _layer_view(model: QuantizedModel, layer: QuantizedLayer) -> LayerView:
    if isinstance(layer, QuantizedPool):
        edges = _edge_fields(layer) if _has_cut_pools(model) else ()
        return LayerView(layer.name, "tps_pool", (*_pool_fields(layer), *edges))
    if isinstance(layer, QuantizedAdd):
        return LayerView(layer.name, "tps_sum", tuple(add_fields(layer)))
    if isinstance(layer, QuantizedConcat):
        return LayerView(layer.name, "tps_concat", tuple(concat_fields(layer)))
    if isinstance(layer, QuantizedGru):
        members: tuple[tuple[str, tuple[str, ...]], ...] = (
            ("reads", _dense_fields(model, layer.reads)),
            ("own", _dense_fields(model, layer.own)),
        )
        if layer.taught is not None:
            members = (*members, ("taught", _dense_fields(model, layer.taught)))
        return LayerView(layer.name, "tps_gru", (), units=members)
    fields = _dense_fields(model, layer)
    if isinstance(layer, QuantizedConv2d):
        geometry = tuple(_geometry_fields(layer.geometry))
        if _has_dilation(model):
            rows, columns = layer.geometry.dilation
            geometry += tuple(_numbers(row_dilation=rows, column_dilation=columns))
        if _has_pooled_targets(model):
            geometry += tuple(_target_pool_fields(layer.geometry))
        return LayerView(layer.name, "tps_conv2d", geometry, units=(("unit", fields),))
    if isinstance(layer, QuantizedRnn):
        own = tuple(_rnn_fields(layer))
        return LayerView(layer.name, "tps_rnn", own, units=(("unit", fields),))
    dense = "tps_dense_f32" if model.value_type == "f32" else "tps_dense"
    return LayerView(layer.name, dense, fields)


def _dense_fields(model: QuantizedModel, layer: QuantizedDense) -> tuple[str, ...]:
    is_class = model.labels.kind == "class"
    make = _fields_f32 if model.value_type == "f32" else _fields
    activation = tuple(_activation_fields(model, layer))
    fields = tuple(make(layer, activation, is_class=is_class))
    if _has_slopes(model):
        is_float, slope = model.value_type == "f32", layer.negative_slope
        fields = (*fields, f"negative_slope = {c_float(slope) if is_float else slope}")
    if any(isinstance(other, QuantizedConv2d) for other in model.layers):
        fields = (*fields, f"n_target = {layer.n_target}")
    return fields


def _activation_fields(model: QuantizedModel, layer: QuantizedDense) -> Iterator[str]:
    """Tables of an activation, or the settings of its function in binary32."""
    if layer.curve is not None:
        yield f"table_{layer.y_type} = {table_name(model, layer.curve, layer.y_type)}"
        if layer.trains and layer.curve.has_slopes:
            yield f"slopes = {table_name(model, layer.curve, 'slopes')}"
    if model.value_type == "f32" and layer.activation != "leaky_relu":
        for key, number in zip(settings_of(layer.activation), layer.numbers, strict=True):
            yield f"{key} = {c_float(number)}"


def _has_slopes(model: QuantizedModel) -> bool:
    return any(layer.activation == "leaky_relu" for layer in model.weighted)


def _rnn_fields(layer: QuantizedRnn) -> Iterator[str]:
    if layer.weight_type != "f32":
        yield f"own_shift = {layer.own_shift}"
    if isinstance(layer.init, SeededInit):
        is_float = layer.weight_type == "f32"
        for name, bound in (("input", layer.input_bound), ("bias", layer.bias_bound)):
            yield f"{name}_bound = {c_float(bound) if is_float else bound}"
    yield f"groups = {len(layer.leak_shifts)}"
    yield f"group_shift = (const uint8_t[]){{{', '.join(map(str, layer.leak_shifts))}}}"


def _geometry_fields(g: Geometry) -> Iterator[str]:
    yield from _numbers(rows=g.x_shape[0], columns=g.x_shape[1], channels=g.x_shape[2])
    yield from _numbers(out_rows=g.y_shape[0], out_columns=g.y_shape[1])
    yield from _numbers(kernel_rows=g.kernel[0], kernel_columns=g.kernel[1])
    yield from _numbers(row_stride=g.stride[0], column_stride=g.stride[1])
    yield from _numbers(top=g.padding[0], left=g.padding[1], groups=g.groups)
    yield from _numbers(window_rows=g.windows[0], window_columns=g.windows[1])


def _has_pooled_targets(model: QuantizedModel) -> bool:
    convs = (layer for layer in model.trained if isinstance(layer, QuantizedConv2d))
    return any(layer.geometry.is_pooled for layer in convs)


def _target_pool_fields(g: Geometry) -> Iterator[str]:
    yield from _numbers(seen_rows=g.seen_shape[0], seen_columns=g.seen_shape[1])
    yield from _numbers(pool_rows=g.pool_kernel[0], pool_columns=g.pool_kernel[1])
    yield from _numbers(pool_row_stride=g.pool_stride[0], pool_column_stride=g.pool_stride[1])


def _pool_fields(pool: QuantizedPool) -> Iterator[str]:
    yield from _numbers(columns=pool.x_shape[1], channels=pool.x_shape[2])
    yield from _numbers(out_rows=pool.y_shape[0], out_columns=pool.y_shape[1])
    yield from _numbers(kernel_rows=pool.kernel[0], kernel_columns=pool.kernel[1])
    yield from _numbers(row_stride=pool.stride[0], column_stride=pool.stride[1])


def _has_dilation(model: QuantizedModel) -> bool:
    convs = (layer for layer in model.weighted if isinstance(layer, QuantizedConv2d))
    return any(layer.geometry.is_dilated for layer in convs)


def _has_cut_pools(model: QuantizedModel) -> bool:
    return any(isinstance(layer, QuantizedPool) and layer.is_cut for layer in model.layers)


def _edge_fields(pool: QuantizedPool) -> Iterator[str]:
    yield from _numbers(rows=pool.x_shape[0], top=pool.padding[0], left=pool.padding[1])


def _numbers(**values: int) -> Iterator[str]:
    return (f"{name} = {value}" for name, value in values.items())


def _fields(layer: QuantizedDense, activation: tuple[str, ...], *, is_class: bool) -> Iterator[str]:
    assert layer.z is not None
    yield f"n_in = {layer.n_in}"
    yield f"n_out = {layer.n_out}"
    yield f"z_mult = {layer.z.mult}"
    yield f"z_shift = {layer.z.shift}"
    yield f"z_min = {layer.z_min}"
    yield f"z_max = {layer.z_max}"
    yield from activation
    yield f"weight_bits = {layer.weight_bits}"
    if isinstance(layer.init, SeededInit):
        yield f"init_bound = {layer.init.bound}"
    if not layer.trains:
        return
    assert layer.rate is not None
    yield f"bias_one = {layer.bias_one}"
    yield from _target_fields(layer, is_class=is_class)
    if layer.loss.kind in ("huber", "dead_zone"):
        yield f"delta = {layer.loss.delta}"
    if layer.loss.readout is not None:
        yield f"readout_mult = {layer.loss.readout.mult}"
        yield f"readout_shift = {layer.loss.readout.shift}"
        yield f"error_shift = {layer.loss.error_shift}"
    if layer.loss.table is not None:
        yield f"loss_table = tps_{layer.name}_loss_table"
    yield f"rate_mult = {layer.rate.mult}"
    yield f"rate_shift = {layer.rate.shift}"
    yield f"dead_zone = {layer.dead_zone}"
    yield from _projection_field(layer)


def _fields_f32(
    layer: QuantizedDense, activation: tuple[str, ...], *, is_class: bool
) -> Iterator[str]:
    yield f"n_in = {layer.n_in}"
    yield f"n_out = {layer.n_out}"
    yield from activation
    if isinstance(layer.init, SeededInit):
        yield f"init_bound = {c_float(layer.init.bound)}"
    if not layer.trains:
        return
    yield from _target_fields(layer, is_class=is_class)
    if layer.loss.kind in ("huber", "dead_zone"):
        yield f"delta = {c_float(layer.loss.delta)}"
    if layer.loss.in_label_space:
        yield f"readout = {c_float(layer.loss.readout_f32)}"
        yield f"error_scale = {c_float(layer.loss.error_scale_f32)}"
    if layer.loss.table is not None:
        yield f"loss_table_scale = {c_float(layer.loss.custom_scale_f32)}"
        yield f"loss_table = tps_{layer.name}_loss_table"
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
    if layer.projection.learns:
        rate = layer.projection.rate
        if layer.weight_type == "f32":
            yield f"readout_rate = {c_float(layer.projection.rate_f32)}"
        elif rate is not None:
            yield from _numbers(readout_rate_mult=rate.mult, readout_rate_shift=rate.shift)
    elif layer.projection.storage == "seed":
        yield f"projection = {c_uint(layer.projection.seed)}"
    else:
        yield f"projection = tps_{layer.name}_projection"
