"""Layers that walk along a sequence in torch: a whole sequence, and the way back through time.

docs/ARITHMETIC.md, sections 15, 17 and 23. What one layer does at one step is in `cells.py`.
"""

from collections.abc import Iterator, Sequence

from torch import Tensor

from tpsgd_edge.graph import Layer, Rnn, periods_of
from tpsgd_edge.rule.cells import CELLS
from tpsgd_edge.rule.steps import Step

# Of each layer; None where it learns from the present.
Traces = list[Tensor | None]


def run(
    layers: Sequence[Layer], w: Sequence[Tensor], b: Sequence[Tensor], x: Tensor
) -> Iterator[list[Step]]:
    """All layers after each step of sequences x (batch, steps, n_x), from zero states.

    The weights are those of the moment, so they may change in place between steps. A layer that
    does not see a step (section 23) is as it was after the one before.
    """
    steppers = [CELLS[layer.kind].stepper(layer, x) for layer in layers]
    done = [_nothing_yet(layer, x) for layer in layers]
    for t, x_now in enumerate(x.unbind(dim=1)):
        now: list[Step] = []
        for index in range(seeing(layers, x.shape[1] - 1 - t)):
            value = now[-1].h if now else x_now
            now.append(steppers[index](value, done[index].h, w[index], b[index]))
        done = [*now, *done[len(now) :]]
        yield done


def seeing(layers: Sequence[Layer], left: int) -> int:
    """Number of layers, the first ones, that see a step with so many behind it."""
    return sum(left % period == 0 for period in periods_of(layers))


def _nothing_yet(layer: Layer, x: Tensor) -> Step:
    y = x.new_zeros(len(x), layer.y_count)
    return Step(x.new_zeros(len(x), layer.x_count), y, y)


def first_traces(layers: Sequence[Layer], x: Tensor) -> Traces:
    """The traces (batch, groups, n_in) before the first step of the layers that have them."""
    return [
        x.new_zeros(len(x), len(layer.leaks), layer.n_in)
        if isinstance(layer, Rnn) and layer.has_traces
        else None
        for layer in layers
    ]


def next_traces(layers: Sequence[Layer], traces: Traces, steps: Sequence[Step]) -> Traces:
    """Update the traces (batch, groups, n_in): inputs v, low-passed as each group's states are."""
    return [
        trace + (step.v.unsqueeze(1) - trace) * trace.new_tensor(layer.leaks).unsqueeze(1)
        if isinstance(layer, Rnn) and trace is not None
        else None
        for layer, trace, step in zip(layers, traces, steps, strict=True)
    ]


def through_time(
    layer: Layer, w: Tensor, steps: Sequence[Step], grads: Sequence[Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    """The delta and dJ/dx (batch, n_x) of each step that it sees, from dJ/dh at each of them."""
    deltas, gradients = [], []
    cell = CELLS[layer.kind]
    carried = grads[-1].new_zeros(len(grads[-1]), cell.states * layer.y_count)
    for step, grad in zip(reversed(steps), reversed(grads), strict=True):
        back = cell.back(layer, w, step, grad, carried)
        carried = back.before
        deltas.append(back.delta)
        gradients.append(back.input_gradient)
    return deltas[::-1], gradients[::-1]
