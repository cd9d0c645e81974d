"""Memories in torch: fixed linear states, at one step and over a whole map (section 23)."""

from collections.abc import Callable

import torch
from torch import Tensor

from tpsgd_edge.graph import Memory
from tpsgd_edge.graph.memory import cosine_table, weights_over_time
from tpsgd_edge.rule.steps import Back, Step


def memory_stepper(layer: Memory, like: Tensor) -> Callable[[Tensor, Tensor, Tensor, Tensor], Step]:
    """A function that takes inputs (batch, channels) one after the other, from states of zero."""
    state = like.new_zeros(len(like), layer.channels, layer.states)
    leaks, table = (
        like.new_tensor(layer.leaks),
        like.new_tensor(cosine_table(layer.cosines, layer.length)),
    )
    mids, gains = like.new_tensor(layer.mids), like.new_tensor(layer.gains)
    taken = 0

    def step(x: Tensor, h: Tensor, w: Tensor, b: Tensor) -> Step:
        nonlocal taken, state
        now = x.unsqueeze(2)
        if layer.leaks:
            state = state + (now - state) * leaks
        elif taken < layer.length:
            state = state + now * table[taken]
        taken += 1
        values = state
        if layer.differences:
            values = torch.cat((state[:, :, :-1] - state[:, :, 1:], state[:, :, -1:]), dim=2)
        y = (values.flatten(1) - mids) * gains
        return Step(x, y, y, at=taken - 1)

    return step


def memory_back(layer: Memory, w: Tensor, step: Step, grad: Tensor, carried: Tensor) -> Back:
    """The way back through one input; `carried` is dJ/dstate (batch, y_count)."""
    of_values = (grad * grad.new_tensor(layer.gains)).view(-1, layer.channels, layer.states)
    of_states = of_values + carried.view_as(of_values)
    if layer.differences:
        of_states[:, :, 1:] -= of_values[:, :, :-1]
    if layer.leaks:
        leaks = grad.new_tensor(layer.leaks)
        lower, before = of_states @ leaks, of_states * (1 - leaks)
    else:
        table = grad.new_tensor(cosine_table(layer.cosines, layer.length))
        lower, before = of_states @ table[step.at], of_states
    return Back(torch.zeros_like(grad), lower, before.flatten(1))


def memory_forward(layer: Memory, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """Outputs (batch, y_count) of whole maps."""
    steps = x.view(len(x), layer.length, layer.channels)
    values = torch.einsum("btc,tk->bck", steps, _last_weights(layer, x))
    return (values.flatten(1) - x.new_tensor(layer.mids)) * x.new_tensor(layer.gains)


def memory_gradient(layer: Memory, x: Tensor, w: Tensor, grad: Tensor) -> Tensor:
    """dJ/dx (batch, x_count) of a whole map."""
    of_values = (grad * grad.new_tensor(layer.gains)).view(-1, layer.channels, layer.states)
    return torch.einsum("bck,tk->btc", of_values, _last_weights(layer, x)).flatten(1)


def _last_weights(layer: Memory, like: Tensor) -> Tensor:
    return like.new_tensor(weights_over_time(layer)[:, -1])
