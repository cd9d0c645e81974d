"""Sums and functions in binary32 (docs/ARITHMETIC.md, section 12)."""

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


def constant(text: str) -> np.float32:
    """A binary32 value from its hexadecimal notation.

    >>> float(constant("0x1.8p+1"))
    3.0
    """
    return np.float32(float.fromhex(text))


ZERO, ONE = np.float32(0), np.float32(1)
C1 = constant("0x1.62e43ep-1")
C2 = constant("0x1.ebf194p-3")
C3 = constant("0x1.c7f4aep-5")
C4 = constant("0x1.2d5c5ep-7")
C5 = constant("0x1.d52664p-10")
LOG2E = constant("0x1.715476p+0")
EXPONENT_LIMIT = np.float32(126)


def clip(v: F32, lo: np.float32, hi: np.float32) -> F32:
    """Limit `v` to the chosen range [lo, hi], in its shape."""
    limited: F32 = np.minimum(np.maximum(v, lo), hi)
    return limited


def sum_in_order(terms: F32) -> F32:
    """Sum over the first axis of shape (n, ...), one addition after the other, from 0.0.

    `accumulate` adds in order by definition; `sum` adds in pairs along an axis that is contiguous.
    """
    # A start at the first term instead of 0.0 can only differ in a zero's sign; + 0.0 mends it.
    total: F32 = np.add.accumulate(terms, axis=0)[-1] + ZERO
    return total


def exp2(x: F32) -> F32:
    """Compute 2^x in the shape of x, with x limited to [-126, 126]."""
    x = clip(x, -EXPONENT_LIMIT, EXPONENT_LIMIT)
    i = np.floor(x)
    f = x - i
    mantissa = ONE + f * (C1 + f * (C2 + f * (C3 + f * (C4 + f * C5))))
    return np.ldexp(mantissa, i.astype(np.int32))


def softmax(logits: F32) -> F32:
    """Probabilities, shape (K,), of logits that count powers of two."""
    e = exp2(logits - logits.max())
    return e * (ONE / sum_in_order(e))


def probability(y: F32, label: int, logit_shift: int = 0) -> float:
    """Probability of the class by a last layer's outputs (K,), which the error gate looks at.

    Real outputs have no unit to shift.
    """
    return float(softmax(y * LOG2E)[label])


def label_minus_softmax(logits: F32, label: int) -> F32:
    """(k = label ? 1 : 0) - p_k, shape (K,)."""
    wanted = np.zeros_like(logits)
    wanted[label] = ONE
    return wanted - softmax(logits)
