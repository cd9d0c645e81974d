"""One layer with weights in numbers: fully connected, or a convolution."""

import math
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.random import Purpose, stream
from tpsgd_edge.arithmetic.tables import Curve
from tpsgd_edge.errors import SpecError
from tpsgd_edge.graph import (
    Conv2d,
    Dense,
    Graph,
    Learning,
    Memory,
    Recurrent,
    Rnn,
    WeightedLayer,
    Weights,
    is_adaptor,
)
from tpsgd_edge.graph.initial_weights import initial_bound, stored_weights
from tpsgd_edge.quantize.binary32 import to_binary32
from tpsgd_edge.quantize.last_layer import logit_scale
from tpsgd_edge.quantize.losses import LossContext, make_loss
from tpsgd_edge.quantize.model import (
    DTYPES,
    Geometry,
    Interval,
    Loss,
    Projection,
    QuantizedConv2d,
    QuantizedDense,
    Requantize,
    SeededInit,
    StoredInit,
    ValueType,
)
from tpsgd_edge.quantize.projection import largest_prototype, make_projection
from tpsgd_edge.quantize.rates import dead_zone, integer_rate, with_rate
from tpsgd_edge.quantize.scales import (
    BIAS_BITS,
    INPUT_MAX,
    as_requantize,
    curve_of,
    negative_slope,
    weight_bits,
    weight_scale,
    with_room_for_biases,
    z_limits,
    z_scale,
)
from tpsgd_edge.spec import LossSpec, Spec

_SMALLEST_WEIGHT_BITS = 8
_LARGEST_COUNT = 65_535


@dataclass(frozen=True, slots=True)
class DenseContext:
    """Context of a layer's numbers: everything beside the layer itself that they depend on.

    Attributes:
        index: place of the layer in the graph.
        learning: how it learns; layers inside of another one learn as that one does.
    """

    spec: Spec
    graph: Graph
    index: int
    learning: Learning
    value_type: ValueType
    x_scale: float
    full_scale: float
    label_scale: float
    unit_offset: int
    logit_shift: int = 0

    @property
    def is_last(self) -> bool:
        """Tell whether the layer meets the labels themselves."""
        return self.index == len(self.graph.layers) - 1


@dataclass(frozen=True, slots=True)
class _Formats:
    """Types and scales of one layer."""

    weight_type: ValueType
    x_type: ValueType
    y_type: ValueType
    weight_bits: int
    weight_scale: float
    y_scale: float
    bias_shift: int


def quantize_conv2d(layer: Conv2d, context: DenseContext) -> QuantizedConv2d:
    """All integers of a convolution: those of a dense layer from a patch, and its geometry."""
    dense = quantize_dense(layer, context)
    geometry = Geometry(
        x_shape=layer.x_shape,
        y_shape=layer.y_shape,
        kernel=layer.kernel,
        stride=layer.stride,
        padding=layer.padding,
        dilation=layer.dilation,
        groups=layer.groups,
        windows=layer.windows,
        pool_kernel=(1, 1) if layer.pool is None else layer.pool.kernel,
        pool_stride=(1, 1) if layer.pool is None else layer.pool.stride,
    )
    return QuantizedConv2d(**values_of(dense), geometry=geometry)


def values_of(dense: QuantizedDense) -> dict[str, Any]:
    """The fields of a dense layer, for a layer that is one and more."""
    return {field.name: getattr(dense, field.name) for field in fields(dense)}


def quantize_dense(layer: WeightedLayer, context: DenseContext) -> QuantizedDense:
    """All integers of the layer.

    Raises:
        SpecError: more inputs than the accumulator can be proved for, a learning rate out of reach.
    """
    _check_counts(layer)
    learning = context.learning
    first = stored_weights(context.graph, context.index, context.spec.seed)
    bound = initial_bound(context.graph, context.index)
    gain = layer.input_gain / layer.recurrent_gain if isinstance(layer, Rnn) else 1.0
    formats = _formats(layer, context, learning.loss, first, bound * max(gain, 1.0))
    loss, error_scale, projection = _loss(layer, context)
    update_shift, is_float = _update_shift(formats), formats.weight_type == "f32"
    # On a map times 1 / (mean area of the windows): section 14.
    rate = learning.rate / layer.target_area
    one = 1 / (context.x_scale**2 * 2**formats.bias_shift)
    slope = negative_slope(layer.activation, layer.numbers, formats.y_type)
    curve = curve_of(layer.activation, layer.numbers, formats.y_type, formats.y_scale)
    steepest = 1.0 if curve is None else curve.steepest
    low, high = z_limits(layer.activation, formats.y_type, slope, formats.y_scale)
    return QuantizedDense(
        name=layer.name,
        n_in=layer.n_in,
        n_out=layer.n_out,
        activation=layer.activation,
        weight_type=formats.weight_type,
        x_type=formats.x_type,
        y_type=formats.y_type,
        is_last=context.is_last,
        weight_bits=formats.weight_bits,
        weight_scale=formats.weight_scale,
        x_scale=context.x_scale,
        y_scale=formats.y_scale,
        bias_shift=formats.bias_shift,
        bias_one=0 if is_float else max(1, min(2**30, math.floor(one + 0.5))),
        z=None if is_float else _z_factor(layer, context, formats, curve),
        z_min=low,
        z_max=high,
        accumulator=None if is_float else _accumulator(layer, formats),
        loss=loss,
        projection=projection,
        rate=None
        if is_float or loss.kind == "backward"
        else _rate(layer, context, formats, rate * error_scale * steepest, update_shift),
        rate_f32=float(to_binary32(rate)) if is_float else 0.0,
        update_shift=update_shift,
        dead_zone=dead_zone(learning.dead_zone, error_scale * steepest, is_float=is_float),
        unit_offset=context.unit_offset,
        init=_init(layer, context, formats, first, bound),
        trains=learning.trainable,
        residual=is_adaptor(layer),
        error_scale=error_scale,
        negative_slope=slope,
        numbers=tuple(float(np.float32(n)) if is_float else n for n in layer.numbers),
        curve=curve,
    )


def quantize_sums(
    layer: Dense,
    context: DenseContext,
    first: Weights,
    *,
    unit: float,
    loss_layer: QuantizedDense | None = None,
) -> QuantizedDense:
    """A linear layer inside of another one: s16 in steps of `unit`, with the weights `first`.

    Where it learns, it has its errors from the loss of `loss_layer`.
    """
    _check_counts(layer)
    loss_spec = LossSpec(kind="l2")
    formats = _formats(layer, context, loss_spec, first, 0.0)
    is_float = formats.weight_type == "f32"
    if not is_float:
        formats = replace(formats, y_type="s16", y_scale=unit)
    low, high = z_limits("linear", formats.y_type, 1, formats.y_scale)
    update_shift, rate = _update_shift(formats), 0.0
    if loss_layer is not None:
        rate = context.learning.rate
    one = 1 / (context.x_scale**2 * 2**formats.bias_shift)
    return QuantizedDense(
        name=layer.name,
        n_in=layer.n_in,
        n_out=layer.n_out,
        activation="linear",
        weight_type=formats.weight_type,
        x_type=formats.x_type,
        y_type=formats.y_type,
        is_last=False,
        weight_bits=formats.weight_bits,
        weight_scale=formats.weight_scale,
        x_scale=context.x_scale,
        y_scale=formats.y_scale,
        bias_shift=formats.bias_shift,
        bias_one=0 if is_float else max(1, min(2**30, math.floor(one + 0.5))),
        z=None if is_float else _z_factor(layer, context, formats, None),
        z_min=low,
        z_max=high,
        accumulator=None if is_float else _accumulator(layer, formats),
        loss=Loss("backward"),
        projection=None,
        rate=None
        if is_float or loss_layer is None
        else _rate(layer, context, formats, rate * loss_layer.error_scale, update_shift),
        rate_f32=float(to_binary32(rate)) if is_float else 0.0,
        update_shift=update_shift,
        dead_zone=0 if loss_layer is None else loss_layer.dead_zone,
        unit_offset=context.unit_offset,
        init=_init(layer, context, formats, first, 0.0),
        trains=loss_layer is not None,
    )


def _check_counts(layer: WeightedLayer) -> None:
    """Counts of a layer are 16 bits wide in the generated code."""
    for what, count in (("inputs", layer.n_in), ("units", layer.n_out)):
        if count > _LARGEST_COUNT:
            raise SpecError(
                f"layer '{layer.name}' has too many {what}",
                where=f"[model], layer '{layer.name}'",
                found=f"{count:,} {what}; the generated code counts to {_LARGEST_COUNT:,}",
                help="split the layer, or give it less",
            )


def _formats(
    layer: WeightedLayer,
    context: DenseContext,
    loss: LossSpec,
    first: Weights | None,
    bound: float,
) -> _Formats:
    x_type = context.value_type
    if x_type == "f32":
        return _Formats("f32", "f32", "f32", 0, 1.0, 1.0, 0)
    weight_type: ValueType = context.learning.weights
    bits = weight_bits(weight_type, x_type, layer.n_in)
    if weight_type == "s16" and bits < _SMALLEST_WEIGHT_BITS:
        raise SpecError(
            f"layer '{layer.name}' can overflow its accumulator",
            where=f"[model], layer '{layer.name}'",
            found=f"{layer.n_in:,} inputs of s16 x s8 leave {bits} bits a weight; "
            "s32 holds 2,147,483,647",
            help='use weights = "s8" or activations = "s16", or split the layer',
        )
    y_type: ValueType = "s16" if context.is_last else x_type
    if loss.kind == "softmax_cross_entropy":
        y_scale = logit_scale(context.logit_shift)
    else:
        y_scale = context.full_scale / (INPUT_MAX[y_type])
    shift = 8 if x_type == "s16" else 0
    largest = float(np.abs(first.w).max()) if first is not None else bound
    scale = weight_scale(
        weight_type,
        bits,
        layer.n_in,
        largest,
        asked=context.learning.weight_range,
        trains=context.learning.trainable,
        all_dense=not any(isinstance(x, Conv2d | Memory | Recurrent) for x in context.graph.layers),
    )
    if first is not None:
        scale = with_room_for_biases(scale, first.b, context.x_scale * 2**shift)
    return _Formats(weight_type, x_type, y_type, bits, scale, y_scale, shift)


def _update_shift(formats: _Formats) -> int:
    if formats.weight_type == "f32":
        return 0
    return {"s16": 6, "s8": 13}[formats.weight_type] + formats.bias_shift


def _z_factor(
    layer: WeightedLayer, context: DenseContext, formats: _Formats, curve: Curve | None
) -> Requantize:
    unit = z_scale(curve, formats.y_type, formats.y_scale)
    factor = as_requantize(formats.weight_scale * context.x_scale / unit, max_shift=62)
    if factor is None:
        raise SpecError(
            f"the outputs of layer '{layer.name}' cannot be expressed in its inputs' units",
            where=f"[model], layer '{layer.name}'",
            found=f"weights in steps of {formats.weight_scale:.3g}, "
            f"inputs in steps of {context.x_scale:.3g}",
            help='scale the data, for example with scaling = "standard"',
        )
    return factor


def _accumulator(layer: WeightedLayer, formats: _Formats) -> Interval:
    reach = layer.n_in * 2**formats.weight_bits * INPUT_MAX[formats.x_type]
    reach += 2 ** (BIAS_BITS + formats.bias_shift)
    limit = 2**31 if formats.x_type == "s8" else 2**47
    if reach >= limit:
        raise SpecError(
            f"layer '{layer.name}' can overflow its accumulator",
            where=f"[model], layer '{layer.name}'",
            found=f"{layer.n_in:,} inputs reach {reach:,}; the accumulator holds {limit - 1:,}",
            help="split the layer",
        )
    return Interval(-reach, reach)


def _loss(layer: WeightedLayer, context: DenseContext) -> tuple[Loss, float, Projection | None]:
    spec, labels, learning = context.spec, context.graph.labels, context.learning
    if spec.rule.kind == "backprop" and not context.is_last:
        return Loss("backward"), 1.0, None
    projection = None
    if not context.is_last:
        projection = make_projection(spec, context.graph, layer, context.index)
    if projection is not None and projection.learns:
        label_scale = context.label_scale if learning.loss.kind == "projected_l2" else 1.0
        projection = with_rate(
            projection,
            learning.rate,
            units=context.full_scale * label_scale,
            layer=layer.name,
            is_open=learning.is_rate_open,
        )
    parameters, error_scale = make_loss(
        learning.loss,
        LossContext(
            layer=layer.name,
            n_target=layer.n_target,
            n_labels=labels.count,
            labels=labels.kind,
            activation=layer.activation,
            is_last=context.is_last,
            is_float=context.value_type == "f32",
            full_scale=context.full_scale,
            label_scale=context.label_scale,
            projection=projection.kind if projection else spec.projection.random_kind,
            target_scale=spec.projection.scale,
            largest_prototype=largest_prototype(context.graph, layer.name),
            logit_shift=context.logit_shift,
        ),
    )
    return parameters, error_scale, projection


def _rate(
    layer: WeightedLayer, context: DenseContext, formats: _Formats, rate: float, update_shift: int
) -> Requantize:
    return integer_rate(
        rate * context.x_scale / formats.weight_scale * 2.0 ** (update_shift - 14),
        layer=layer.name,
        asked=context.learning.rate,
        is_open=context.learning.is_rate_open,
    )


def _init(
    layer: WeightedLayer,
    context: DenseContext,
    formats: _Formats,
    first: Weights | None,
    bound: float,
) -> SeededInit | StoredInit:
    if first is None:
        seed = stream(context.spec.seed, Purpose.WEIGHTS, context.index)
        if formats.weight_type == "f32":
            return SeededInit(seed, float(to_binary32(bound / 2**15)))
        units = math.floor(bound / formats.weight_scale + 0.5)
        return SeededInit(seed, min(units, 2**formats.weight_bits - 1))
    if formats.weight_type == "f32":
        return StoredInit(to_binary32(first.w), to_binary32(first.b))
    limit = 2**formats.weight_bits
    bias_scale = formats.weight_scale * context.x_scale * 2**formats.bias_shift
    w = _round_clip(first.w / formats.weight_scale, -limit, limit - 1)
    b = _round_clip(first.b / bias_scale, -(2**BIAS_BITS), 2**BIAS_BITS)
    return StoredInit(w.astype(DTYPES[formats.weight_type]), b.astype("<i4"))


def _round_clip(values: NDArray[np.float64], low: int, high: int) -> NDArray[np.float64]:
    return np.clip(np.floor(values + 0.5), low, high)
