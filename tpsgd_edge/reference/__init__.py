"""The oracle: the arithmetic of docs/ARITHMETIC.md in numpy, written from that page alone.

It never sees the generator or the C, so that an error in one cannot hide in the other.

    reference.py   one model with its state: outputs, training steps
    samples.py     samples and labels from outside
    tracing.py     a run, digested step by step
    answers.py     what the public functions say
    initial.py     initial weights
    layer.py       what a layer kind has to offer, and the table of kinds
    maps.py        where patches and windows lie in a map
    integer/       the formats a8 and a16
    binary32/      the format f32
"""

from typing import TYPE_CHECKING

from tpsgd_edge.lazy import on_first_use

if TYPE_CHECKING:
    from tpsgd_edge.reference.answering import answers, selftest_answers
    from tpsgd_edge.reference.reference import Reference
    from tpsgd_edge.reference.tracing import trace

__all__ = ["Reference", "answers", "selftest_answers", "trace"]

__getattr__ = on_first_use(
    __name__,
    {
        "Reference": "reference",
        "answers": "answering",
        "selftest_answers": "answering",
        "trace": "tracing",
    },
)
