"""The features of a project, and what it must make of the signal of its self-test."""

from tpsgd_edge.codegen.signal import Features
from tpsgd_edge.features import FeatureNumbers, features_of, selftest_signal
from tpsgd_edge.trace import digest


def features_for(numbers: FeatureNumbers) -> Features:
    """The features with these numbers, and the digest that the self-test compares."""
    made = features_of(numbers, selftest_signal(numbers))
    return Features(numbers, digest([made]))
