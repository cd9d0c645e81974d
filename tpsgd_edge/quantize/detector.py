"""Numbers of detectors (docs/ARITHMETIC.md, section 25)."""

from dataclasses import replace

from tpsgd_edge.errors import SpecError
from tpsgd_edge.graph import Dense, Detector
from tpsgd_edge.graph.initial_weights import initial_bound, stored_weights
from tpsgd_edge.quantize.context import DenseContext
from tpsgd_edge.quantize.dense import check_counts
from tpsgd_edge.quantize.detectors import QuantizedDetector
from tpsgd_edge.quantize.integers import integer_init, integer_numbers, integer_steps
from tpsgd_edge.quantize.model import (
    DenseShape,
    IntegerNumbers,
    LayerLearning,
    Loss,
    QuantizedWeighted,
    Requantize,
    SeededInit,
    Weighted,
)
from tpsgd_edge.quantize.scales import INPUT_MAX, as_requantize

# Bits of the input below those of its score.
_SCORE_BITS = {"s8": 8, "s16": 0}
_DEVIATION_UNIT = 2.0**-12
_RATIO_STEP = 1 << 14
_LARGEST_SHIFT = 62


def quantize_detector(layer: Detector, context: DenseContext) -> QuantizedDetector:
    """All numbers of a detector.

    Raises:
        SpecError: more inputs than can be proved, or a learning rate out of reach.
    """
    check_counts(layer)
    code = _code(layer, context) if layer.has_units else None
    share = layer.false_alarms
    return QuantizedDetector(
        name=layer.name,
        n_in=layer.n_in,
        code=code,
        back=None if code is None else _back(layer.name, code),
        mean=_factor(layer.name, 1 / layer.n_in),
        up=round(_RATIO_STEP * (1 - share)),
        down=round(_RATIO_STEP * share),
        loss_layer=_loss_layer(layer, context, code),
    )


def _code(layer: Detector, context: DenseContext) -> QuantizedWeighted:
    """The units, whose outputs are s16 in Q15 of R."""
    first = stored_weights(context.graph, context.index, context.spec.seed)
    bound = initial_bound(context.graph, context.index)
    unit = context.full_scale / INPUT_MAX["s16"]
    dense = Dense(layer.name, layer.n_in, layer.n_out, "linear", learning=layer.learning)
    numbers = integer_numbers(dense, context, first, bound, unit=unit)
    rate, scale = context.learning.rate, context.full_scale
    steps = integer_steps(dense, context, numbers, rate * scale, error_scale=scale)
    return Weighted(
        name=layer.name,
        shape=DenseShape(layer.n_in, layer.n_out),
        activation="linear",
        numbers=numbers,
        learning=LayerLearning(
            Loss("reconstruction"), None, replace(steps, bias_one=0), context.unit_offset
        ),
        init=integer_init(numbers, context, first, bound),
        is_last=True,
    )


def _back(name: str, code: QuantizedWeighted) -> Requantize:
    numbers = code.numbers
    return _factor(name, numbers.y_scale * numbers.weight_scale / numbers.x_scale)


def _factor(name: str, factor: float) -> Requantize:
    found = as_requantize(factor, max_shift=_LARGEST_SHIFT)
    if found is None:
        raise SpecError(
            f"the numbers of the detector '{name}' cannot be expressed",
            where=f"[model], layer '{name}'",
            found=f"a factor of {factor:.3g}",
            help='scale the data, for example with scaling = "standard"',
        )
    return found


def _loss_layer(
    layer: Detector, context: DenseContext, code: QuantizedWeighted | None
) -> QuantizedWeighted:
    """The outputs as those of a layer; it has no weights of its own."""
    outputs = Dense(layer.name, layer.n_in, layer.y_count, "linear", learning=layer.learning)
    unit = _DEVIATION_UNIT
    if code is not None:
        unit = context.x_scale / 2.0 ** _SCORE_BITS[context.value_type]
    numbers = code.numbers if code else integer_numbers(outputs, context, None, 1.0, unit=unit)
    assert isinstance(numbers, IntegerNumbers)
    return Weighted(
        name=layer.name,
        shape=DenseShape(layer.n_in, layer.y_count),
        activation="linear",
        numbers=replace(numbers, y_scale=unit),
        learning=LayerLearning(
            Loss("reconstruction"),
            None,
            integer_steps(outputs, context, numbers, None),
            context.unit_offset,
        ),
        init=SeededInit(0, 0),
        is_last=True,
    )
