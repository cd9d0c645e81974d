"""Inputs and deltas of each layer in a batch, whose products are the changes of its weights.

In a feed-forward network one part a layer, as the rule comes to it. Along a sequence, one a
batch after a way back through time; with other rules, one after each step that teaches.
Labels are (batch, m, K) here: those of the last m steps of each sample, m = 1 or all steps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tpsgd_edge.graph import Layer, periods_of
from tpsgd_edge.graph.memory import every_of
from tpsgd_edge.rule.cells import CELLS, slope_of
from tpsgd_edge.rule.feedback import Feedback
from tpsgd_edge.rule.network import FloatNetwork
from tpsgd_edge.rule.rules import (
    DIRECT,
    RULES,
    Deltas,
    Direct,
    Losses,
    RuleName,
    Task,
    backward_pass,
    input_gradients,
    last_delta,
    with_passed,
)
from tpsgd_edge.rule.sequence import first_traces, next_traces, through_time


@dataclass(frozen=True, slots=True)
class LayerDeltas:
    """Inputs and deltas of layers that learn at once: W by sums of delta x^T, b by those of delta.

    Entries of both lists are of the layers from `first` on. Rows are samples; after a way back
    through time, samples at steps. A layer whose delta is None learns nothing; layers behind the
    last that learns may have no inputs here.
    """

    inputs: list[Tensor]
    deltas: Deltas
    first: int = 0


def batch_deltas(
    network: FloatNetwork,
    x: Tensor,
    labels: Tensor,
    *,
    rule: RuleName,
    losses: Losses,
    feedback: Feedback = (),
    error_gate: float | None = None,
    learn_every: int = 0,
    share: float = 0.0,
) -> Iterator[LayerDeltas]:
    """The batch_deltas of a batch x (batch, n_in).

    Each has to be learned before the next is asked for: what follows runs with the new weights.
    `learn_every` is that of the graph; rules that go back through time have no use for it.
    `share` is that of the rate at which read-outs learn.
    """
    if not network.walk:
        task = Task(network, x, labels[:, -1], losses, feedback, share)
        yield from _layer_by_layer(task, rule, error_gate)
    elif rule in DIRECT:
        every = 0 if rule == "last_layer" else learn_every
        task = Task(network, x, labels, losses, feedback, share)
        yield from _step_by_step(task, DIRECT[rule], error_gate, every)
    else:
        task = Task(network, x, labels, losses, feedback)
        backward_weights = network.w if rule == "backprop" else feedback
        yield _through_time(task, backward_weights, error_gate)


def _layer_by_layer(task: Task, rule: RuleName, error_gate: float | None) -> Iterator[LayerDeltas]:
    learns, last, teach = None, len(task.losses) - 1, RULES[rule]
    if error_gate is not None:
        activity = task.network.activity(task.x)
        learns = _learns(activity[-1], task.labels, error_gate)
        share = task.share if learns is None else task.share * learns
        task = replace(task, share=share, activity=activity)
        # No layer's weights change before its own forward pass: one pass does for both.
        teach = replace(DIRECT[rule], needs_error=True) if rule in DIRECT else teach
    for index, x, delta in teach(task):
        gate = None if index == last else learns
        yield LayerDeltas([x], [delta if gate is None else delta * gate], index)


def _step_by_step(
    task: Task, rule: Direct, error_gate: float | None, learn_every: int
) -> Iterator[LayerDeltas]:
    """A rule that sees one step, or traces of the past (docs/ARITHMETIC.md, section 15)."""
    network, layers = task.network, task.network.walk
    first, count = len(layers), task.x.shape[1] // layers[0].x_count
    traces = first_traces(layers, task.x)
    for t, steps in enumerate(network.run(task.x)):
        traces = next_traces(layers, traces, steps)
        is_for_all = task.labels.shape[1] == count or t == count - 1
        if not is_for_all and (learn_every == 0 or (count - 1 - t) % learn_every != 0):
            continue
        label = task.labels.expand(-1, count, -1)[:, t]
        activity = [task.x, *(step.h for step in steps)]
        if is_for_all or error_gate is not None or rule.needs_error:
            activity = network.behind(activity)
        learns = _learns(activity[-1], label, error_gate)
        share = task.share if learns is None else task.share * learns
        now = replace(task, labels=label, share=share)
        slopes = [
            slope_of(layer, s) if trace is None else s.h
            for layer, s, trace in zip(layers, steps, traces, strict=True)
        ]
        deltas = _deltas(now, rule, activity, slopes, is_for_all=is_for_all)
        for index, (layer, step) in enumerate(zip(layers, steps, strict=True)):
            delta = deltas[index]
            if delta is not None:
                deltas[index] = CELLS[layer.kind].delta(layer, network.w[index], step, delta)
        read = [s.v if trace is None else trace for s, trace in zip(steps, traces, strict=True)]
        yield LayerDeltas([*read, *_inputs(network, activity, first)], _gated(deltas, learns))


def _deltas(
    task: Task, rule: Direct, activity: list[Tensor], slopes: list[Tensor], *, is_for_all: bool
) -> Deltas:
    """Deltas of each layer at one timestep; f' of the recurrent layers is taken at `slopes`."""
    last = len(task.losses) - 1
    has_output = len(activity) == last + 2
    error = last_delta(activity, task.labels, task.losses) if has_output else None
    deltas: Deltas = [None] * (last + 1)
    for index in range(last if is_for_all else len(slopes)):
        y = activity[index + 1]
        slope = slopes[index] if index < len(slopes) else y
        deltas[index] = rule.hidden(task, index, y, slope, error)
    deltas[last] = error if is_for_all else None
    return with_passed(task, activity, deltas) if is_for_all and rule.passes else deltas


def _through_time(
    task: Task, backward_weights: Sequence[Tensor], error_gate: float | None
) -> LayerDeltas:
    """The last layer's loss, summed over the steps with labels; rows are step by step."""
    network, labels = task.network, task.labels
    layers = network.walk
    first, asked = len(layers), labels.shape[1]
    history = list(network.run(task.x))
    states = torch.cat([steps[-1].h for steps in history[-asked:]])
    rows = labels.transpose(0, 1).flatten(0, 1)
    activity = network.behind([*[task.x] * first, states])
    error = last_delta(activity, rows, task.losses)
    upper = [grad for _, grad in backward_pass(network, backward_weights, activity, error, first)][
        ::-1
    ]
    learns = _learns(activity[-1], rows, error_gate)
    gradients = [
        lower
        for index, grad in enumerate(upper, first)
        for place, lower in input_gradients(network, index, activity, backward_weights, grad)
        if place == first
    ]
    reaching = torch.stack(gradients).sum(dim=0)
    reaching = reaching if learns is None else reaching * learns
    silent = [torch.zeros_like(history[0][-1].h)] * (len(history) - asked)
    grads = [*silent, *reaching.chunk(asked)]
    inputs, deltas = _inputs(network, activity, first), _gated([*upper], learns)
    periods = periods_of(layers)
    grads = grads[(len(grads) - 1) % periods[-1] :: periods[-1]]
    for index in reversed(range(first)):
        past = [
            s[index] for t, s in enumerate(history, 1) if (len(history) - t) % periods[index] == 0
        ]
        found, grads = through_time(layers[index], backward_weights[index], past, grads)
        has_weights = layers[index].weighted is not None
        inputs = [torch.cat([s.v for s in past]), *inputs]
        deltas = [torch.cat(found) if has_weights else None, *deltas]
        if index:
            grads = _spread(grads, layers[index - 1], steps=-(-len(history) // periods[index - 1]))
    return LayerDeltas(inputs, deltas)


def _spread(grads: list[Tensor], layer: Layer, *, steps: int) -> list[Tensor]:
    """Gradients at all steps of a layer, 0 where it hands nothing on."""
    every = every_of(layer)
    if every == 1:
        return grads
    spread = [torch.zeros_like(grads[0])] * steps
    spread[(steps - 1) % every :: every] = grads
    return spread


def _inputs(network: FloatNetwork, activity: list[Tensor], first: int) -> list[Tensor]:
    """Inputs of the layers from `first` on, as far as they have run; of joins the first value."""
    places = network.reads[first : len(activity) - 1]
    return [activity[reads[0]] for reads in places]


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
