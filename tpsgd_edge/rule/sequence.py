"""Recurrent layers in torch: a whole sequence, and the way back through time.

docs/ARITHMETIC.md, sections 15 and 17. What one layer does at one step is in `cells.py`.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from tpsgd_edge.graph import Recurrent
from tpsgd_edge.rule.cells import CELLS, Step

# Of each layer; None where it learns from the present.
Traces = list[Tensor | None]


def run(
    layers: Sequence[Recurrent], w: Sequence[Tensor], b: Sequence[Tensor], x: Tensor
) -> Iterator[list[Step]]:
    """All layers after each step of sequences x (batch, steps, n_x), from zero states.

    The weights are those of the moment, so they may change in place between steps.
    """
    states = [x.new_zeros(len(x), layer.n_out) for layer in layers]
    steppers = [CELLS[layer.kind].stepper(layer, x) for layer in layers]
    for x_now in x.unbind(dim=1):
        done: list[Step] = []
        for index, step in enumerate(steppers):
            value = done[-1].h if done else x_now
            done.append(step(value, states[index], w[index], b[index]))
        states = [step.h for step in done]
        yield done


def first_traces(layers: Sequence[Recurrent], x: Tensor) -> Traces:
    """The traces (batch, groups, n_in) before the first step of the layers that have them."""
    return [
        x.new_zeros(len(x), len(layer.leaks), layer.n_in) if layer.has_traces else None
        for layer in layers
    ]


def next_traces(layers: Sequence[Recurrent], traces: Traces, steps: Sequence[Step]) -> Traces:
    """Update the traces (batch, groups, n_in): inputs v, low-passed as each group's states are."""
    return [
        trace + (step.v.unsqueeze(1) - trace) * trace.new_tensor(layer.leaks).unsqueeze(1)
        if trace is not None
        else None
        for layer, trace, step in zip(layers, traces, steps, strict=True)
    ]


def through_time(
    layer: Recurrent, w: Tensor, steps: Sequence[Step], grads: Sequence[Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    """The delta and dJ/dx (batch, n_x) of each step, from dJ/dh at each step."""
    deltas, gradients = [], []
    carried = torch.zeros_like(grads[-1])
    for step, grad in zip(reversed(steps), reversed(grads), strict=True):
        back = CELLS[layer.kind].back(layer, w, step, grad + carried)
        carried = back.before
        deltas.append(back.delta)
        gradients.append(back.input_gradient)
    return deltas[::-1], gradients[::-1]
