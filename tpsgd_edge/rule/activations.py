"""Activation functions and their derivatives in torch (docs/ARITHMETIC.md, section 12)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from tpsgd_edge.arithmetic.activations import SELU_ALPHA, SELU_SCALE, Numbers
from tpsgd_edge.errors import SpecError
from tpsgd_edge.graph import Layer


@dataclass(frozen=True, slots=True)
class Activation:
    """y = function(z), and f'(z) as a function of y; both also get the layer's own numbers.

    `slope` is None where f'(z) does not follow from y.
    """

    function: Callable[..., Tensor]
    slope: Callable[..., Tensor] | None = None


def _between(y: Tensor, low: float, high: float) -> Tensor:
    return ((y > low) & (y < high)).to(y.dtype)


ACTIVATIONS: dict[str, Activation] = {
    "tanh": Activation(torch.tanh, lambda y: 1 - y * y),
    "sigmoid": Activation(torch.sigmoid, lambda y: y * (1 - y)),
    "relu": Activation(torch.relu, lambda y: (y > 0).to(y.dtype)),
    "relu6": Activation(lambda z: z.clamp(0, 6), lambda y: _between(y, 0, 6)),
    "leaky_relu": Activation(
        functional.leaky_relu, lambda y, slope: torch.where(y > 0, torch.ones_like(y), slope)
    ),
    "hard_tanh": Activation(lambda z: z.clamp(-1, 1), lambda y: _between(y, -1, 1)),
    "linear": Activation(lambda z: z, torch.ones_like),
    "elu": Activation(
        functional.elu, lambda y, alpha: torch.where(y > 0, torch.ones_like(y), y + alpha)
    ),
    "celu": Activation(
        functional.celu, lambda y, alpha: torch.where(y > 0, torch.ones_like(y), y / alpha + 1)
    ),
    "selu": Activation(
        torch.selu,
        lambda y: torch.where(y > 0, torch.full_like(y, SELU_SCALE), y + SELU_SCALE * SELU_ALPHA),
    ),
    "softplus": Activation(functional.softplus, lambda y: -torch.expm1(-y)),
    "hard_sigmoid": Activation(
        lambda z, alpha, beta: (alpha * z + beta).clamp(0, 1),
        lambda y, alpha, beta: alpha * _between(y, 0, 1),
    ),
    "gelu": Activation(functional.gelu),
    "gelu_tanh": Activation(lambda z: functional.gelu(z, approximate="tanh")),
    "silu": Activation(functional.silu),
    "hard_swish": Activation(functional.hardswish),
}


def activate(layer: Layer, z: Tensor) -> Tensor:
    """Activate the layer's pre-activations z (batch, y_count); the result has their shape."""
    return ACTIVATIONS[layer.activation].function(z, *layer.numbers)


def derivative(layer: Layer, y: Tensor) -> Tensor:
    """Compute f'(z) of the layer from its outputs y, in the shape of y."""
    return slope_of(layer.activation, y, layer.numbers)


def slope_of(activation: str, y: Tensor, numbers: Numbers) -> Tensor:
    """Compute f'(z) from outputs y, in the shape of y.

    Raises:
        SpecError: it does not follow from y.
    """
    slope = ACTIVATIONS[activation].slope
    if slope is None:
        raise SpecError(
            f'a layer with activation = "{activation}" cannot learn',
            where="[model]",
            found="its slope does not follow from its output",
            help="train the net with elu, softplus, relu or leaky_relu",
        )
    return slope(y, *numbers)
