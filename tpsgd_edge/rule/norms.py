"""Layers that normalize in torch (docs/ARITHMETIC.md, section 30)."""

import torch
from torch import Tensor

from tpsgd_edge.graph import Norm


def norm_forward(layer: Norm, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """Outputs (batch, y_count)."""
    groups, inverse = _parts(layer, x)
    return (groups * inverse).flatten(1)


def norm_gradient(layer: Norm, x: Tensor, w: Tensor, grad: Tensor) -> Tensor:
    """Gradient of the input (batch, x_count)."""
    groups, inverse = _parts(layer, x)
    y, g = groups * inverse, grad.view_as(groups)
    lower = g - y * (g * y).mean(dim=2, keepdim=True)
    if layer.centered:
        lower = lower - g.mean(dim=2, keepdim=True)
    return (lower * inverse).flatten(1)


def _parts(layer: Norm, x: Tensor) -> tuple[Tensor, Tensor]:
    """Values (batch, groups, group_size) around their mean, and 1 / deviation."""
    groups = x.view(len(x), -1, layer.group_size)
    if layer.centered:
        groups = groups - groups.mean(dim=2, keepdim=True)
    return groups, torch.rsqrt(groups.square().mean(dim=2, keepdim=True) + layer.epsilon)
