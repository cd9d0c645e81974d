"""The memory in integers (docs/ARITHMETIC.md, section 23)."""

from dataclasses import dataclass

import numpy as np

from tpsgd_edge.arithmetic.ops import Int64, clip, rshift_round, widen
from tpsgd_edge.quantize.model import QuantizedMemory, limits
from tpsgd_edge.reference.integer.rnn import toward


@dataclass(slots=True, eq=False)
class IntegerMemory:
    """Leaky means or cosine sums of each channel.

    Attributes:
        state: shape (channels, states).
        count: how many inputs there were since the start of the sequence.
    """

    layer: QuantizedMemory
    state: Int64
    count: int = 0

    @classmethod
    def from_quantized(cls, layer: QuantizedMemory) -> "IntegerMemory":
        """The layer before a sequence."""
        return cls(layer, np.zeros((layer.channels, layer.states), np.int64))

    def reset(self) -> None:
        """Begin a sequence."""
        self.state, self.count = np.zeros_like(self.state), 0

    @property
    def is_due(self) -> bool:
        """Tell whether the layer hands on after its latest input."""
        return (self.layer.length - self.count) % self.layer.every == 0

    def forward(self, x: Int64) -> Int64:
        """Take the next input x (channels,), or all of a map, and return what it hands on."""
        if self.layer.reads_map:
            self.reset()
        for now in widen(x).reshape(-1, self.layer.channels):
            self._take(now[:, np.newaxis])
        return self.output()

    def _take(self, x: Int64) -> None:
        layer = self.layer
        if layer.leak_shifts:
            self.state = toward(self.state, x << layer.mean_bits, np.array(layer.leak_shifts))
        elif self.count < layer.length:
            cosines = layer.cosines[self.count].astype(np.int64)
            self.state = self.state + rshift_round(x * cosines, layer.sum_shift)
        self.count += 1

    def output(self) -> Int64:
        """Return what it hands on after its latest input, shape (y_count,)."""
        layer, values = self.layer, self.state
        if layer.differences:
            values = np.concatenate([values[:, :-1] - values[:, 1:], values[:, -1:]], axis=1)
        mult = np.array([factor.mult for factor in layer.factors])
        shift = np.array([factor.shift for factor in layer.factors])
        product = (values.ravel() - np.array(layer.mids)) * mult
        return clip((product + (1 << (shift - 1))) >> shift, *limits(layer.y_type))
