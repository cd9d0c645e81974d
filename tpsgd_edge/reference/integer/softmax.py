"""Softmax in integers (docs/ARITHMETIC.md, section 6.3)."""

import numpy as np

from tpsgd_edge.arithmetic.ops import Int64, widen
from tpsgd_edge.arithmetic.tables import exp2_table

_EXP2 = widen(exp2_table())


def softmax(logits: Int64) -> Int64:
    """Probabilities in Q15, shape (K,), of logits in units of 1/256 of a factor of two."""
    below = logits.max() - logits
    # h > 15 gives 0 by definition; 16 does that too, for no entry of the table exceeds 2^15.
    e: Int64 = _EXP2[(below & 255) >> 2] >> np.minimum(below >> 8, 16)
    return (e * (2**31 // int(e.sum()))) >> 16


def probability(y: Int64, label: int, logit_shift: int) -> int:
    """Probability in Q15 of the class by the outputs (K,), which the error gate looks at."""
    return int(softmax(y << logit_shift)[label])


def label_minus_softmax(logits: Int64, label: int) -> Int64:
    """((k = label ? 32768 : 0) - p_k) >> 1: the cross entropy's error in Q14, shape (K,)."""
    error = -softmax(logits)
    error[label] += 2**15
    return error >> 1
