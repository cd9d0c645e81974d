"""Layers that normalize, in binary32 (docs/ARITHMETIC.md, section 30)."""

from dataclasses import dataclass

import numpy as np

from tpsgd_edge.quantize.model import QuantizedNorm
from tpsgd_edge.reference.binary32.functions import F32

_FIRST, _HALF, _THREE_HALVES = 0x5F3759DF, np.float32(0.5), np.float32(1.5)


@dataclass(frozen=True, slots=True)
class Binary32Norm:
    """Values of each group less their mean over their standard deviation."""

    layer: QuantizedNorm

    def forward(self, x: F32) -> F32:
        """Compute the output map (y_count,) of the input map (x_count,)."""
        groups = x.reshape(-1, self.layer.group_size)
        share = np.float32(1) / np.float32(self.layer.group_size)
        if self.layer.centered:
            groups = groups - (_sums(groups) * share)[:, np.newaxis]
        power = _sums(groups * groups) * share + np.float32(self.layer.epsilon)
        y: F32 = (groups * _inverse_root(power)[:, np.newaxis]).ravel()
        return y


def _sums(groups: F32) -> F32:
    """Sums (groups,), each from 0.0 in the order of its values."""
    total = np.zeros(len(groups), np.float32)
    for column in groups.T:
        total = total + column
    return total


def _inverse_root(v: F32) -> F32:
    """1 / sqrt(v), from a guess by its bits and three steps of Newton's."""
    bits = np.uint32(_FIRST) - (v.view(np.uint32) >> np.uint32(1))
    g = bits.astype(np.uint32).view(np.float32)
    for _ in range(3):
        g = g * (_THREE_HALVES - ((_HALF * v) * g) * g)
    return g
