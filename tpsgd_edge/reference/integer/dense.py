"""The dense layer in integers: forward, step size, update (docs/ARITHMETIC.md, 4, 7 and 8)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.ops import (
    Int64,
    clip,
    random_round,
    rshift_round,
    sat_s16,
)
from tpsgd_edge.arithmetic.random import mix_array
from tpsgd_edge.quantize.model import DTYPES, QuantizedDense, Requantize, Schedule
from tpsgd_edge.reference.integer.activation import activate, derivative
from tpsgd_edge.reference.integer.loss import Label, LossConstants, local_error, prepare_loss
from tpsgd_edge.reference.integer.softmax import softmax

BIAS_LIMIT = 2**27


@dataclass(slots=True, eq=False)
class IntegerDense:
    """One dense layer with its state; `w_wide` repeats `w` in binary64, for exact products."""

    layer: QuantizedDense
    schedule: Schedule
    loss: LossConstants
    z: Requantize
    rate: Requantize
    row_words: NDArray[np.uint16]
    w: NDArray[Any]
    w_wide: NDArray[np.float64]
    b: Int64

    @classmethod
    def prepare(
        cls, layer: QuantizedDense, schedule: Schedule, label_kind: str, label_count: int
    ) -> "IntegerDense":
        """The layer with its constants at hand, and weights of zero."""
        assert layer.z is not None
        assert layer.rate is not None
        shape = (layer.n_out, layer.n_in)
        return cls(
            layer=layer,
            schedule=schedule,
            loss=prepare_loss(layer, label_kind, label_count),
            z=layer.z,
            rate=layer.rate,
            row_words=_words_along_a_row(layer.n_in),
            w=np.zeros(shape, DTYPES[layer.weight_type]),
            w_wide=np.zeros(shape),
            b=np.zeros(layer.n_out, np.int64),
        )

    def set_state(self, w: NDArray[Any], b: NDArray[Any]) -> None:
        """Take weights (n_out, n_in) and biases (n_out,)."""
        self.w[...] = w
        self.w_wide[...] = w
        self.b[...] = b

    def weights(self) -> NDArray[Any]:
        """w as the device keeps it; a view."""
        return self.w

    def biases(self) -> NDArray[Any]:
        """b as the device keeps it; a copy."""
        return self.b.astype(DTYPES["s32"])

    def forward(self, x: NDArray[Any]) -> Int64:
        """y, shape (n_out,), of x, shape (n_in,)."""
        layer = self.layer
        # |x|, |w| <= 2^15, fewer than 2^16 terms: all partial sums are integers below 2^46.
        # So binary64, exact to 2^53, gives the integer result in any order, at the speed of BLAS.
        acc = (self.w_wide @ x.astype(np.float64)).astype(np.int64)
        acc += self.b << layer.bias_shift
        z = clip(rshift_round(acc * self.z.mult, self.z.shift), layer.z_min, layer.z_max)
        return activate(layer, z)

    def probability(self, y: Int64, label: Label) -> int:
        """p of the class in Q15, of outputs y under softmax cross entropy: for the error gate."""
        return int(softmax(y)[label])

    def learn(
        self,
        x: NDArray[Any],
        y: Int64,
        label: Label,
        words: NDArray[np.uint32],
        step: int,
    ) -> bool:
        """Update w and b; `words` has one random word a unit. Returns whether a unit learned."""
        d = self._step_sizes(y, label, words, step)
        rows = d.nonzero()[0]
        if not rows.size:
            return False
        rho = mix_array(words[rows])
        self._update_weights(rows, d[rows], x, rho)
        self._update_biases(rows, d[rows], rho)
        return True

    def _step_sizes(self, y: Int64, label: Label, words: NDArray[np.uint32], step: int) -> Int64:
        layer = self.layer
        delta = local_error(self.loss, y, label)
        if not layer.loss.cancels_derivative:
            delta = rshift_round(delta * derivative(layer, y), 15)
        if layer.dead_zone:
            delta = np.where(np.abs(delta) < layer.dead_zone, 0, delta)
        segment = min(step // self.schedule.segment_steps, len(self.schedule.decay) - 1)
        a = (self.rate.mult * self.schedule.decay[segment]) >> 15
        return sat_s16(random_round(delta * a, self.rate.shift, words))

    def _update_weights(
        self, rows: Int64, d: Int64, x: NDArray[Any], rho: NDArray[np.uint32]
    ) -> None:
        u, limit = self.layer.update_shift, 1 << self.layer.weight_bits
        # s32 suffices and halves the time: |d * x| + 2^u < 2^31 (section 11), dither < 2^u.
        change = _dither(rho[:, np.newaxis], self.row_words, u)
        change += np.multiply.outer(d.astype(np.int32), x.astype(np.int32))
        change >>= u
        change += self.w[rows]
        np.maximum(change, -limit, out=change)
        np.minimum(change, limit - 1, out=change)
        self.w[rows] = change
        self.w_wide[rows] = change

    def _update_biases(self, rows: Int64, d: Int64, rho: NDArray[np.uint32]) -> None:
        layer = self.layer
        last = np.uint16(_PHI16 * (layer.n_in + 1) & 0xFFFF)
        dither = _dither(rho, last, layer.update_shift)
        change = (d * layer.bias_one + dither) >> layer.update_shift
        self.b[rows] = clip(self.b[rows] + change, -BIAS_LIMIT, BIAS_LIMIT)


# The step of the Weyl sequence along a row (section 8).
_PHI16 = 0x9E37


def _words_along_a_row(count: int) -> NDArray[np.uint16]:
    """What each input adds to the start of its row, modulo 2^16."""
    return np.arange(1, count + 1, dtype=np.uint16) * np.uint16(_PHI16)


def _dither(
    rho: NDArray[np.uint32], words: NDArray[np.uint16] | np.uint16, shift: int
) -> NDArray[np.int32]:
    """Dither below 2^shift from the rows' random words and the words along a row."""
    start = (rho >> np.uint32(16)).astype(np.uint16)
    dither = (start + words).astype(np.int32)
    return dither >> (16 - shift) if shift <= 16 else dither << (shift - 16)
