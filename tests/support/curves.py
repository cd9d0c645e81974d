"""The activations that are tables (docs/ARITHMETIC.md, sections 4, 5, 12) once more, in scalars.

Nothing here uses numpy but for `np.float32` scalars.
"""

import math

import numpy as np

F = np.float32
LOG2E, TWO_LOG2E = F(float.fromhex("0x1.715476p+0")), F(float.fromhex("0x1.715476p+1"))
C = [
    F(float.fromhex(text))
    for text in (
        "0x1.62e43ep-1",
        "0x1.ebf194p-3",
        "0x1.c7f4aep-5",
        "0x1.2d5c5ep-7",
        "0x1.d52664p-10",
    )
]


def exp2_f32(x):
    x = min(max(x, F(-126)), F(126))
    i = math.floor(float(x))
    f = F(x - F(i))
    value = C[4]
    for coefficient in (C[3], C[2], C[1], C[0], F(1)):
        value = F(coefficient + F(f * value))
    return F(value * F(2.0**i))


# ------------------------------------------------------------------ 4, 5: in real numbers

LAMBDA, ALPHA = 1.0507009873554805, 1.6732632423543772


def _elu(z, alpha):
    return z if z > 0 else alpha * math.expm1(z)


FUNCTION = {
    "tanh": math.tanh,
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
    "elu": _elu,
    "celu": lambda z, alpha: z if z > 0 else alpha * math.expm1(z / alpha),
    "selu": lambda z: LAMBDA * _elu(z, ALPHA),
    "softplus": lambda z: max(z, 0) + math.log1p(math.exp(-abs(z))),
    "hard_sigmoid": lambda z, alpha, beta: min(1, max(0, alpha * z + beta)),
    "gelu": lambda z: z * (1 + math.erf(z / math.sqrt(2))) / 2,
    "gelu_tanh": lambda z: z * (1 + math.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))) / 2,
    "silu": lambda z: z / (1 + math.exp(-z)) if z > -700 else 0,
    "hard_swish": lambda z: z * min(1, max(0, z / 6 + 1 / 2)),
}
# The steepest slope, and the slope at y, where it is a table.
SLOPE = {
    "elu": (lambda alpha: max(1, alpha), lambda y, alpha: 1 if y >= 0 else y + alpha),
    "celu": (lambda alpha: 1, lambda y, alpha: 1 if y >= 0 else y / alpha + 1),
    "selu": (lambda: LAMBDA * ALPHA, lambda y: LAMBDA if y >= 0 else y + LAMBDA * ALPHA),
    "softplus": (lambda: 1, lambda y: 0 if y < 0 else 1 - math.exp(-y)),
}


def reach_and_scale(name, curve):
    """S and R."""
    fixed = {"tanh": (4, 1), "sigmoid": (8, 1)}
    return fixed.get(name) or (curve.reach, curve.full_scale)


# ------------------------------------------------------------------ 12: in binary32


def _real(text):
    return F(float.fromhex(text))


SELU_SCALE, SELU_REACH = _real("0x1.0cfabep+0"), _real("0x1.c212ccp+0")
L = [
    _real(t)
    for t in (
        "0x1.fffffap-1",
        "-0x1.fff950p-2",
        "0x1.54bf80p-2",
        "-0x1.f5c086p-3",
        "0x1.6ba9f2p-3",
        "-0x1.b9c4c8p-4",
        "0x1.6a33e2p-5",
        "-0x1.18f998p-7",
    )
]
E = [
    _real(t)
    for t in (
        "0x1.04f20cp-2",
        "-0x1.23531cp-2",
        "0x1.6be1c6p+0",
        "-0x1.7401c6p+0",
        "0x1.0fb844p+0",
    )
]


def _polynomial(coefficients, x):
    value = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        value = F(coefficient + F(x * value))
    return value


def _exp_minus_one(z):
    return F(exp2_f32(F(z * LOG2E)) - F(1))


def _elu_f32(z, alpha):
    return z if z > 0 else F(alpha * _exp_minus_one(z))


def _sigmoid_f32(z):
    return F(F(1) / F(F(1) + exp2_f32(F(F(-z) * LOG2E))))


def _tanh_f32(z):
    return F(F(1) - F(F(2) / F(exp2_f32(F(z * TWO_LOG2E)) + F(1))))


def _softplus_f32(z):
    u = exp2_f32(F(-abs(z) * LOG2E))
    return F((z if z > 0 else F(0)) + F(u * _polynomial(L, u)))


def _gelu_f32(z):
    x = F(abs(z) * _real("0x1.6a09e6p-1"))
    t = F(F(1) / F(F(1) + F(_real("0x1.4f740ap-2") * x)))
    tail = F(F(t * _polynomial(E, t)) * exp2_f32(F(F(-F(x * x)) * LOG2E)))
    return F(F(F(0.5) * z) * (F(F(2) - tail) if z > 0 else tail))


def _gelu_tanh_f32(z):
    cube = F(F(z * z) * z)
    inner = F(_real("0x1.988454p-1") * F(z + F(_real("0x1.6e4e26p-5") * cube)))
    return F(F(F(0.5) * z) * F(F(1) + _tanh_f32(inner)))


def _to_one(value):
    return min(max(value, F(0)), F(1))


FUNCTION_F32 = {
    "elu": _elu_f32,
    "celu": lambda z, alpha: z if z > 0 else F(alpha * _exp_minus_one(F(z / alpha))),
    "selu": lambda z: F(z * SELU_SCALE) if z > 0 else F(SELU_REACH * _exp_minus_one(z)),
    "softplus": _softplus_f32,
    "hard_sigmoid": lambda z, alpha, beta: _to_one(F(F(alpha * z) + beta)),
    "gelu": _gelu_f32,
    "gelu_tanh": _gelu_tanh_f32,
    "silu": lambda z: F(z * _sigmoid_f32(z)),
    "hard_swish": lambda z: F(z * _to_one(F(F(z * _real("0x1.555556p-3")) + F(0.5)))),
}
SLOPE_F32 = {
    "elu": lambda y, alpha: F(1) if y > 0 else F(y + alpha),
    "celu": lambda y, alpha: F(1) if y > 0 else F(F(y / alpha) + F(1)),
    "selu": lambda y: SELU_SCALE if y > 0 else F(y + SELU_REACH),
    "softplus": lambda y: F(F(1) - exp2_f32(F(F(-y) * LOG2E))),
    "hard_sigmoid": lambda y, alpha, beta: alpha if 0 < y < 1 else F(0),
}
