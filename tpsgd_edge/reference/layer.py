"""Protocols that layers offer to the reference, and the classes that offer them by format."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.formats import by_format
from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.quantize.model import (
    QuantizedLayer,
    QuantizedModel,
    QuantizedWeighted,
)
from tpsgd_edge.reference.binary32.conv2d import Binary32Conv2d
from tpsgd_edge.reference.binary32.dense import Binary32Dense
from tpsgd_edge.reference.binary32.functions import probability as binary32_probability
from tpsgd_edge.reference.binary32.gru import Binary32Gru
from tpsgd_edge.reference.binary32.join import Binary32Add, Binary32Concat
from tpsgd_edge.reference.binary32.lstm import Binary32Lstm
from tpsgd_edge.reference.binary32.memory import Binary32Memory
from tpsgd_edge.reference.binary32.norm import Binary32Norm
from tpsgd_edge.reference.binary32.pool import Binary32AveragePool, Binary32MaxPool
from tpsgd_edge.reference.binary32.rnn import Binary32Rnn
from tpsgd_edge.reference.integer.conv2d import IntegerConv2d
from tpsgd_edge.reference.integer.dense import IntegerDense
from tpsgd_edge.reference.integer.detector import IntegerDetector
from tpsgd_edge.reference.integer.gru import IntegerGru
from tpsgd_edge.reference.integer.join import IntegerAdd, IntegerConcat
from tpsgd_edge.reference.integer.lstm import IntegerLstm
from tpsgd_edge.reference.integer.memory import IntegerMemory
from tpsgd_edge.reference.integer.norm import IntegerNorm
from tpsgd_edge.reference.integer.pool import IntegerAveragePool, IntegerMaxPool
from tpsgd_edge.reference.integer.rnn import IntegerRnn
from tpsgd_edge.reference.integer.softmax import probability as integer_probability

T = TypeVar("T")


class ReferenceLayer(Protocol):
    """One layer. Values are int64 or float32."""

    def forward(self, *values: Any) -> Array:
        """The layer's outputs, shape (y_count,), of the values that it reads, flat."""


class WeightedLayer(ReferenceLayer, Protocol):
    """One layer with its state. Labels are `int` or an array of int64 or float32."""

    @property
    def layer(self) -> QuantizedWeighted:
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


class CarryingLayer(Protocol):
    """One layer that adds to scores."""

    def read_out(self, y: Any) -> Array:
        """Compute the scores (K,) that are read out of the outputs y (y_count,)."""

    def learn(
        self,
        x: Any,
        y: Any,
        label: Any,
        words: NDArray[np.uint32],
        decay: Any,
        *,
        total: Any,
    ) -> bool:
        """Update by y (y_count,) and the total (K,) of the scores so far."""


class GradientLayer(WeightedLayer, Protocol):
    """One layer that has an error passed to it, or passes its own on."""

    def meet_loss(
        self, y: Any, label: Any, words: NDArray[np.uint32], decay: Any
    ) -> tuple[Array, bool]:
        """Compute e (n_target,) of the layer's own loss; tell whether its read-out learned."""

    def of_units(self, e: Any, y: Any) -> Array:
        """Errors (y_count,) of units from those that the loss sees, (n_target,)."""

    def learn_from(self, e: Any, x: Any, y: Any, words: NDArray[np.uint32], decay: Any, /) -> bool:
        """One update by the errors e of the outputs y; whether anything may have changed."""


class RecurrentLayer(ReferenceLayer, Protocol):
    """One layer that reads sequences: `forward` is its next step; `learn` may follow a step."""

    def reset(self) -> None:
        """Begin a sequence."""


class DetectorLayer(ReferenceLayer, Protocol):
    """One layer that scores its input, with state of its own."""

    @property
    def parts(self) -> tuple[WeightedLayer, ...]:
        """The dense layers that it is made of."""

    def learn(self, x: Any, y: Any, label: Any, words: NDArray[np.uint32], decay: Any) -> bool:
        """Update by threshold and score y (2,); tell whether anything changed."""

    def own_tensors(self) -> dict[str, Array]:
        """Return the tensors beside weights and biases, by role, each (count,)."""

    def set_own(self, tensors: dict[str, Array]) -> None:
        """Set the tensors beside weights and biases, by role, each (count,)."""


class MemoryLayer(RecurrentLayer, Protocol):
    """One layer that keeps fixed states of what it reads."""

    @property
    def is_due(self) -> bool:
        """Tell whether it hands on after its latest input."""

    def output(self) -> Array:
        """Return what it hands on, shape (y_count,)."""


class GatedLayer(RecurrentLayer, Protocol):
    """A recurrent layer that is made of dense ones."""

    @property
    def parts(self) -> tuple[WeightedLayer, ...]:
        """The dense layers, whose state is that of the layer."""

    def learn(self, x: Any, y: Any, label: Any, words: NDArray[np.uint32], decay: Any) -> bool:
        """Update by the output y (n_out,); tell whether anything changed."""


def from_quantized(layer: QuantizedLayer, model: QuantizedModel) -> ReferenceLayer:
    """The layer with its constants at hand, and weights of zero."""
    key = layer.kind, layer.x_type
    if key in UNTRAINED:
        return UNTRAINED[key](layer)
    make = GATED.get(key) or DETECTORS.get(key) or WEIGHTED[key]
    return make(layer, model.labels.kind, model.labels.count)


def _kind(kind: str, integers: T, binary32: T) -> dict[tuple[str, str], T]:
    """The entries of one kind in a table by kind and format."""
    return {(kind, name): make for name, make in by_format(integers, binary32).items()}


MakeWeighted = Callable[[Any, str, int], WeightedLayer]
MakeUntrained = Callable[[Any], ReferenceLayer]

# By the layer's kind and the type of its inputs.
GATED: Mapping[tuple[str, str], Callable[[Any, str, int], GatedLayer]] = {
    **_kind("gru", IntegerGru.from_quantized, Binary32Gru.from_quantized),
    **_kind("lstm", IntegerLstm.from_quantized, Binary32Lstm.from_quantized),
}
# There are none in binary32.
DETECTORS: Mapping[tuple[str, str], Callable[[Any, str, int], DetectorLayer]] = {
    ("detector", "s8"): IntegerDetector.from_quantized,
    ("detector", "s16"): IntegerDetector.from_quantized,
}
WEIGHTED: Mapping[tuple[str, str], MakeWeighted] = {
    **_kind("dense", IntegerDense.from_quantized, Binary32Dense.from_quantized),
    **_kind("conv2d", IntegerConv2d.from_quantized, Binary32Conv2d.from_quantized),
    **_kind("rnn", IntegerRnn.from_quantized, Binary32Rnn.from_quantized),
}
UNTRAINED: Mapping[tuple[str, str], MakeUntrained] = {
    **_kind("max_pool", IntegerMaxPool.from_quantized, Binary32MaxPool.from_quantized),
    **_kind("average_pool", IntegerAveragePool.from_quantized, Binary32AveragePool.from_quantized),
    **_kind("memory", IntegerMemory.from_quantized, Binary32Memory.from_quantized),
    **_kind("norm", IntegerNorm, Binary32Norm),
    **_kind("add", IntegerAdd, Binary32Add),
    **_kind("concat", IntegerConcat, Binary32Concat),
}
PROBABILITY: Mapping[str, Callable[[Any, int, int], float]] = by_format(
    integer_probability, binary32_probability
)
