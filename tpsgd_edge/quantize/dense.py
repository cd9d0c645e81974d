"""Layers with weights in numbers: their shapes, and their parts in integers or in binary32."""

import numpy as np

from tpsgd_edge.arithmetic.random import Purpose, stream
from tpsgd_edge.errors import SpecError
from tpsgd_edge.graph import Conv2d, Dense, WeightedLayer, Weights, is_adaptor
from tpsgd_edge.graph.initial_weights import initial_bound, stored_weights
from tpsgd_edge.quantize.binary32 import to_binary32
from tpsgd_edge.quantize.context import DenseContext
from tpsgd_edge.quantize.integers import integer_init, integer_numbers, integer_steps
from tpsgd_edge.quantize.losses import LossContext, make_loss
from tpsgd_edge.quantize.model import (
    Conv2dShape,
    DenseShape,
    FloatNumbers,
    FloatSteps,
    LayerLearning,
    LayerNumbers,
    Loss,
    Projection,
    QuantizedWeighted,
    SeededInit,
    Steps,
    StoredInit,
    Weighted,
    WeightedShape,
)
from tpsgd_edge.quantize.projection import largest_prototype, make_projection
from tpsgd_edge.quantize.rates import dead_zone, with_rate
from tpsgd_edge.quantize.scales import negative_slope
from tpsgd_edge.spec import carries_scores

_LARGEST_COUNT = 65_535
# Numbers of a unit, how it steps, and what it starts with.
_Unit = tuple[LayerNumbers, Steps, SeededInit | StoredInit]


def quantize_dense(layer: Dense, context: DenseContext) -> QuantizedWeighted:
    """All numbers of a fully connected layer."""
    return quantize_weighted(layer, DenseShape(layer.n_in, layer.n_out), context)


def quantize_conv2d(layer: Conv2d, context: DenseContext) -> QuantizedWeighted:
    """All numbers of a convolution: those of a dense unit from a patch."""
    shape = Conv2dShape(
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
    return quantize_weighted(layer, shape, context)


def quantize_weighted(
    layer: WeightedLayer, shape: WeightedShape, context: DenseContext
) -> QuantizedWeighted:
    """All numbers of a layer with weights.

    Raises:
        SpecError: more inputs than the accumulator can be proved for, a learning rate out of reach.
    """
    check_counts(layer)
    is_float = context.value_type == "f32"
    loss, error_scale, projection = _loss(layer, context)
    numbers, steps, init = (_unit_f32 if is_float else _unit)(layer, context, loss, error_scale)
    return Weighted(
        name=layer.name,
        shape=shape,
        activation=layer.activation,
        settings=tuple(float(np.float32(n)) if is_float else n for n in layer.numbers),
        residual=is_adaptor(layer),
        numbers=numbers,
        learning=LayerLearning(
            loss, projection, steps, context.unit_offset, context.learning.trainable
        ),
        init=init,
        is_last=context.is_last,
    )


def _unit(layer: WeightedLayer, context: DenseContext, loss: Loss, error_scale: float) -> _Unit:
    learning = context.learning
    first = stored_weights(context.graph, context.index, context.spec.seed)
    bound = initial_bound(context.graph, context.index)
    gain = layer.input_gain / layer.recurrent_gain
    numbers = integer_numbers(layer, context, first, bound * max(gain, 1.0))
    scale = error_scale * numbers.steepest
    # Weights of 4 bits have no rate: they never change.
    is_kept = learning.weights == "s4"
    # On a map times 1 / (mean area of the windows): section 14.
    rate = learning.rate / layer.target_area
    steps = integer_steps(
        layer,
        context,
        numbers,
        rate * error_scale * numbers.steepest if loss.is_local and not is_kept else None,
        dead_zone=int(dead_zone(learning.dead_zone, scale, is_float=False)),
        error_scale=error_scale,
    )
    return numbers, steps, integer_init(numbers, context, first, bound)


def _unit_f32(layer: WeightedLayer, context: DenseContext, loss: Loss, error_scale: float) -> _Unit:
    learning = context.learning
    first = stored_weights(context.graph, context.index, context.spec.seed)
    bound = initial_bound(context.graph, context.index)
    zone = dead_zone(learning.dead_zone, error_scale, is_float=True)
    steps = FloatSteps(float(to_binary32(learning.rate / layer.target_area)), zone)
    numbers = FloatNumbers(float(negative_slope(layer.activation, layer.numbers, "f32")))
    return numbers, steps, _init_f32(context, first, bound)


def quantize_sums(
    layer: Dense,
    context: DenseContext,
    first: Weights,
    *,
    unit: float,
    loss_layer: QuantizedWeighted | None = None,
) -> QuantizedWeighted:
    """A linear layer inside of another one: s16 in steps of `unit`, with the weights `first`.

    Where it learns, it has its errors from the loss of `loss_layer`.
    """
    check_counts(layer)
    make = _sums_f32 if context.value_type == "f32" else _sums
    numbers, steps, init = make(layer, context, first, unit, loss_layer)
    return Weighted(
        name=layer.name,
        shape=DenseShape(layer.n_in, layer.n_out),
        activation="linear",
        numbers=numbers,
        learning=LayerLearning(
            Loss("backward"), None, steps, context.unit_offset, trains=loss_layer is not None
        ),
        init=init,
        is_last=False,
    )


def _sums(
    layer: Dense,
    context: DenseContext,
    first: Weights,
    unit: float,
    loss_layer: QuantizedWeighted | None,
) -> _Unit:
    numbers = integer_numbers(layer, context, first, 0.0, unit=unit)
    rate, zone = None, 0
    if loss_layer is not None:
        own = loss_layer.learning.steps
        rate, zone = context.learning.rate * own.error_scale, int(own.dead_zone)
    steps = integer_steps(layer, context, numbers, rate, dead_zone=zone)
    return numbers, steps, integer_init(numbers, context, first, 0.0)


def _sums_f32(
    layer: Dense,
    context: DenseContext,
    first: Weights,
    unit: float,
    loss_layer: QuantizedWeighted | None,
) -> _Unit:
    steps = FloatSteps(0.0)
    if loss_layer is not None:
        zone = loss_layer.learning.steps.dead_zone
        steps = FloatSteps(float(to_binary32(context.learning.rate)), zone)
    # Ids of models know the slope of linear sums in Q15, where nothing reads it.
    return FloatNumbers(negative_slope=2.0**15), steps, _init_f32(context, first, 0.0)


def check_counts(layer: WeightedLayer) -> None:
    """Refuse a layer whose counts do not fit into 16 bits, as the generated code needs.

    Raises:
        SpecError: too many inputs or units.
    """
    for what, count in (("inputs", layer.n_in), ("units", layer.n_out)):
        if count > _LARGEST_COUNT:
            raise SpecError(
                f"layer '{layer.name}' has too many {what}",
                where=f"[model], layer '{layer.name}'",
                found=f"{count:,} {what}; the generated code counts to {_LARGEST_COUNT:,}",
                help="split the layer, or give it less",
            )


def _loss(layer: WeightedLayer, context: DenseContext) -> tuple[Loss, float, Projection | None]:
    spec, labels, learning = context.spec, context.graph.labels, context.learning
    follows = spec.rule.kind == "backprop" and not context.is_last
    if follows or learning.is_passed:
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
            is_float=context.value_type == "f32",
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
            is_carried=carries_scores(spec, labels.kind),
        ),
    )
    return parameters, error_scale, projection


def _init_f32(
    context: DenseContext, first: Weights | None, bound: float
) -> SeededInit | StoredInit:
    """First weights in binary32: `first`, or drawn ones up to `bound`."""
    if first is None:
        seed = stream(context.spec.seed, Purpose.WEIGHTS, context.index)
        return SeededInit(seed, float(to_binary32(bound / 2**15)))
    return StoredInit(to_binary32(first.w), to_binary32(first.b))
