"""Activation functions and their derivatives in torch (docs/ARITHMETIC.md, section 12)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from tpsgd_edge.graph import TrainedLayer


@dataclass(frozen=True, slots=True)
class Activation:
    """y = function(z), and f'(z) as a function of y; both get the slope of leaky_relu too."""

    function: Callable[[Tensor, float], Tensor]
    derivative: Callable[[Tensor, float], Tensor]


ACTIVATIONS: dict[str, Activation] = {
    "tanh": Activation(lambda z, _: torch.tanh(z), lambda y, _: 1 - y * y),
    "sigmoid": Activation(lambda z, _: torch.sigmoid(z), lambda y, _: y * (1 - y)),
    "relu": Activation(lambda z, _: torch.relu(z), lambda y, _: (y > 0).to(y.dtype)),
    "relu6": Activation(lambda z, _: z.clamp(0, 6), lambda y, _: ((y > 0) & (y < 6)).to(y.dtype)),
    "leaky_relu": Activation(
        torch.nn.functional.leaky_relu,
        lambda y, slope: torch.where(y > 0, torch.ones_like(y), slope),
    ),
    "hard_tanh": Activation(lambda z, _: z.clamp(-1, 1), lambda y, _: (y.abs() < 1).to(y.dtype)),
    "linear": Activation(lambda z, _: z, lambda y, _: torch.ones_like(y)),
}


def activate(layer: TrainedLayer, z: Tensor) -> Tensor:
    """y of the layer's pre-activations."""
    return ACTIVATIONS[layer.activation].function(z, layer.negative_slope)


def derivative(layer: TrainedLayer, y: Tensor) -> Tensor:
    """f'(z) of the layer, from its outputs y."""
    return ACTIVATIONS[layer.activation].derivative(y, layer.negative_slope)
