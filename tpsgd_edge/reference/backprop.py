"""Errors that layers pass to those below (docs/ARITHMETIC.md, sections 18 and 26)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.quantize.model import QuantizedModel
from tpsgd_edge.reference.binary32 import input_gradient as binary32
from tpsgd_edge.reference.binary32.update import delta_of as binary32_delta
from tpsgd_edge.reference.integer import input_gradient as integer
from tpsgd_edge.reference.integer.update import delta_of as integer_delta


def backward_errors(
    model: QuantizedModel,
    layers: Sequence[Any],
    values: Sequence[Array],
    way: Sequence[int],
    e: Array,
) -> Iterator[tuple[int, Array]]:
    """Yield the errors of each layer's outputs that they reach on their way down.

    Each layer may be updated before the next error is asked for.

    Args:
        layers: of the reference, all of the model's.
        values: x, then the outputs of each layer.
        way: layers that errors stop at, from the one whose own loss they begin with.
        e: the errors of that one, (n_target,).
    """
    is_float = model.value_type == "f32"
    table = BINARY32 if is_float else INTEGER
    delta_of: Callable[[Any, Any, Any], Array] = binary32_delta if is_float else integer_delta
    reads = model.edges.places()
    for index in way:
        numbers, x, y = model.layers[index], values[reads[index][0]], values[index + 1]
        # Before the layer is updated.
        e_x = None
        if index != way[-1]:
            errors = e
            if numbers.units:
                errors = delta_of(numbers, layers[index].of_units(e, y), y)
            e_x = table[numbers.kind](layers[index], errors, x, y)
        yield index, e
        if e_x is not None:
            e = e_x


# By the layer's kind. Arguments: the layer, delta or e of its outputs, its inputs, its outputs.
INTEGER: Mapping[str, Callable[[Any, Any, Any, Any], Array]] = {
    "dense": integer.dense_input_gradient,
    "conv2d": integer.conv2d_input_gradient,
    "max_pool": integer.max_pool_input_gradient,
    "average_pool": integer.average_pool_input_gradient,
}
BINARY32: Mapping[str, Callable[[Any, Any, Any, Any], Array]] = {
    "dense": binary32.dense_input_gradient,
    "conv2d": binary32.conv2d_input_gradient,
    "max_pool": binary32.max_pool_input_gradient,
    "average_pool": binary32.average_pool_input_gradient,
}
