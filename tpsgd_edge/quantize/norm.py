"""Numbers of layers that normalize (docs/ARITHMETIC.md, section 30)."""

import math
from collections.abc import Sequence

from tpsgd_edge.graph import Norm
from tpsgd_edge.quantize.binary32 import to_binary32
from tpsgd_edge.quantize.model import QuantizedNorm, ValueType
from tpsgd_edge.quantize.scales import INPUT_MAX

_LARGEST_EPSILON = 2**62


def quantize_norm(
    layer: Norm, value_type: ValueType, x_scales: Sequence[float], full_scale: float
) -> QuantizedNorm:
    """A layer that normalizes, in numbers.

    Args:
        x_scales: of the value that it reads.
        full_scale: R of the outputs.
    """
    count = layer.group_size
    epsilon, y_scale, bits = float(to_binary32(layer.epsilon)), 1.0, 0
    if value_type != "f32":
        y_scale = max(full_scale, 1.0) / INPUT_MAX[value_type]
        bits = -math.frexp(y_scale)[1] + 1
        in_power = round(layer.epsilon * (count / x_scales[0]) ** 2)
        epsilon = min(max(in_power, 1), _LARGEST_EPSILON)
    return QuantizedNorm(
        name=layer.name,
        y_shape=layer.y_shape,
        group_size=count,
        centered=layer.centered,
        x_type=value_type,
        y_scale=y_scale,
        epsilon=epsilon,
        unit_bits=bits,
    )
