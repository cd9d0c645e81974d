"""Answers that a model's public functions must give (docs/ARITHMETIC.md, sections 4, 13, 19)."""

import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.memory.state import digest_order
from tpsgd_edge.quantize.model import QuantizedModel
from tpsgd_edge.reference.reference import Reference
from tpsgd_edge.trace import Answers, digest, neighbours


def answers(reference: Reference, x: Array, labels: Array) -> Answers:
    """Answer samples x (n, n_in) and the ones before them by all functions, in the present state.

    Args:
        x, labels: as for `trace`.
    """
    model = reference.model
    outputs = [reference.each_output(sample) for sample in x]
    words = [
        (
            _crc(_whole(model, outputs[one])),
            _predicted(model, outputs[one]),
            _confidence_bits(reference, outputs[one]),
            _crc(outputs[one]) if model.walk else 0,
            _crc(_classes(outputs[one])) if model.walk and _names_classes(model) else 0,
            sum(_right(model, outputs[i], labels[i]) for i in (one, other)),
        )
        for one, other in neighbours(len(x))
    ]
    state = reference.state()
    own = digest(state[name] for name in digest_order(model))
    return Answers(np.array(words, np.uint32).reshape(len(x), -1), 0, own)


def selftest_answers(reference: Reference, x: Array, labels: Array) -> int:
    """CRC-32 of the self-test's answers to samples x (n, n_in) with labels, one after the other.

    The outputs, of a sequence after each step; the class; the confidence; at the end how many of
    all samples are right.
    """
    model = reference.model
    outputs = [reference.each_output(sample) for sample in x]
    seen = [part for one in outputs for part in _seen(reference, one)]
    if _names_classes(model):
        right = sum(_right(model, *pair) for pair in zip(outputs, labels, strict=True))
        seen.append(np.array(right, "<u4"))
    return digest(seen)


def _seen(reference: Reference, outputs: Array) -> Iterator[NDArray[np.generic]]:
    model = reference.model
    yield outputs
    if _names_classes(model):
        yield _classes(outputs)[-1:]
    if model.has_confidence:
        yield reference.confidence_of(outputs[-1])


def _whole(model: QuantizedModel, outputs: Array) -> Array:
    """Outputs of a whole sequence: after its last timestep, or after each that has a label."""
    return outputs if model.labels.each_step else outputs[-1]


def _predicted(model: QuantizedModel, outputs: Array) -> int:
    """The class, where one function gives it for a whole sample."""
    if not _names_classes(model) or model.labels.each_step:
        return 0
    return int(_classes(outputs)[-1])


def _confidence_bits(reference: Reference, outputs: Array) -> int:
    if not reference.model.has_confidence:
        return 0
    return int.from_bytes(reference.confidence_of(outputs[-1]).tobytes(), "little")


def _right(model: QuantizedModel, outputs: Array, label: Array) -> int:
    """Count the answers that name the label."""
    if not _names_classes(model):
        return 0
    return int(np.sum(_classes(np.atleast_2d(_whole(model, outputs))) == label))


def _names_classes(model: QuantizedModel) -> bool:
    return model.labels.kind == "class"


def _classes(outputs: Array) -> NDArray[np.uint16]:
    """The smallest index of the largest output, after each step."""
    return np.asarray(outputs.argmax(axis=-1), "<u2")


def _crc(values: NDArray[np.generic]) -> int:
    return zlib.crc32(values.astype(values.dtype.newbyteorder("<")).tobytes())
