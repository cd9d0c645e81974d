"""Detectors in integers (docs/ARITHMETIC.md, section 25)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.ops import Int64, clip, rshift_round
from tpsgd_edge.quantize.detectors import QuantizedDetector
from tpsgd_edge.quantize.model import Requantize, in_integers, limits
from tpsgd_edge.reference.integer.activation import to_q15
from tpsgd_edge.reference.integer.dense import IntegerDense

_MOST_COUNT = 1 << 30
_RATIO_LOW, _RATIO_HIGH = 1 << 19, 1 << 25
_FAR, _ODD, _FLOOR = 32_767, 65_535, 256
_SLOWEST, _SLOWEST_LEVEL = 10, 7


@dataclass(slots=True, eq=False)
class IntegerDetector:
    """One detector with its state.

    Attributes:
        code: the units of a reconstruction; None of statistics.
        own: the tensors beside weights and biases, by role, each (count,).
    """

    layer: QuantizedDetector
    code: IntegerDense | None
    own: dict[str, Int64]

    @classmethod
    def from_quantized(
        cls, layer: QuantizedDetector, label_kind: str, label_count: int
    ) -> "IntegerDetector":
        """The layer with its first values, and weights of zero."""
        code = None
        if layer.code is not None:
            numbers = in_integers(layer.code)
            code = IntegerDense.from_quantized(numbers, label_kind, label_count)
        own: dict[str, Int64] = {t.role: np.array(t.first, np.int64) for t in layer.tensors}
        return cls(layer, code, own)

    @property
    def parts(self) -> tuple[IntegerDense, ...]:
        """The dense layers that it is made of."""
        return () if self.code is None else (self.code,)

    def own_tensors(self) -> dict[str, NDArray[Any]]:
        """Return the tensors beside weights and biases, by role, each (count,)."""
        return {role: values.astype("<i4") for role, values in self.own.items()}

    def set_own(self, tensors: dict[str, NDArray[Any]]) -> None:
        """Set the tensors beside weights and biases, by role, each (count,)."""
        for role, values in self.own.items():
            values[...] = tensors[role]

    def forward(self, x: NDArray[Any]) -> Int64:
        """Threshold and score, shape (2,), of x, shape (n_in,)."""
        if self.code is not None:
            _, rest = self._reconstruct(self.code, x)
            squares = int((to_q15(self.layer.x_type, rest) ** 2).sum())
        else:
            squares = int(self._odd(self._far(x)).sum()) << 14
        return np.array([self._threshold(), _root_of_mean(squares, self.layer.mean)], np.int64)

    def learn(
        self, x: NDArray[Any], y: Int64, label: int, words: NDArray[np.uint32], decay: int
    ) -> bool:
        """Learn a sample x (n_in,) that is normal; tell whether anything may have changed."""
        if label != 0:
            return False
        if self.code is not None:
            h, rest = self._reconstruct(self.code, x)
            self.code.learn_from(h >> 1, rest, h, words, decay)
        if decay == 0:
            return False
        if self.code is None:
            self._follow(x)
        self._learn_threshold(int(y[0]), int(y[1]))
        return True

    def _reconstruct(self, code: IntegerDense, x: NDArray[Any]) -> tuple[Int64, Int64]:
        """The units' outputs (n_out,), and what they leave of x (n_in,)."""
        back = self.layer.back
        assert back is not None, "a reconstruction has the factor"
        h = code.forward(x)
        # Sums below 2^46 are exact in binary64.
        sums = (h.astype(np.float64) @ code.w_wide).astype(np.int64)
        made = clip(rshift_round(sums * back.mult, back.shift), -(2**15), 2**15 - 1)
        return h, clip(x.astype(np.int64) - made, *limits(self.layer.x_type))

    def _far(self, x: NDArray[Any]) -> Int64:
        means = rshift_round(self.own["m"], 14)
        return clip(to_q15(self.layer.x_type, x.astype(np.int64)) - means, -_FAR, _FAR)

    def _odd(self, far: Int64) -> Int64:
        return np.minimum(far**2 // ((self.own["v"] >> 10) + _FLOOR), _ODD)

    def _follow(self, x: NDArray[Any]) -> None:
        """Mean and variance move towards what is seen."""
        far, leak = self._far(x), min(int(self.own["t"][2]).bit_length(), _SLOWEST)
        to = to_q15(self.layer.x_type, x.astype(np.int64)) << 14
        self.own["m"] += rshift_round(to - self.own["m"], leak)
        self.own["v"] += rshift_round(far**2 - self.own["v"], leak)

    def _threshold(self) -> int:
        level, ratio, count = (int(value) for value in self.own["t"])
        if count == 0:
            return 2**15 - 1
        return min(max((level * ratio + (1 << 27)) >> 28, 0), 2**15 - 1)

    def _learn_threshold(self, threshold: int, score: int) -> None:
        level, ratio, count = (int(value) for value in self.own["t"])
        ratio += self.layer.up if score > threshold else -self.layer.down
        leak = min(count.bit_length(), _SLOWEST_LEVEL)
        way = (score << 8) - level
        level += way if leak == 0 else (way + (1 << (leak - 1))) >> leak
        ratio = min(max(ratio, _RATIO_LOW), _RATIO_HIGH)
        self.own["t"][:] = level, ratio, min(count + 1, _MOST_COUNT)


def _root_of_mean(total: int, mean: Requantize) -> int:
    value = (total * mean.mult + (1 << (mean.shift - 1))) >> mean.shift
    return int(np.sqrt(float(min(max(value, 0), 2**30 - 1))))
