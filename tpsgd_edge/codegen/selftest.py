"""The self-test: its samples, and what a device must make of them."""

import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.codegen.arrays import ArrayView, selftest_arrays
from tpsgd_edge.codegen.c import c_uint
from tpsgd_edge.quantize.model import QuantizedModel


@dataclass(frozen=True, slots=True)
class SelfTest:
    """Samples in the model's formats, and CRC-32 of what a device must make of them.

    Attributes:
        first_digest, first_answers: of the model in its initial state, and of all its answers.
        digest, answers: of the model after training once on each sample, and of its answers then.
    """

    x: NDArray[np.generic]
    labels: NDArray[np.generic]
    first_digest: int
    first_answers: int
    digest: int
    answers: int

    @property
    def label_rows(self) -> NDArray[np.generic]:
        """Labels of shape (n,), or (n, entries) where a sample has several."""
        many = self.labels.ndim > 1
        return self.labels.reshape(len(self.labels), -1) if many else self.labels


@dataclass(frozen=True, slots=True)
class SelfTestView:
    """The self-test as its template prints it.

    Attributes:
        arrays: the samples and their labels.
        label_is_row: whether a sample has several labels, or one of several numbers.
        label_c, label_count: C type and number of the entries of a sample's label.
        constants: the arrays in flash that every build has.
        training_constants: those that only training reads.
        constants_digest, training_digest: of the former, and of all of them.
    """

    count: int
    arrays: tuple[ArrayView, ...]
    label_is_row: bool
    label_c: str
    label_count: int
    constants: tuple[ArrayView, ...]
    training_constants: tuple[ArrayView, ...]
    constants_digest: str
    training_digest: str
    first_digest: str
    first_answers: str
    digest: str
    answers: str

    @property
    def some_apart(self) -> bool:
        """Tell whether any of the constants lies where an AVR has its program."""
        return any(array.is_apart for array in (*self.constants, *self.training_constants))

    @property
    def apart_for_training(self) -> bool:
        """Tell whether only training reads those."""
        return self.some_apart and not any(array.is_apart for array in self.constants)


def selftest_view(
    model: QuantizedModel, selftest: SelfTest, arrays: Iterable[ArrayView]
) -> SelfTestView:
    """The view of a model's self-test; `arrays` are all constants but its samples."""
    ordered = sorted(arrays, key=lambda array: array.is_for_training)
    samples, labels = selftest_arrays(model, selftest.x, selftest.label_rows)
    always = [array for array in ordered if not array.is_for_training]
    return SelfTestView(
        count=len(selftest.x),
        arrays=(samples, labels),
        label_is_row=len(labels.shape) > 1,
        label_c=labels.c_type,
        label_count=math.prod(labels.shape[1:]),
        constants=tuple(always),
        training_constants=tuple(array for array in ordered if array.is_for_training),
        constants_digest=_digest(always),
        training_digest=_digest(ordered),
        first_digest=c_uint(selftest.first_digest),
        first_answers=c_uint(selftest.first_answers),
        digest=c_uint(selftest.digest),
        answers=c_uint(selftest.answers),
    )


def _digest(arrays: Iterable[ArrayView]) -> str:
    return c_uint(zlib.crc32(b"".join(array.content for array in arrays)))
