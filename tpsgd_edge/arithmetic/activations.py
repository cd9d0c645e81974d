"""Facts about each activation function, and its values where a table is made of them.

One `Facts` an activation is all that stages ask of it beside their own functions: how far targets
reach, whether it is bounded, whether it can learn, how its table is made (docs/ARITHMETIC.md,
sections 4 and 5).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

# What a layer sets of its activation, in the order of `Facts.settings`.
Numbers = tuple[float, ...]

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
# The constants of the approximation by tanh.
GELU_SCALE, GELU_CUBE = math.sqrt(2 / math.pi), 0.044715


@dataclass(frozen=True, slots=True)
class CurveFacts:
    """The functions and bounds from which the table of an activation is made.

    Attributes:
        function: f(z, *numbers).
        reach: how far z must reach at least, with s8 and with s16 outputs, for `numbers`.
        slope: f'(z) as a function of (y, *numbers), for the table of slopes; None where slopes
            need no table, or do not follow from y.
        steepest: the largest f'(z), which the learning rate takes in, or 1.
    """

    function: Callable[..., float]
    reach: Callable[..., tuple[float, float]]
    slope: Callable[..., float] | None = None
    steepest: Callable[..., float] = lambda *_: 1.0


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that stages need to know about an activation.

    Attributes:
        targets: centre and half range of what a target may be, as shares of the full scale.
        is_bounded: its full scale R is 1; else R follows from the data.
        is_never_negative: no output lies below 0.
        ceiling: no output lies above, whatever its full scale R.
        learns: f'(z) follows from y alone.
        settings: keys of the spec, with their defaults.
        curve: how its table is made; None where it has none.
    """

    targets: tuple[float, float] = (0.0, 1.0)
    is_bounded: bool = False
    is_never_negative: bool = False
    ceiling: float = math.inf
    learns: bool = True
    settings: Mapping[str, float] | None = None
    curve: CurveFacts | None = None

    @property
    def has_ceiling(self) -> bool:
        """Tell whether outputs end at a number of their own."""
        return math.isfinite(self.ceiling)

    @property
    def has_own_curve(self) -> bool:
        """Tell whether its table hangs on the layer; those of tanh and sigmoid do not."""
        return self.curve is not None and self.curve.function not in (math.tanh, logistic)

    @property
    def has_slope_table(self) -> bool:
        """Tell whether slopes come from a table."""
        return self.curve is not None and self.curve.slope is not None


def logistic(z: float) -> float:
    """The logistic sigmoid."""
    return 1.0 / (1.0 + math.exp(-z)) if z > -700 else 0.0


def _elu(z: float, alpha: float) -> float:
    return z if z > 0 else alpha * math.expm1(z)


def _celu(z: float, alpha: float) -> float:
    return z if z > 0 else alpha * math.expm1(z / alpha)


def _selu(z: float) -> float:
    return SELU_SCALE * _elu(z, SELU_ALPHA)


def _softplus(z: float) -> float:
    return max(z, 0.0) + math.log1p(math.exp(-abs(z)))


def _hard_sigmoid(z: float, alpha: float, beta: float) -> float:
    return min(max(alpha * z + beta, 0.0), 1.0)


def _gelu(z: float) -> float:
    return 0.5 * z * (1 + math.erf(z / math.sqrt(2)))


def _gelu_tanh(z: float) -> float:
    return 0.5 * z * (1 + math.tanh(GELU_SCALE * (z + GELU_CUBE * z**3)))


def _silu(z: float) -> float:
    return z * logistic(z)


def _hard_swish(z: float) -> float:
    return z * min(max(z / 6 + 0.5, 0.0), 1.0)


def _bends(alpha: float, beta: float) -> tuple[float, float]:
    """The power of two that holds both ends of the slope of hard_sigmoid."""
    end = 2.0 ** math.ceil(math.log2(max(abs(beta), abs(1 - beta)) / alpha))
    return end, end


_POSITIVE = (0.25, 0.25)
# Tails: beyond 4 little is left of them in steps of s8; s16 sees more of them.

FACTS: Mapping[str, Facts] = {
    "tanh": Facts(is_bounded=True, curve=CurveFacts(math.tanh, lambda: (4.0, 4.0))),
    "sigmoid": Facts(
        (0.5, 0.5),
        is_bounded=True,
        is_never_negative=True,
        curve=CurveFacts(logistic, lambda: (8.0, 8.0)),
    ),
    "relu": Facts(_POSITIVE, is_never_negative=True),
    "relu6": Facts(_POSITIVE, is_never_negative=True, ceiling=6.0),
    "leaky_relu": Facts(_POSITIVE, settings={"negative_slope": 0.01}),
    "hard_tanh": Facts(is_bounded=True),
    "linear": Facts(),
    "elu": Facts(
        _POSITIVE,
        settings={"alpha": 1.0},
        curve=CurveFacts(
            _elu,
            lambda alpha: (4.0, 8.0),
            slope=lambda y, alpha: 1.0 if y > 0 else y + alpha,
            steepest=lambda alpha: max(1.0, alpha),
        ),
    ),
    "celu": Facts(
        _POSITIVE,
        settings={"alpha": 1.0},
        curve=CurveFacts(
            _celu,
            lambda alpha: (4.0, 8.0),
            slope=lambda y, alpha: 1.0 if y > 0 else y / alpha + 1,
        ),
    ),
    "selu": Facts(
        _POSITIVE,
        curve=CurveFacts(
            _selu,
            lambda: (4.0, 8.0),
            slope=lambda y: SELU_SCALE if y > 0 else y + SELU_SCALE * SELU_ALPHA,
            steepest=lambda: SELU_SCALE * SELU_ALPHA,
        ),
    ),
    "softplus": Facts(
        _POSITIVE,
        is_never_negative=True,
        curve=CurveFacts(_softplus, lambda: (4.0, 8.0), slope=lambda y: -math.expm1(-max(y, 0.0))),
    ),
    "hard_sigmoid": Facts(
        (0.5, 0.5),
        is_bounded=True,
        is_never_negative=True,
        settings={"alpha": 0.2, "beta": 0.5},
        curve=CurveFacts(_hard_sigmoid, _bends, steepest=lambda alpha, beta: alpha),
    ),
    "gelu": Facts(learns=False, curve=CurveFacts(_gelu, lambda: (4.0, 4.0))),
    "gelu_tanh": Facts(learns=False, curve=CurveFacts(_gelu_tanh, lambda: (4.0, 4.0))),
    "silu": Facts(learns=False, curve=CurveFacts(_silu, lambda: (8.0, 8.0))),
    "hard_swish": Facts(learns=False, curve=CurveFacts(_hard_swish, lambda: (4.0, 4.0))),
}
"""By the name of the activation."""
