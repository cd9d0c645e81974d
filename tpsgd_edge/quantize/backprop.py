"""Numbers of layers to whom errors are passed (docs/ARITHMETIC.md, sections 18 and 26)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from tpsgd_edge.errors import SpecError
from tpsgd_edge.graph import Graph, Learning
from tpsgd_edge.quantize.binary32 import to_binary32
from tpsgd_edge.quantize.model import (
    FloatNumbers,
    FloatSteps,
    InputGradient,
    InputGradientF32,
    IntegerNumbers,
    IntegerSteps,
    Interval,
    QuantizedLayer,
    QuantizedPool,
    QuantizedWeighted,
    Steps,
)
from tpsgd_edge.quantize.rates import dead_zone, integer_rate

# What errors may grow by while a net learns.
_ROOM = 16
_LARGEST_SHIFT = 40
# Sums are exact in s64, and in the binary64 of the reference.
_LARGEST_SUM = 2**52


def with_passed_errors(
    graph: Graph, layers: Sequence[QuantizedLayer], reach: Mapping[str, float]
) -> list[QuantizedLayer]:
    """The layers with the scales of the errors that are passed down, and with rates for these.

    Args:
        reach: the largest error of each value that errors come to, in real numbers, by its name.
    """
    own, made = {layer.name: layer for layer in graph.weighted}, list(layers)
    places = {layer.name: place for place, layer in enumerate(graph.layers)}
    for block in graph.blocks:
        scale, area = made[places[block[0]]].units[0].learning.steps.error_scale, 1.0
        for name, below in zip(block, (*block[1:], ""), strict=True):
            layer = made[places[name]].loss_layer
            if layer is None:
                scale *= _share(cast(QuantizedPool, made[places[name]]))
                continue
            if name == block[0]:
                # The factor of its averages counts for all that its error comes to.
                area = own[name].target_area
            elif layer.trains:
                layer = _with_steps(layer, _steps(layer, own[name].learning, scale, area))
            if below:
                layer, scale = _with_input_gradient(layer, scale, reach[below])
            made[places[name]] = layer
    return made


def _share(layer: QuantizedPool) -> float:
    """Factor of the error scale from a pool's outputs to its inputs."""
    averages = layer.mode == "average" and layer.x_type != "f32"
    return 1 / math.prod(layer.kernel) if averages else 1.0


def _with_steps(layer: QuantizedWeighted, steps: Steps) -> QuantizedWeighted:
    return replace(layer, learning=replace(layer.learning, steps=steps))


def _steps(layer: QuantizedWeighted, learning: Learning, scale: float, area: float) -> Steps:
    """Steps of errors in units of `scale`, which the head of a block divides by `area`."""
    numbers, steps = layer.numbers, layer.learning.steps
    of_delta = scale * numbers.steepest
    if isinstance(steps, FloatSteps):
        zone = dead_zone(learning.dead_zone, of_delta, is_float=True)
        return FloatSteps(float(to_binary32(learning.rate / area)), zone)
    factor = (
        learning.rate
        / area
        * of_delta
        * numbers.x_scale
        / numbers.weight_scale
        * 2.0 ** (steps.update_shift - 14)
    )
    return IntegerSteps(
        rate=integer_rate(
            factor, layer=layer.name, asked=learning.rate, is_open=learning.is_rate_open
        ),
        update_shift=steps.update_shift,
        bias_one=steps.bias_one,
        dead_zone=int(dead_zone(learning.dead_zone, of_delta, is_float=False)),
        error_scale=scale,
    )


def _with_input_gradient(
    layer: QuantizedWeighted, scale: float, reach: float
) -> tuple[QuantizedWeighted, float]:
    """The layer that hands down its errors, in units of `scale`, and the unit of what it hands.

    Args:
        reach: the largest error of its inputs, in real numbers.
    """
    numbers, made = layer.numbers, InputGradientF32()
    if isinstance(numbers, FloatNumbers):
        return replace(layer, learning=replace(layer.learning, input_gradient=made)), scale
    unit = scale * numbers.steepest * numbers.weight_scale
    gradient = _input_gradient(layer, numbers, unit, reach)
    layer = replace(layer, learning=replace(layer.learning, input_gradient=gradient))
    return layer, unit * 2.0**gradient.shift


def _input_gradient(
    layer: QuantizedWeighted, numbers: IntegerNumbers, unit: float, reach: float
) -> InputGradient:
    rows = layer.shape.n_products
    largest = rows * 2 ** (numbers.weight_bits + 15)
    if largest >= _LARGEST_SUM:
        raise SpecError(
            f"layer '{layer.name}' can overflow the sums of the errors below it",
            where=f"[model], layer '{layer.name}'",
            found=f"{rows:,} weights for each input reach {largest:,}; "
            f"{_LARGEST_SUM - 1:,} is proved",
            help="split the layer, or give it a smaller kernel",
        )
    # An error of 2 * error_scale fills the s16; with the most shift none is ever clipped.
    asked = math.ceil(math.log2(max(reach, 2.0**-40) * _ROOM / (2 * unit)))
    most = min(_LARGEST_SHIFT, (largest - 1).bit_length() - 15)
    return InputGradient(max(1, min(asked, most)), Interval(-largest, largest))
