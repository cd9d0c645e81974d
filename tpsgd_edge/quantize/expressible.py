"""Factors that integers can express, in the units in which a spec asks for them."""

import math
from dataclasses import dataclass

# Multipliers have 15 bits, shifts begin at 1: larger factors have none (section 4).
_LARGEST_FACTOR = 2.0**14
_MULT_BITS = 15
_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Expressible:
    """The numbers of a spec that integers can express: from `smallest` to `largest`, both good."""

    smallest: float
    largest: float

    @property
    def text(self) -> str:
        """Both ends in few digits, rounded towards each other, so that what is named is good.

        >>> Expressible(1.23456e-05, 0.98765).text
        'from 1.24e-05 to 0.987'
        """
        return f"from {_up(self.smallest):g} to {_down(self.largest):g}"

    def within(self, largest: float) -> "Expressible":
        """Limit the range to what a spec may ask for.

        >>> Expressible(0.5, 1e9).within(1e6)
        Expressible(smallest=0.5, largest=1000000.0)
        """
        return Expressible(self.smallest, min(self.largest, largest))

    def nearest(self, wanted: float) -> float:
        """The number itself, or the end that is nearer.

        >>> Expressible(0.5, 8.0).nearest(0.1), Expressible(0.5, 8.0).nearest(2.0)
        (0.5, 2.0)
        """
        return min(max(wanted, self.smallest), self.largest)


def proportional(unit: float, *, smallest_factor: float) -> Expressible:
    """Numbers n whose factor is unit * n.

    >>> proportional(2.0, smallest_factor=1e-06)
    Expressible(smallest=5e-07, largest=8190.0)
    """
    return Expressible(_up(smallest_factor / unit), _down(_below(_LARGEST_FACTOR) / unit))


def inverse(unit: float, *, smallest_factor: float) -> Expressible:
    """Numbers n whose factor is unit / n.

    >>> inverse(1.0, smallest_factor=1e-06)
    Expressible(smallest=6.11e-05, largest=1000000.0)
    """
    return Expressible(_up(unit / _below(_LARGEST_FACTOR)), _down(unit / smallest_factor))


def smallest_of_shift(max_shift: int) -> float:
    """The smallest factor with all bits of its multiplier, where shifts end at `max_shift`.

    >>> smallest_of_shift(62) == 2.0**-48
    True
    """
    return math.ldexp(1.0, _MULT_BITS - 1 - max_shift)


def _below(value: float) -> float:
    # What is rounded to 15 bits must not reach the next power of two.
    return value * (1 - 2.0**-15)


def _up(value: float) -> float:
    """The smallest number of three digits that is not below the value."""
    rounded = float(f"{value:.{_DIGITS - 1}e}")
    return rounded if rounded >= value else _stepped(value, 1)


def _down(value: float) -> float:
    """The largest number of three digits that is not above the value."""
    rounded = float(f"{value:.{_DIGITS - 1}e}")
    return rounded if rounded <= value else _stepped(value, -1)


def _stepped(value: float, step: int) -> float:
    rounded = f"{value:.{_DIGITS - 1}e}"
    mantissa, _, exponent = rounded.partition("e")
    number = round(float(mantissa) * 10 ** (_DIGITS - 1)) + step
    return float(f"{number}e{int(exponent) - (_DIGITS - 1)}")
