"""Recurrent layers in numbers: dense layers, and what they have beside."""

import math
from dataclasses import replace

from tpsgd_edge.errors import SpecError
from tpsgd_edge.graph import Dense, Gru, Rnn, Weights
from tpsgd_edge.graph.initial_weights import initial_weights
from tpsgd_edge.quantize.binary32 import to_binary32
from tpsgd_edge.quantize.dense import DenseContext, quantize_dense, quantize_sums, values_of
from tpsgd_edge.quantize.model import (
    QuantizedDense,
    QuantizedGru,
    QuantizedRnn,
    SeededInit,
    StoredInit,
)
from tpsgd_edge.quantize.scales import BIAS_BITS, INPUT_MAX

_LARGEST_SHIFT = 15
# Sums of a gru layer reach 8 in s16, as far as the table of sigmoid does.
_SUM_UNIT = 2.0**-12


def quantize_rnn(layer: Rnn, context: DenseContext) -> QuantizedRnn:
    """All integers of a recurrent layer: those of a dense layer from [x; own output], and leaks."""
    dense = quantize_dense(layer, context)
    return QuantizedRnn(
        **values_of(dense),
        leak_shifts=tuple(_shift(leak) for leak in layer.leaks),
        has_traces=layer.has_traces,
        own_shift=0 if dense.weight_type == "f32" else _own_shift(dense),
        input_bound=_input_bound(layer, dense),
        bias_bound=_bias_bound(layer, dense),
    )


def _shift(leak: float) -> int:
    return -math.frexp(leak)[1] + 1


def _own_shift(layer: QuantizedDense) -> int:
    """Shift by which the layer's own output gets the scale of its input."""
    ratio = math.log2(layer.x_scale / layer.y_scale)
    shift = round(ratio) + (8 if layer.x_type == "s8" else 0)
    if ratio != round(ratio) or not 0 <= round(ratio) <= shift <= _LARGEST_SHIFT:
        raise SpecError(
            f"the recurrent layer '{layer.name}' reads inputs and own outputs of unlike ranges",
            where=f"[model], layer '{layer.name}'",
            found=f"inputs up to {layer.x_scale * INPUT_MAX[layer.x_type]:g}, "
            f"outputs up to {layer.y_scale * INPUT_MAX[layer.y_type]:g}",
            help="outputs must not reach further: use tanh, or the activation of the layer below",
        )
    return shift


def _input_bound(layer: Rnn, dense: QuantizedDense) -> int | float:
    if isinstance(dense.init, StoredInit):
        return 0
    bound = float(dense.init.bound) * layer.input_gain / layer.recurrent_gain
    if dense.weight_type == "f32":
        return float(to_binary32(bound))
    most: int = (1 << dense.weight_bits) - 1
    return min(math.floor(bound + 0.5), most)


def _bias_bound(layer: Rnn, dense: QuantizedDense) -> int | float:
    if dense.weight_type == "f32":
        return float(to_binary32(layer.bias_range / 2**15))
    unit = dense.weight_scale * dense.x_scale * 2.0**dense.bias_shift
    return min(math.floor(layer.bias_range / unit + 0.5), 1 << BIAS_BITS)


def quantize_gru(layer: Gru, context: DenseContext) -> QuantizedGru:
    """All integers of a gated recurrent layer: those of its two dense units."""
    weights = initial_weights(context.graph, context.index, context.spec.seed)
    loss_layer = None
    if context.learning.trainable:
        dense = quantize_dense(layer, context)
        # It only has errors: its outputs are those of the gru.
        loss_layer = replace(
            dense, activation="linear", curve=None, numbers=(), init=SeededInit(0, 0)
        )
    own_scale = 1.0 if context.value_type == "f32" else 1 / INPUT_MAX[context.value_type]
    n_drawn = 0 if loss_layer is None else 3 * layer.n_out
    of_own = replace(context, x_scale=own_scale, unit_offset=context.unit_offset + n_drawn)
    n_rows = 3 * layer.n_out
    first_x = Weights(weights.w[:, : layer.n_x], weights.b[0])
    first_h = Weights(weights.w[:, layer.n_x :], weights.b[1])
    reads = Dense(f"{layer.name}_x", layer.n_x, n_rows, "linear")
    own = Dense(f"{layer.name}_h", layer.n_out, n_rows, "linear")
    return QuantizedGru(
        name=layer.name,
        reads=quantize_sums(reads, context, first_x, unit=_SUM_UNIT, loss_layer=loss_layer),
        own=quantize_sums(own, of_own, first_h, unit=_SUM_UNIT, loss_layer=loss_layer),
        reset_before=layer.reset_before,
        y_scale=own_scale,
        loss_layer=loss_layer,
    )
