"""Activations in real numbers, on arrays: y of z, f'(z) of y, and both of the layer's numbers."""

from collections.abc import Callable

import numpy as np

from tpsgd_edge.arithmetic.activations import GELU_CUBE, GELU_SCALE, SELU_ALPHA, SELU_SCALE
from tpsgd_edge.arithmetic.types import Real

# erf by 7.1.26 of Abramowitz and Stegun, "Handbook of Mathematical Functions": within 1.5e-7.
_ERF_SLOPE = 0.3275911
_ERF = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)


def _sigmoid(z: Real) -> Real:
    # Below -700 exp(-z) would leave binary64, and the sigmoid is 0 for all that comes after.
    return np.asarray(1 / (1 + np.exp(-np.maximum(z, -700.0))))


def _elu(z: Real, alpha: float) -> Real:
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))


def _gelu(z: Real) -> Real:
    x = np.minimum(np.abs(z) / np.sqrt(2), 30.0)  # exp(-900) is 0
    t = 1 / (1 + _ERF_SLOPE * x)
    tail = np.polyval((*_ERF, 0.0), t) * np.exp(-x * x)
    return np.asarray(0.5 * z * (1 + np.copysign(1 - tail, z)))


def _gelu_tanh(z: Real) -> Real:
    x = np.clip(z, -100.0, 100.0)  # beyond it tanh is 1, and its argument could leave binary64
    return np.asarray(0.5 * z * (1 + np.tanh(GELU_SCALE * (x + GELU_CUBE * x**3))))


ACTIVATION: dict[str, Callable[..., Real]] = {
    "tanh": lambda z: np.tanh(z),
    "sigmoid": _sigmoid,
    "relu": lambda z: np.maximum(z, 0),
    "relu6": lambda z: np.clip(z, 0, 6),
    "leaky_relu": lambda z, slope: np.where(z > 0, z, slope * z),
    "hard_tanh": lambda z: np.clip(z, -1, 1),
    "linear": lambda z: z,
    "elu": _elu,
    "celu": lambda z, alpha: np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0) / alpha)),
    "selu": lambda z: SELU_SCALE * _elu(z, SELU_ALPHA),
    "softplus": lambda z: np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))),
    "hard_sigmoid": lambda z, alpha, beta: np.clip(alpha * z + beta, 0, 1),
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "silu": lambda z: z * _sigmoid(z),
    "hard_swish": lambda z: z * np.clip(z / 6 + 0.5, 0, 1),
}
"""By the name of the activation."""
DERIVATIVE: dict[str, Callable[..., Real]] = {
    "tanh": lambda y: 1 - y * y,
    "sigmoid": lambda y: y * (1 - y),
    "relu": lambda y: (y > 0).astype(float),
    "relu6": lambda y: ((y > 0) & (y < 6)).astype(float),
    "leaky_relu": lambda y, slope: np.where(y > 0, 1.0, slope),
    "hard_tanh": lambda y: (np.abs(y) < 1).astype(float),
    "linear": lambda y: np.ones_like(y),
    "elu": lambda y, alpha: np.where(y > 0, 1.0, y + alpha),
    "celu": lambda y, alpha: np.where(y > 0, 1.0, y / alpha + 1),
    "selu": lambda y: np.where(y > 0, SELU_SCALE, y + SELU_SCALE * SELU_ALPHA),
    "softplus": lambda y: -np.expm1(-y),
    "hard_sigmoid": lambda y, alpha, beta: alpha * ((y > 0) & (y < 1)),
}
"""f'(z) of y, by the name of those that can learn."""
