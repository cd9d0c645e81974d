"""Attention in torch: its outputs, and the way back to queries, keys and values."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from tpsgd_edge.graph import Attention


def attention_forward(layer: Attention, inputs: Sequence[Tensor]) -> Tensor:
    """Outputs (batch, y_count) for queries, keys and values (batch, y_count) each."""
    q, k, v = (_heads(layer, x) for x in inputs)
    return _flat(_shares(layer, q, k) @ v)


def attention_gradients(layer: Attention, inputs: Sequence[Tensor], grad: Tensor) -> list[Tensor]:
    """Gradients (batch, y_count) of queries, keys and values."""
    q, k, v = (_heads(layer, x) for x in inputs)
    shares, upper = _shares(layer, q, k), _heads(layer, grad)
    of_shares = upper @ v.transpose(2, 3)
    of_scores = shares * (of_shares - (of_shares * shares).sum(dim=3, keepdim=True))
    of_scores = of_scores / math.sqrt(layer.head_channels)
    of_q, of_k = of_scores @ k, of_scores.transpose(2, 3) @ q
    return [_flat(part) for part in (of_q, of_k, shares.transpose(2, 3) @ upper)]


def _shares(layer: Attention, q: Tensor, k: Tensor) -> Tensor:
    """Compute what share each step takes of each: (batch, heads, steps, steps)."""
    return torch.softmax(q @ k.transpose(2, 3) / math.sqrt(layer.head_channels), dim=3)


def _heads(layer: Attention, x: Tensor) -> Tensor:
    """Values (batch, y_count) by head: (batch, heads, steps, channels of a head)."""
    return x.view(len(x), layer.y_shape[1], layer.heads, layer.head_channels).transpose(1, 2)


def _flat(parts: Tensor) -> Tensor:
    return parts.transpose(1, 2).flatten(1)
