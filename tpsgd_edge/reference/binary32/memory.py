"""The memory in binary32 (docs/ARITHMETIC.md, section 23)."""

from dataclasses import dataclass

import numpy as np

from tpsgd_edge.quantize.model import QuantizedMemory
from tpsgd_edge.reference.binary32.functions import F32, clip
from tpsgd_edge.reference.binary32.update import Z_LIMIT


@dataclass(slots=True, eq=False)
class Binary32Memory:
    """Leaky means or cosine sums of each channel.

    Attributes:
        state: shape (channels, states).
        count: how many inputs there were since the start of the sequence.
    """

    layer: QuantizedMemory
    state: F32
    count: int = 0

    @classmethod
    def from_quantized(cls, layer: QuantizedMemory) -> "Binary32Memory":
        """The layer before a sequence."""
        return cls(layer, np.zeros((layer.channels, layer.states), np.float32))

    def reset(self) -> None:
        """Begin a sequence."""
        self.state, self.count = np.zeros_like(self.state), 0

    @property
    def is_due(self) -> bool:
        """Tell whether the layer hands on after its latest input."""
        return (self.layer.length - self.count) % self.layer.every == 0

    def forward(self, x: F32) -> F32:
        """Take the next input x (channels,), or all of a map, and return what it hands on."""
        if self.layer.reads_map:
            self.reset()
        for now in x.reshape(-1, self.layer.channels):
            self._take(now[:, np.newaxis])
        return self.output()

    def _take(self, x: F32) -> None:
        layer = self.layer
        if layer.leak_shifts:
            shares = np.float32(0.5) ** np.array(layer.leak_shifts, np.float32)
            self.state = self.state + (x - self.state) * shares
        elif self.count < layer.length:
            self.state = self.state + x * layer.cosines[self.count].astype(np.float32)
        self.count += 1

    def output(self) -> F32:
        """Return what it hands on after its latest input, shape (y_count,)."""
        layer, values = self.layer, self.state
        if layer.differences:
            values = np.concatenate([values[:, :-1] - values[:, 1:], values[:, -1:]], axis=1)
        mids, gains = np.array(layer.mids, np.float32), np.array(layer.gains, np.float32)
        y: F32 = clip((values.ravel() - mids) * gains, -Z_LIMIT, Z_LIMIT)
        return y
