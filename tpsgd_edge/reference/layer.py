"""Protocols that layers offer to the reference, and the classes that offer them by format."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.quantize.model import (
    QuantizedDense,
    QuantizedLayer,
    QuantizedModel,
)
from tpsgd_edge.reference.binary32.conv2d import Binary32Conv2d
from tpsgd_edge.reference.binary32.dense import Binary32Dense
from tpsgd_edge.reference.binary32.functions import probability as binary32_probability
from tpsgd_edge.reference.binary32.gru import Binary32Gru
from tpsgd_edge.reference.binary32.join import Binary32Add, Binary32Concat
from tpsgd_edge.reference.binary32.pool import Binary32AveragePool, Binary32MaxPool
from tpsgd_edge.reference.binary32.rnn import Binary32Rnn
from tpsgd_edge.reference.integer.conv2d import IntegerConv2d
from tpsgd_edge.reference.integer.dense import IntegerDense
from tpsgd_edge.reference.integer.gru import IntegerGru
from tpsgd_edge.reference.integer.join import IntegerAdd, IntegerConcat
from tpsgd_edge.reference.integer.pool import IntegerAveragePool, IntegerMaxPool
from tpsgd_edge.reference.integer.rnn import IntegerRnn
from tpsgd_edge.reference.integer.softmax import probability as integer_probability


class ReferenceLayer(Protocol):
    """One layer. Values are int64 or float32."""

    def forward(self, *values: Any) -> Array:
        """The layer's outputs, shape (y_count,), of the values that it reads, flat."""


class TrainedLayer(ReferenceLayer, Protocol):
    """One layer with its state. Labels are `int` or an array of int64 or float32."""

    @property
    def layer(self) -> QuantizedDense:
        """The numbers of the layer."""

    def learn(self, x: Any, y: Any, label: Any, words: NDArray[np.uint32], decay: Any) -> bool:
        """Update by y (y_count,) with learning rates times `decay`; tell if anything changed."""

    def weights(self) -> Array:
        """Return w (n_out, n_in), to read only."""

    def biases(self) -> Array:
        """Return b (n_out,), to read only."""

    def set_state(self, w: Array, b: Array) -> None:
        """Set w (n_out, n_in) and b (n_out,)."""

    def set_readout(self, p: Array) -> None:
        """Set P (n_target, K), if it learns."""

    def readout(self) -> Array:
        """Return P (n_target, K), to read only, if it learns."""


class GradientLayer(TrainedLayer, Protocol):
    """One layer that backpropagation reaches."""

    def error(self, y: Any, label: Any) -> Array:
        """Compute e (n_out,) of the layer's own loss, that of the last layer."""

    def learn_from(self, e: Any, x: Any, y: Any, words: NDArray[np.uint32], decay: Any, /) -> bool:
        """One update by the errors e of the outputs y; whether anything may have changed."""


class RecurrentLayer(ReferenceLayer, Protocol):
    """One layer that reads sequences: `forward` is its next step; `learn` may follow a step."""

    def reset(self) -> None:
        """Begin a sequence."""


class GatedLayer(RecurrentLayer, Protocol):
    """A recurrent layer that is made of dense ones."""

    @property
    def units(self) -> tuple[TrainedLayer, ...]:
        """The dense layers, whose state is that of the layer."""

    def learn(self, x: Any, y: Any, label: Any, words: NDArray[np.uint32], decay: Any) -> bool:
        """Update by the output y (n_out,); tell whether anything changed."""


def prepare(layer: QuantizedLayer, model: QuantizedModel) -> ReferenceLayer:
    """The layer with its constants at hand, and weights of zero."""
    key = layer.kind, layer.x_type
    untrained = POOLS.get(key) or JOINS.get(key)
    if untrained is not None:
        return untrained(layer)
    make = GATED.get(key) or TRAINED[key]
    return make(layer, model.labels.kind, model.labels.count)


# By the layer's kind and the type of its inputs.
GATED: Mapping[tuple[str, str], Callable[[Any, str, int], GatedLayer]] = {
    ("gru", "s8"): IntegerGru.prepare,
    ("gru", "s16"): IntegerGru.prepare,
    ("gru", "f32"): Binary32Gru.prepare,
}
TRAINED: Mapping[tuple[str, str], Callable[[Any, str, int], TrainedLayer]] = {
    ("dense", "s8"): IntegerDense.prepare,
    ("dense", "s16"): IntegerDense.prepare,
    ("dense", "f32"): Binary32Dense.prepare,
    ("conv2d", "s8"): IntegerConv2d.prepare,
    ("conv2d", "s16"): IntegerConv2d.prepare,
    ("conv2d", "f32"): Binary32Conv2d.prepare,
    ("rnn", "s8"): IntegerRnn.prepare,
    ("rnn", "s16"): IntegerRnn.prepare,
    ("rnn", "f32"): Binary32Rnn.prepare,
}
POOLS: Mapping[tuple[str, str], Callable[[Any], ReferenceLayer]] = {
    ("max_pool", "s8"): IntegerMaxPool.prepare,
    ("max_pool", "s16"): IntegerMaxPool.prepare,
    ("max_pool", "f32"): Binary32MaxPool.prepare,
    ("average_pool", "s8"): IntegerAveragePool.prepare,
    ("average_pool", "s16"): IntegerAveragePool.prepare,
    ("average_pool", "f32"): Binary32AveragePool.prepare,
}
JOINS: Mapping[tuple[str, str], Callable[[Any], ReferenceLayer]] = {
    ("add", "s8"): IntegerAdd,
    ("add", "s16"): IntegerAdd,
    ("add", "f32"): Binary32Add,
    ("concat", "s8"): IntegerConcat,
    ("concat", "s16"): IntegerConcat,
    ("concat", "f32"): Binary32Concat,
}
PROBABILITY: Mapping[str, Callable[[Any, int, int], float]] = {
    "s8": integer_probability,
    "s16": integer_probability,
    "f32": binary32_probability,
}
