"""Numbers that layers need to train by backpropagation (docs/ARITHMETIC.md, section 18)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tpsgd_edge.errors import SpecError
from tpsgd_edge.graph import Graph, Learning
from tpsgd_edge.quantize.binary32 import to_binary32
from tpsgd_edge.quantize.model import (
    InputGradient,
    Interval,
    QuantizedConv2d,
    QuantizedDense,
    QuantizedLayer,
    QuantizedPool,
)
from tpsgd_edge.quantize.rates import dead_zone, integer_rate

# What errors may grow by while a net learns.
_ROOM = 16
_LARGEST_SHIFT = 40
# Sums are exact in s64, and in the binary64 of the reference.
_LARGEST_SUM = 2**52


def with_backward_pass(
    graph: Graph, layers: Sequence[QuantizedLayer], reach: Mapping[str, float]
) -> list[QuantizedLayer]:
    """The layers with the scales of their errors, and with rates for these.

    Args:
        reach: the largest error of each value but the last one, in real numbers, by its name.
    """
    edges, learning = graph.edges, {la.name: la.learning for la in graph.weighted}
    made, last = list(layers), layers[-1]
    assert isinstance(last, QuantizedDense)
    trained = [i for i, la in enumerate(layers) if isinstance(la, QuantizedDense) and la.trains]
    scale = last.error_scale
    for index in range(len(layers) - 1, trained[0] - 1, -1):
        layer = layers[index]
        if isinstance(layer, QuantizedPool):
            scale *= _share(layer)
            continue
        assert isinstance(layer, QuantizedDense)
        layer = _with_scale(layer, learning[layer.name], scale)
        if index > trained[0]:
            layer = replace(
                layer, input_gradient=_input_gradient(layer, reach[edges.input_of(layer.name)])
            )
            scale = _input_gradient_scale(layer)
        made[index] = layer
    return made


def _share(layer: QuantizedPool) -> float:
    """Factor of the error scale from a pool's outputs to its inputs."""
    averages = layer.mode == "average" and layer.x_type != "f32"
    return 1 / math.prod(layer.kernel) if averages else 1.0


def _with_scale(layer: QuantizedDense, learning: Learning, scale: float) -> QuantizedDense:
    is_float = layer.weight_type == "f32"
    of_delta = scale * layer.steepest
    zone = dead_zone(learning.dead_zone, of_delta, is_float=is_float)
    if is_float:
        return replace(layer, dead_zone=zone, rate_f32=float(to_binary32(learning.rate)))
    factor = (
        learning.rate
        * of_delta
        * layer.x_scale
        / layer.weight_scale
        * 2.0 ** (layer.update_shift - 14)
    )
    return replace(
        layer,
        error_scale=scale,
        dead_zone=zone,
        rate=integer_rate(
            factor, layer=layer.name, asked=learning.rate, is_open=learning.is_rate_open
        ),
    )


def _input_gradient(layer: QuantizedDense, reach: float) -> InputGradient:
    if layer.weight_type == "f32":
        return InputGradient()
    largest = _rows(layer) * 2 ** (layer.weight_bits + 15)
    if largest >= _LARGEST_SUM:
        raise SpecError(
            f"layer '{layer.name}' can overflow the sums of the errors below it",
            where=f"[model], layer '{layer.name}'",
            found=f"{_rows(layer):,} weights for each input reach {largest:,}; "
            f"{_LARGEST_SUM - 1:,} is proved",
            help="split the layer, or give it a smaller kernel",
        )
    # An error of 2 * error_scale fills the s16; with the most shift none is ever clipped.
    unit = 2 * layer.error_scale * layer.steepest * layer.weight_scale
    asked = math.ceil(math.log2(max(reach, 2.0**-40) * _ROOM / unit))
    most = min(_LARGEST_SHIFT, (largest - 1).bit_length() - 15)
    return InputGradient(max(1, min(asked, most)), Interval(-largest, largest))


def _rows(layer: QuantizedDense) -> int:
    """Products in a sum, at most."""
    if isinstance(layer, QuantizedConv2d):
        geometry = layer.geometry
        return math.prod(geometry.kernel) * layer.n_out // geometry.groups
    return layer.n_out


def _input_gradient_scale(layer: QuantizedDense) -> float:
    if layer.input_gradient is None or layer.weight_type == "f32":
        return layer.error_scale
    return layer.error_scale * layer.steepest * layer.weight_scale * 2.0**layer.input_gradient.shift
