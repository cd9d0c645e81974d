"""Recurrent layers in torch: one step, a whole sequence, and the way back through time.

docs/ARITHMETIC.md, section 15. A recurrent layer at one step is a dense layer from v = [x; own last
output], whose state h moves towards the new activation c.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tpsgd_edge.graph import Rnn
from tpsgd_edge.rule.activations import ACTIVATIONS
from tpsgd_edge.rule.layers import forward, input_gradient

# Of each layer; None where it learns from the present.
Traces = list[Tensor | None]


@dataclass(frozen=True, slots=True)
class Step:
    """One layer at one step.

    Attributes:
        v: what it read, its input and its last output: (batch, n_in).
        c: the new activation (batch, n_out).
        h: the state and output after the step (batch, n_out).
    """

    v: Tensor
    c: Tensor
    h: Tensor


def run(
    layers: Sequence[Rnn], w: Sequence[Tensor], b: Sequence[Tensor], x: Tensor
) -> Iterator[list[Step]]:
    """All layers after each step of sequences x (batch, steps, n_x), from zero states.

    The weights are those of the moment, so they may change in place between steps.
    """
    states = [x.new_zeros(len(x), layer.n_out) for layer in layers]
    leaks = [x.new_tensor(layer.unit_leaks) for layer in layers]
    for below in x.unbind(dim=1):
        done: list[Step] = []
        for index, layer in enumerate(layers):
            value = done[-1].h if done else below
            v = torch.cat((value, states[index]), dim=1)
            c = ACTIVATIONS[layer.activation].function(forward(layer, v, w[index], b[index]))
            done.append(Step(v, c, _toward(states[index], c, leaks[index])))
        states = [step.h for step in done]
        yield done


def first_traces(layers: Sequence[Rnn], x: Tensor) -> Traces:
    """The traces (batch, groups, n_in) before the first step of the layers that have them."""
    return [
        x.new_zeros(len(x), len(layer.leaks), layer.n_in) if layer.has_traces else None
        for layer in layers
    ]


def next_traces(layers: Sequence[Rnn], traces: Traces, steps: Sequence[Step]) -> Traces:
    """What each group of units has read of late: the inputs v, low-passed as its states are."""
    return [
        None
        if trace is None
        else _toward(trace, step.v.unsqueeze(1), trace.new_tensor(layer.leaks).unsqueeze(1))
        for layer, trace, step in zip(layers, traces, steps, strict=True)
    ]


def through_time(
    layer: Rnn, w: Tensor, steps: Sequence[Step], grads: Sequence[Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    """dJ/dz (batch, n_out) and dJ/dx (batch, n_x) at each step, from dJ/dh at each step."""
    deltas, below = [], []
    leaks = grads[-1].new_tensor(layer.unit_leaks)
    carried = torch.zeros_like(grads[-1])
    for step, grad in zip(reversed(steps), reversed(grads), strict=True):
        total = grad + carried
        delta = leaks * total * ACTIVATIONS[layer.activation].derivative(step.c)
        lower = input_gradient(layer, step.v, w, delta)
        carried = (1 - leaks) * total + lower[:, layer.n_x :]
        deltas.append(delta)
        below.append(lower[:, : layer.n_x])
    return deltas[::-1], below[::-1]


def _toward(a: Tensor, b: Tensor, leak: Tensor) -> Tensor:
    return a + (b - a) * leak
