"""Activation functions and their derivatives in torch (docs/ARITHMETIC.md, section 12)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Activation:
    """y = function(z), and f'(z) as a function of y."""

    function: Callable[[Tensor], Tensor]
    derivative: Callable[[Tensor], Tensor]


ACTIVATIONS: dict[str, Activation] = {
    "tanh": Activation(torch.tanh, lambda y: 1 - y * y),
    "sigmoid": Activation(torch.sigmoid, lambda y: y * (1 - y)),
    "relu": Activation(torch.relu, lambda y: (y > 0).to(y.dtype)),
    "hard_tanh": Activation(lambda z: z.clamp(-1, 1), lambda y: (y.abs() < 1).to(y.dtype)),
    "linear": Activation(lambda z: z, torch.ones_like),
}
