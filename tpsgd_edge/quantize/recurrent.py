"""Recurrent layers in numbers: dense layers, and what they have beside."""

import math
from dataclasses import dataclass, replace

from tpsgd_edge.arithmetic.formats import FORMATS
from tpsgd_edge.errors import SpecError
from tpsgd_edge.graph import Dense, Gated, Gru, Lstm, Rnn, Weights
from tpsgd_edge.graph.initial_weights import initial_weights
from tpsgd_edge.quantize.binary32 import to_binary32
from tpsgd_edge.quantize.context import DenseContext
from tpsgd_edge.quantize.dense import quantize_sums, quantize_weighted
from tpsgd_edge.quantize.model import (
    DenseShape,
    FloatNumbers,
    IntegerNumbers,
    LayerNumbers,
    QuantizedGru,
    QuantizedLstm,
    QuantizedWeighted,
    RecurrentBounds,
    RnnShape,
    SeededInit,
    ValueType,
)
from tpsgd_edge.quantize.scales import BIAS_BITS, INPUT_MAX

_LARGEST_SHIFT = 15
# Sums of a gated layer reach 8 in s16, as far as the table of sigmoid does.
_SUM_UNIT = 2.0**-12
# A forget gate below 1 keeps a cell within 2^15, in steps of 2^-15; in binary32, a sum with 1 no
# longer grows from 2^24 on.
CELL_MAX = 2**30
_CELL_MAX_F32 = 2.0**24


def quantize_rnn(layer: Rnn, context: DenseContext) -> QuantizedWeighted:
    """All numbers of a recurrent layer: those of a dense unit from [x; own output], and leaks."""
    leaks = tuple(_shift(leak) for leak in layer.leaks)
    shape = RnnShape(layer.n_x, layer.n_out, leaks, layer.has_traces)
    made = quantize_weighted(layer, shape, context)
    numbers = made.numbers
    if isinstance(numbers, IntegerNumbers):
        numbers = replace(numbers, own_shift=_own_shift(layer.name, numbers))
    init = made.init
    if isinstance(init, SeededInit):
        init = replace(init, recurrent=_bounds(layer, numbers, float(init.bound)))
    return replace(made, numbers=numbers, init=init)


def _shift(leak: float) -> int:
    return -math.frexp(leak)[1] + 1


def _own_shift(layer: str, numbers: IntegerNumbers) -> int:
    """Shift by which the layer's own output gets the scale of its input."""
    ratio = math.log2(numbers.x_scale / numbers.y_scale)
    shift = round(ratio) + FORMATS[numbers.x_type].below_q15
    if ratio != round(ratio) or not 0 <= round(ratio) <= shift <= _LARGEST_SHIFT:
        raise SpecError(
            f"the recurrent layer '{layer}' reads inputs and own outputs of unlike ranges",
            where=f"[model], layer '{layer}'",
            found=f"inputs up to {numbers.x_scale * INPUT_MAX[numbers.x_type]:g}, "
            f"outputs up to {numbers.y_scale * INPUT_MAX[numbers.y_type]:g}",
            help="outputs must not reach further: use tanh, or the activation of the layer below",
        )
    return shift


def _bounds(layer: Rnn, numbers: LayerNumbers, bound: float) -> RecurrentBounds:
    """Bounds of first weights of the inputs and of first biases."""
    if isinstance(numbers, FloatNumbers):
        return _bounds_f32(layer, bound)
    most: int = (1 << numbers.weight_bits) - 1
    of_inputs = min(math.floor(bound * layer.input_gain / layer.recurrent_gain + 0.5), most)
    of_biases = math.floor(layer.bias_range / numbers.bias_scale + 0.5)
    return RecurrentBounds(of_inputs, min(of_biases, 1 << BIAS_BITS))


def _bounds_f32(layer: Rnn, bound: float) -> RecurrentBounds:
    of_inputs = bound * layer.input_gain / layer.recurrent_gain
    of_biases = layer.bias_range / 2**15
    return RecurrentBounds(float(to_binary32(of_inputs)), float(to_binary32(of_biases)))


def quantize_gru(layer: Gru, context: DenseContext) -> QuantizedGru:
    """All numbers of a gated recurrent layer: those of its two dense units."""
    made = _gated(layer, context)
    return QuantizedGru(
        name=layer.name,
        reads=made.reads,
        own=made.own,
        reset_before=layer.reset_before,
        y_scale=made.y_scale,
        loss_layer=made.loss_layer,
    )


def quantize_lstm(layer: Lstm, context: DenseContext) -> QuantizedLstm:
    """All numbers of a layer of long short-term memory: those of its two dense units."""
    made = _gated(layer, context)
    return QuantizedLstm(
        name=layer.name,
        reads=made.reads,
        own=made.own,
        y_scale=made.y_scale,
        cell_max=_cell_max(layer, context.value_type),
        loss_layer=made.loss_layer,
    )


def _cell_max(layer: Lstm, value_type: ValueType) -> float:
    """Bound of the cells; where none is asked for, one that they never pass."""
    if value_type == "f32":
        return float(to_binary32(_CELL_MAX_F32 if layer.cell_clip is None else layer.cell_clip))
    return CELL_MAX if layer.cell_clip is None else max(1, round(layer.cell_clip * 2**15))


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts that all gated layers have."""

    reads: QuantizedWeighted
    own: QuantizedWeighted
    y_scale: float
    loss_layer: QuantizedWeighted | None


def _gated(layer: Gated, context: DenseContext) -> _Parts:
    weights = initial_weights(context.graph, context.index, context.spec.seed)
    loss_layer = None
    if context.learning.trainable:
        # It only has errors: its outputs are those of the gated layer.
        outputs = DenseShape(layer.n_x + layer.n_out, layer.n_out)
        made = quantize_weighted(layer, outputs, context)
        loss_layer = replace(
            made,
            activation="linear",
            settings=(),
            numbers=_without_curve(made.numbers),
            init=SeededInit(0, 0),
        )
    n_rows = layer.gates * layer.n_out
    own_scale = 1.0 if context.value_type == "f32" else 1 / INPUT_MAX[context.value_type]
    n_drawn = 0 if loss_layer is None else n_rows
    of_own = replace(context, x_scale=own_scale, unit_offset=context.unit_offset + n_drawn)
    first_x = Weights(weights.w[:, : layer.n_x], weights.b[0])
    first_h = Weights(weights.w[:, layer.n_x :], weights.b[1])
    reads = Dense(f"{layer.name}_x", layer.n_x, n_rows, "linear")
    own = Dense(f"{layer.name}_h", layer.n_out, n_rows, "linear")
    return _Parts(
        reads=quantize_sums(reads, context, first_x, unit=_SUM_UNIT, loss_layer=loss_layer),
        own=quantize_sums(own, of_own, first_h, unit=_SUM_UNIT, loss_layer=loss_layer),
        y_scale=own_scale,
        loss_layer=loss_layer,
    )


def _without_curve(numbers: LayerNumbers) -> LayerNumbers:
    return replace(numbers, curve=None) if isinstance(numbers, IntegerNumbers) else numbers
