"""Activations and their derivatives in binary32 (docs/ARITHMETIC.md, section 12).

Each gets the numbers that its layer sets, beside its values.
"""

from collections.abc import Callable, Mapping

import numpy as np

from tpsgd_edge.reference.binary32.functions import F32, LOG2E, ONE, ZERO, clip, constant, exp2

TWO, SIX, HALF = np.float32(2), np.float32(6), np.float32(0.5)
TWO_LOG2E = constant("0x1.715476p+1")
SELU_SCALE = constant("0x1.0cfabep+0")
SELU_REACH = constant("0x1.c212ccp+0")
SIXTH = constant("0x1.555556p-3")
GELU_SCALE = constant("0x1.988454p-1")
GELU_CUBE = constant("0x1.6e4e26p-5")
ROOT_HALF = constant("0x1.6a09e6p-1")
ERF_SLOPE = constant("0x1.4f740ap-2")
ERF = tuple(
    constant(text)
    for text in (
        "0x1.04f20cp-2",
        "-0x1.23531cp-2",
        "0x1.6be1c6p+0",
        "-0x1.7401c6p+0",
        "0x1.0fb844p+0",
    )
)
# ln(1 + u) / u on [0, 1].
LOG1P = tuple(
    constant(text)
    for text in (
        "0x1.fffffap-1",
        "-0x1.fff950p-2",
        "0x1.54bf80p-2",
        "-0x1.f5c086p-3",
        "0x1.6ba9f2p-3",
        "-0x1.b9c4c8p-4",
        "0x1.6a33e2p-5",
        "-0x1.18f998p-7",
    )
)


def _tanh(z: F32) -> F32:
    return ONE - TWO / (exp2(z * TWO_LOG2E) + ONE)


def _sigmoid(z: F32) -> F32:
    return ONE / (ONE + exp2(-z * LOG2E))


def _leaky_relu(z: F32, slope: np.float32) -> F32:
    return np.where(z > ZERO, z, z * slope)


def _elu(z: F32, alpha: np.float32) -> F32:
    return np.where(z > ZERO, z, alpha * _exp_minus_one(z))


def _selu(z: F32) -> F32:
    return np.where(z > ZERO, z * SELU_SCALE, SELU_REACH * _exp_minus_one(z))


def _exp_minus_one(z: F32) -> F32:
    """e^z - 1 where z <= 0, else 0: both sides of a choice are computed."""
    return exp2(np.minimum(z, ZERO) * LOG2E) - ONE


def _softplus(z: F32) -> F32:
    u = exp2(-np.abs(z) * LOG2E)
    y: F32 = np.where(z > ZERO, z, ZERO) + u * _horner(LOG1P, u)
    return y


def _gelu(z: F32) -> F32:
    x = np.abs(z) * ROOT_HALF
    t = ONE / (ONE + ERF_SLOPE * x)
    tail = (t * _horner(ERF, t)) * exp2(-(x * x) * LOG2E)
    return (HALF * z) * np.where(z > ZERO, TWO - tail, tail)


def _gelu_tanh(z: F32) -> F32:
    return (HALF * z) * (ONE + _tanh(GELU_SCALE * (z + GELU_CUBE * (z * z * z))))


def _horner(coefficients: tuple[np.float32, ...], x: F32) -> F32:
    """c0 + x * (c1 + x * (... + x * cn)), from the inside out."""
    total: F32 = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = coefficient + x * total
    return total


def _inside(y: F32, low: np.float32, high: np.float32) -> F32:
    return np.where((y > low) & (y < high), ONE, ZERO)


ACTIVATIONS: Mapping[str, Callable[..., F32]] = {
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "relu": lambda z: np.where(z > ZERO, z, ZERO),
    "relu6": lambda z: np.where(z > ZERO, np.minimum(z, SIX), ZERO),
    "leaky_relu": _leaky_relu,
    "hard_tanh": lambda z: clip(z, -ONE, ONE),
    "linear": lambda z: z,
    "elu": _elu,
    "celu": lambda z, alpha: np.where(z > ZERO, z, alpha * _exp_minus_one(z / alpha)),
    "selu": _selu,
    "softplus": _softplus,
    "hard_sigmoid": lambda z, alpha, beta: clip(alpha * z + beta, ZERO, ONE),
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "silu": lambda z: z * _sigmoid(z),
    "hard_swish": lambda z: z * clip(z * SIXTH + HALF, ZERO, ONE),
}
DERIVATIVES: Mapping[str, Callable[..., F32]] = {
    "tanh": lambda y: ONE - y * y,
    "sigmoid": lambda y: y * (ONE - y),
    "relu": lambda y: np.where(y > ZERO, ONE, ZERO),
    "relu6": lambda y: _inside(y, ZERO, SIX),
    "leaky_relu": lambda y, slope: np.where(y > ZERO, ONE, slope),
    "hard_tanh": lambda y: _inside(y, -ONE, ONE),
    "linear": np.ones_like,
    "elu": lambda y, alpha: np.where(y > ZERO, ONE, y + alpha),
    "celu": lambda y, alpha: np.where(y > ZERO, ONE, y / alpha + ONE),
    "selu": lambda y: np.where(y > ZERO, SELU_SCALE, y + SELU_REACH),
    "softplus": lambda y: ONE - exp2(-y * LOG2E),
    "hard_sigmoid": lambda y, alpha, beta: alpha * _inside(y, ZERO, ONE),
}
"""Of the activations that can learn."""
