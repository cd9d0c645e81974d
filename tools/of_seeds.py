"""How the tables of docs/RESULTS.md write the values of several seeds.

Imported by the other scripts; by itself it does nothing.
"""

from collections.abc import Sequence
from statistics import mean, stdev


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation; nothing where there are no values.

    >>> spread([88.0, 88.2, 88.1])
    '88.10 ± 0.10'
    """
    if not values:
        return ""
    return f"{mean(values):.2f}" + (f" ± {stdev(values):.2f}" if len(values) > 1 else "")


def each(values: Sequence[float]) -> str:
    """All values, in order.

    >>> each([88.0, 88.214])
    '88.00, 88.21'
    """
    return ", ".join(f"{value:.2f}" for value in values)
