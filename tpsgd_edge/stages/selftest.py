"""The self-test of a project: samples, and what a device must make of them."""

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.codegen import SelfTest
from tpsgd_edge.memory import digest_order
from tpsgd_edge.quantize import QuantizedModel
from tpsgd_edge.reference import Reference, selftest_answers
from tpsgd_edge.trace import digest


def selftest_of(model: QuantizedModel, x: Array, labels: Array) -> SelfTest:
    """Make the self-test on samples x (n, n_in) and labels, with the reference's answers."""
    reference = Reference(model)
    first = _digest(reference), selftest_answers(reference, x, labels)
    for sample, label in zip(x, labels, strict=True):
        reference.train_step(sample, label)
    return SelfTest(x, labels, *first, _digest(reference), selftest_answers(reference, x, labels))


def _digest(reference: Reference) -> int:
    state = reference.state()
    return digest(state[name] for name in digest_order(reference.model))
