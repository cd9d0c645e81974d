"""What a batch teaches: for each layer the inputs and the deltas whose products move its weights.

One lesson a batch; with recurrent layers and a forward rule, one after each step that teaches.
Labels are (batch, m, K) here: those of the last m steps of each sample, m = 1 or all steps.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from tpsgd_edge.rule.layers import input_gradient
from tpsgd_edge.rule.losses import local_delta
from tpsgd_edge.rule.network import FloatNetwork
from tpsgd_edge.rule.rules import RULES, Deltas, Losses, RuleName, last_delta, pass_down
from tpsgd_edge.rule.sequence import Step, Traces, first_traces, next_traces, through_time


@dataclass(frozen=True, slots=True)
class Lesson:
    """W of layer l learns the sum of deltas[l] inputs[l]^T over rows, b the sum of deltas[l].

    Rows are samples; after backpropagation through time, samples at steps. A layer whose delta is
    None learns nothing; layers behind the last that learns may have no inputs here.
    """

    inputs: list[Tensor]
    deltas: Deltas


def lessons(
    network: FloatNetwork,
    x: Tensor,
    labels: Tensor,
    *,
    rule: RuleName,
    losses: Losses,
    error_gate: float | None = None,
    learn_every: int = 0,
) -> Iterator[Lesson]:
    """The lessons of a batch x (batch, n_in).

    Each has to be learned before the next is asked for: what follows runs with the new weights.
    `learn_every` is that of the graph; backpropagation has no use for it.
    """
    if rule == "backprop" and network.recurrent:
        yield _backprop_through_time(network, x, labels, losses, error_gate)
    elif network.recurrent:
        yield from _forward_lessons(network, x, labels, rule, losses, error_gate, learn_every)
    else:
        activity = network.activity(x)
        deltas = RULES[rule](network, activity, labels[:, -1], losses)
        learns = _learns(activity[-1], labels[:, -1], error_gate)
        yield Lesson(activity[:-1], _gated(deltas, learns))


def _forward_lessons(
    network: FloatNetwork,
    x: Tensor,
    labels: Tensor,
    rule: RuleName,
    losses: Losses,
    error_gate: float | None,
    learn_every: int,
) -> Iterator[Lesson]:
    """A rule that sees one step, or traces of the past (docs/ARITHMETIC.md, section 15)."""
    layers = network.recurrent
    first, count = len(layers), x.shape[1] // layers[0].n_x
    every = learn_every if rule == "tpsgd" else 0
    traces = first_traces(layers, x)
    for t, steps in enumerate(network.run(x)):
        traces = next_traces(layers, traces, steps)
        is_for_all = labels.shape[1] == count or t == count - 1
        if not is_for_all and (every == 0 or (count - 1 - t) % every != 0):
            continue
        label = labels.expand(-1, count, -1)[:, t]
        activity = [x, *(step.h for step in steps)]
        if is_for_all or error_gate is not None:
            activity = network.behind(activity)
        upper: Deltas = [None] * (len(losses) - first)
        if is_for_all:
            upper = RULES[rule](network, activity[first:], label, losses[first:])
        lower: Deltas = [None] * first
        if rule == "tpsgd":
            lower = _recurrent_deltas(steps, traces, label, losses)
        learns = _learns(activity[-1], label, error_gate)
        read = [s.v if trace is None else trace for s, trace in zip(steps, traces, strict=True)]
        yield Lesson([*read, *activity[first:-1]], _gated([*lower, *upper], learns))


def _recurrent_deltas(steps: list[Step], traces: Traces, label: Tensor, losses: Losses) -> Deltas:
    """The error is that of the output h; f' is that of the present, or of h beside a trace."""
    return [
        local_delta(loss, step.h, label, step.c if trace is None else step.h)
        for loss, step, trace in zip(losses, steps, traces, strict=False)
        if loss is not None
    ]


def _backprop_through_time(
    network: FloatNetwork,
    x: Tensor,
    labels: Tensor,
    losses: Losses,
    error_gate: float | None,
) -> Lesson:
    """The last layer's loss, summed over the steps with labels; rows are step by step."""
    layers = network.recurrent
    first, asked = len(layers), labels.shape[1]
    history = list(network.run(x))
    states = torch.cat([steps[-1].h for steps in history[-asked:]])
    rows = labels.transpose(0, 1).flatten(0, 1)
    activity = network.behind([*[x] * first, states])
    upper, grad = pass_down(network, activity, last_delta(activity, rows, losses), first)
    learns = _learns(activity[-1], rows, error_gate)
    upper = _gated(upper, learns)
    reaching = input_gradient(network.layers[first], states, network.w[first], grad)
    reaching = reaching if learns is None else reaching * learns
    silent = [torch.zeros_like(history[0][-1].h)] * (len(history) - asked)
    grads = [*silent, *reaching.chunk(asked)]
    inputs, deltas = activity[first:-1], upper
    for index in reversed(range(first)):
        past = [steps[index] for steps in history]
        found, grads = through_time(layers[index], network.w[index], past, grads)
        inputs, deltas = [torch.cat([s.v for s in past]), *inputs], [torch.cat(found), *deltas]
    return Lesson(inputs, deltas)


def _learns(outputs: Tensor, labels: Tensor, gate: float | None) -> Tensor | None:
    """1 for rows whose class is less probable than the gate, else 0: (rows, 1)."""
    if gate is None:
        return None
    probability = (torch.softmax(outputs, dim=1) * labels).sum(dim=1, keepdim=True)
    return (probability < gate).to(outputs.dtype)


def _gated(deltas: Deltas, learns: Tensor | None) -> Deltas:
    """Hidden deltas become zero where the gate is shut."""
    if learns is None:
        return deltas
    hidden = [None if delta is None else delta * learns for delta in deltas[:-1]]
    return [*hidden, deltas[-1]]
