"""Features of windows over a signal (docs/ARITHMETIC.md, section 28).

`numbers.py` has every constant that the device will see, of a spec; all others compute with these
and are the reference, which the generated C does not know.
"""

from tpsgd_edge.features.extraction import features_of
from tpsgd_edge.features.numbers import LOG_TABLE, BandNumbers, FeatureNumbers, feature_numbers
from tpsgd_edge.features.selftest import selftest_signal

__all__ = [
    "LOG_TABLE",
    "BandNumbers",
    "FeatureNumbers",
    "feature_numbers",
    "features_of",
    "selftest_signal",
]
