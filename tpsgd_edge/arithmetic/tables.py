"""Look-up tables of the activation functions and of the softmax (docs/ARITHMETIC.md, 4 and 6.3)."""

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray


def _sigmoid(z: float) -> float:
    return 1.0 / (1.0 + math.exp(-z))


# Activation -> (function, unit of z for s8 outputs). The others need no table.
TABULATED: dict[str, tuple[Callable[[float], float], float]] = {
    "tanh": (math.tanh, 2.0**-5),
    "sigmoid": (_sigmoid, 2.0**-4),
}

# Activation -> (centre, half range) of what a target may be, as a share of the
# full scale.
TARGET_RANGE = {
    "tanh": (0.0, 1.0),
    "hard_tanh": (0.0, 1.0),
    "linear": (0.0, 1.0),
    "sigmoid": (0.5, 0.5),
    "relu": (0.25, 0.25),
    "relu6": (0.25, 0.25),
    "leaky_relu": (0.25, 0.25),
}


@cache
def table_s8(activation: str) -> NDArray[np.int8]:
    """T8: outputs for z = -128..127, shape (256,)."""
    return _tabulate(activation, count=256, full_scale=2**7).astype(np.int8)


@cache
def table_s16(activation: str) -> NDArray[np.int16]:
    """T16: outputs at every 256th z and one beyond the end, for interpolation, shape (257,)."""
    return _tabulate(activation, count=257, full_scale=2**15).astype(np.int16)


@cache
def exp2_table() -> NDArray[np.uint16]:
    """EXP2: 2^(-i / 64) in Q15, shape (64,)."""
    values = [math.floor(2**15 * 2 ** (-i / 64) + 0.5) for i in range(64)]
    return np.array(values, np.uint16)


def _tabulate(activation: str, *, count: int, full_scale: int) -> NDArray[np.int64]:
    function, unit = TABULATED[activation]
    values = [math.floor(full_scale * function((i - 128) * unit) + 0.5) for i in range(count)]
    return np.minimum(np.array(values, np.int64), full_scale - 1)
