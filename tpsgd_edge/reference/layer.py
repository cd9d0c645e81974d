"""What a layer has to offer to the reference, and who offers it for which format."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.quantize.model import QuantizedDense, Schedule
from tpsgd_edge.reference.binary32.dense import Binary32Dense
from tpsgd_edge.reference.integer.dense import IntegerDense

Array = NDArray[Any]


class ReferenceLayer(Protocol):
    """One layer with its state. Values are int64 or float32, labels `int` or such an array."""

    layer: QuantizedDense

    def forward(self, x: Any) -> Array:
        """The layer's outputs."""

    def probability(self, y: Any, label: Any) -> float:
        """Probability of the class, of a last layer's outputs."""

    def learn(self, x: Any, y: Any, label: Any, words: NDArray[np.uint32], step: int) -> bool:
        """One update; whether anything may have changed."""

    def weights(self) -> Array:
        """w, to read only."""

    def biases(self) -> Array:
        """b, to read only."""

    def set_state(self, w: Array, b: Array) -> None:
        """Take w and b."""


PREPARE: Mapping[str, Callable[[QuantizedDense, Schedule, str, int], ReferenceLayer]] = {
    "s8": IntegerDense.prepare,
    "s16": IntegerDense.prepare,
    "f32": Binary32Dense.prepare,
}
