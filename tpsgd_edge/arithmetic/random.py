"""Counter-based random numbers (docs/ARITHMETIC.md, section 3)."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

PHI = 0x9E3779B9
_MASK = 0xFFFFFFFF


class Purpose(IntEnum):
    """Purpose of a stream of random numbers: its number enters the stream's seed.

    The first three and that of kept samples are drawn on devices too, that of fleets on gateways
    (docs/ARITHMETIC.md, sections 3 and 27). A number stays with its purpose for ever: another one
    would be another model.
    """

    TRAINING = 0
    WEIGHTS = 1
    PROJECTION = 2
    ORDER_OF_SAMPLES = 3
    # These two never meet: matrices of rules in floating point, and samples drawn by weight.
    FEEDBACK = 4
    WEIGHTS_OF_SAMPLES = 4
    KEPT_SAMPLES = 5
    # Averages of a fleet, and what happens to its devices.
    FLEET = 6
    ACCIDENTS = 7
    # Seeds of gateways.
    GATEWAYS = 8


def mix(h: int) -> int:
    """Scramble one 32-bit word.

    A bijection with low bias, found by C. Wellons' hash prospector ("lowbias32").

    >>> hex(mix(1))
    '0x688990c0'
    """
    h &= _MASK
    h ^= h >> 16
    h = h * 0x7FEB352D & _MASK
    h ^= h >> 15
    h = h * 0x846CA68B & _MASK
    return h ^ h >> 16


def mix_array(h: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Apply `mix` to each element; the result has the shape of `h`."""
    h = h ^ (h >> np.uint32(16))
    h = h * np.uint32(0x7FEB352D)
    h = h ^ (h >> np.uint32(15))
    h = h * np.uint32(0x846CA68B)
    return h ^ (h >> np.uint32(16))


def draws(base: int, count: int) -> NDArray[np.uint32]:
    """The random words ``draw(base, 0) .. draw(base, count - 1)``."""
    return mix_array(weyl(base, count))


def weyl(base: int, count: int) -> NDArray[np.uint32]:
    """Compute ``base + PHI * (i + 1)`` for i in 0..count - 1, modulo 2^32; shape (count,)."""
    steps = np.arange(1, count + 1, dtype=np.uint32)
    return np.uint32(base & _MASK) + steps * np.uint32(PHI)


def uniform(base: int, count: int) -> NDArray[np.float64]:
    """Draw real numbers in [-1, 1), shape (count,), from the upper halves of the words.

    >>> uniform(1, 2).tolist()
    [0.24462890625, -0.470550537109375]
    """
    return (draws(base, count) >> np.uint32(16)).astype(np.float64) / 2**15 - 1


def stream(seed: int, purpose: Purpose, layer: int) -> int:
    """Start of the stream of one purpose in one layer."""
    return mix(mix(seed + PHI * (int(purpose) + 1)) + PHI * (layer + 1))
