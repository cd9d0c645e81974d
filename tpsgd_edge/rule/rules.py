"""Rules that can train one and the same network: each answers how layers get their errors.

A rule sees one batch and tells the layers, in the order in which it knows them, what to learn:
W += rate * (sum of delta x^T) and b += rate * (sum of delta), averaged over the batch; in a
convolution the sum is over positions. A layer has learned before the next one is asked for, so a
rule keeps only what it still needs. Recurrent layers get their deltas in `deltas.py`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from tpsgd_edge.graph import Layer
from tpsgd_edge.rule.activations import derivative
from tpsgd_edge.rule.feedback import Feedback
from tpsgd_edge.rule.layers import JOINS, input_gradient
from tpsgd_edge.rule.losses import LocalLoss, local_delta, read_out
from tpsgd_edge.rule.network import FloatNetwork

RuleName = Literal[
    "backprop",
    "fa",
    "dfa",
    "sdfa",
    "drtp",
    "pepita",
    "tpsgd",
    "tpsgd_learned",
    "tpsgd_carried",
    "last_layer",
]
Losses = tuple[LocalLoss | None, ...]
Deltas = list[Tensor | None]


@dataclass(frozen=True, slots=True)
class Task:
    """One batch, as a rule sees it.

    Attributes:
        x: inputs (batch, n_in).
        labels: rows (batch, K), one-hot for classes.
        losses: of each layer; only tpSGD uses those of hidden layers.
        feedback: the rule's fixed random matrices.
        share: of their rate at which read-outs learn, of the batch or of each row (batch, 1).
        activity: inputs and all outputs, where they are known already; rules that need the error
            begin there.
    """

    network: FloatNetwork
    x: Tensor
    labels: Tensor
    losses: Losses
    feedback: Feedback = ()
    share: Tensor | float = 0.0
    activity: list[Tensor] | None = None


class Change(NamedTuple):
    """One layer learns the sums of delta x^T and of delta over the batch."""

    layer: int
    x: Tensor
    delta: Tensor


# How a hidden layer gets its delta where nothing comes down from the layers above: (task, index,
# output y, activation f(z), error of the net's output or None where it is not known yet).
HiddenDelta = Callable[[Task, int, Tensor, Tensor, Tensor | None], Tensor | None]


@dataclass(frozen=True, slots=True)
class Direct:
    """A rule that reaches each hidden layer without passing through those above.

    Attributes:
        needs_error: the whole forward pass comes first; else a layer learns in the middle of it.
        passes: errors go down the blocks of the network.
    """

    hidden: HiddenDelta
    needs_error: bool = False
    passes: bool = False

    def __call__(self, task: Task) -> Iterator[Change]:
        """Yield the change of each layer, first to last; of a block from its head down."""
        at_the_end = self.needs_error or (self.passes and task.network.blocks)
        return _after_the_output(self, task) if at_the_end else _on_the_way(self, task)


def tpsgd(
    task: Task, index: int, y: Tensor, activation: Tensor, error: Tensor | None
) -> Tensor | None:
    """Delta (batch, y_count) of the layer's own loss alone: tpSGD (arXiv 2208.08503).

    Where read-outs learn (`with_learning_readouts`), it is local classifiers as of Nøkland, Eidnes,
    "Training neural networks with local error signals", ICML 2019, layer by layer in the forward
    pass.
    """
    loss = task.losses[index]
    return None if loss is None else local_delta(loss, y, task.labels, activation, task.share)


def tpsgd_carried(task: Task) -> Iterator[Change]:
    """TpSGD with scores that are carried: each layer learns what the sum of all so far lacks.

    A telescoping sum of weak classifiers is that of Huang et al., "Learning deep ResNet blocks
    sequentially using boosting theory", ICML 2018.
    """
    total = torch.zeros(())
    for index, x, y in _layer_by_layer(task):
        layer, loss = task.network.layers[index], task.losses[index]
        if index == len(task.losses) - 1:
            yield Change(index, x, last_delta([total + y], task.labels, task.losses))
        elif loss is not None and adds_scores(layer):
            total = total + read_out(loss, y)
            delta = local_delta(loss, y, task.labels, share=task.share, total=total)
            yield Change(index, x, delta)


def adds_scores(layer: Layer) -> bool:
    """Tell whether a hidden layer adds to scores that are carried: whether it learns."""
    return layer.weighted is not None and layer.weighted.learning.trainable


def nothing(
    task: Task, index: int, y: Tensor, activation: Tensor, error: Tensor | None
) -> Tensor | None:
    """Leave hidden layers at random, whatever y (batch, y_count) is: a baseline."""
    return None


def drtp(
    task: Task, index: int, y: Tensor, activation: Tensor, error: Tensor | None
) -> Tensor | None:
    """Delta (batch, y_count) of direct random target projection: (B y*) f'(z), y* the label.

    Frenkel, Lefebvre, Bol, "Learning without feedback: Fixed random learning signals allow for
    feedforward training of deep neural networks", Frontiers in Neuroscience 15, 2021. Their
    programs take B y* for the gradient and subtract it; here it is added, and B has no sign of its
    own.
    """
    return _projected(task, index, task.labels, activation)


def dfa(
    task: Task, index: int, y: Tensor, activation: Tensor, error: Tensor | None
) -> Tensor | None:
    """Delta (batch, y_count) of direct feedback alignment: (B e) f'(z), e the output's error.

    Nøkland, "Direct feedback alignment provides learning in deep neural networks", NIPS 2016. On a
    recurrent layer, e at the steps that teach; with traces this is the rule of Murray, "Local
    online learning in recurrent networks with random feedback", eLife 8, 2019.
    """
    return _projected(task, index, _known(error), activation)


def sdfa(
    task: Task, index: int, y: Tensor, activation: Tensor, error: Tensor | None
) -> Tensor | None:
    """Delta (batch, y_count) of error-sign-based direct feedback alignment: (B sign(e)) f'(z).

    The sDFA of Frenkel, Lefebvre and Bol 2021 (see `drtp`): it is the error whose sign is taken.
    """
    return _projected(task, index, _known(error).sign(), activation)


def backprop(task: Task) -> Iterator[Change]:
    """Backpropagation of the last layer's loss; the hidden layers' own losses are not used."""
    return _down(task, task.network.w)


def feedback_alignment(task: Task) -> Iterator[Change]:
    """Backpropagation through fixed random matrices B in place of W^T, filters among them.

    Lillicrap, Cownden, Tweed, Akerman, "Random synaptic feedback weights support error
    backpropagation for deep learning", Nature Communications 7, 2016.
    """
    return _down(task, task.feedback)


def pepita(task: Task) -> Iterator[Change]:
    """Two forward passes, the second with an input that the error of the first has changed.

    x' = x + F (y - y*), delta = y'_l - y_l beside the second pass' own input; the last layer learns
    from the error of the first pass. Dellaferrera, Kreiman, "Error-driven input modulation: Solving
    the credit assignment problem without a backward pass", ICML 2022.
    """
    activity = task.network.activity(task.x)
    error = last_delta(activity, task.labels, task.losses)
    modulated = task.network.activity(task.x - error @ task.feedback[0].T)
    last = len(task.losses) - 1
    for index, loss in enumerate(task.losses):
        if loss is not None:
            delta = error if index == last else modulated[index + 1] - activity[index + 1]
            yield Change(index, task.network.read(index, modulated), delta)


Rule = Callable[[Task], Iterator[Change]]

DIRECT: dict[str, Direct] = {
    "tpsgd": Direct(tpsgd, passes=True),
    "tpsgd_learned": Direct(tpsgd, passes=True),
    "drtp": Direct(drtp),
    "dfa": Direct(dfa, needs_error=True),
    "sdfa": Direct(sdfa, needs_error=True),
    "last_layer": Direct(nothing),
}
RULES: dict[RuleName, Rule] = {
    "backprop": backprop,
    "fa": feedback_alignment,
    "dfa": DIRECT["dfa"],
    "sdfa": DIRECT["sdfa"],
    "drtp": DIRECT["drtp"],
    "pepita": pepita,
    "tpsgd": DIRECT["tpsgd"],
    "tpsgd_learned": DIRECT["tpsgd_learned"],
    "tpsgd_carried": tpsgd_carried,
    "last_layer": DIRECT["last_layer"],
}


def backward_pass(
    network: FloatNetwork,
    w: Sequence[Tensor],
    activity: list[Tensor],
    grad: Tensor,
    first: int = 0,
) -> Iterator[tuple[int, Tensor]]:
    """Yield layers down to `first` and the gradient (batch, y_count) at z, of a pool at y.

    `grad` is the delta of the last layer, `w` what takes it down. The weights of a layer may change
    once it has come: what lies below is known by then. Gradients of a value that several layers
    read add up.
    """
    grads = {len(network.layers): grad}
    for index in range(len(network.layers) - 1, first - 1, -1):
        layer, grad = network.layers[index], grads.pop(index + 1)
        if index + 1 < len(network.layers):
            grad = grad * derivative(layer, activity[index + 1])
        if index > first:
            for place, lower in input_gradients(network, index, activity, w, grad):
                grads[place] = grads[place] + lower if place in grads else lower
        yield index, grad


def input_gradients(
    network: FloatNetwork, index: int, activity: list[Tensor], w: Sequence[Tensor], grad: Tensor
) -> Iterator[tuple[int, Tensor]]:
    """Yield the gradients (batch, x_count) of the values that a layer reads, with their places."""
    layer, places = network.layers[index], network.reads[index]
    if layer.kind in JOINS:
        values = [activity[place] for place in places]
        gradients = JOINS[layer.kind].input_gradients(layer, values, grad)
        yield from zip(places, gradients, strict=True)
    else:
        yield places[0], input_gradient(layer, activity[places[0]], w[index], grad)


def last_delta(activity: list[Tensor], labels: Tensor, losses: Losses) -> Tensor:
    """Delta (batch, n_out) of the last layer, whose target is the label itself.

    Raises:
        ValueError: the last layer has no loss.
    """
    if losses[-1] is None:
        raise ValueError("the last layer has no loss")
    return local_delta(losses[-1], activity[-1], labels)


def _down(task: Task, w: Sequence[Tensor]) -> Iterator[Change]:
    activity, network = task.network.activity(task.x), task.network
    error = last_delta(activity, task.labels, task.losses)
    for index, grad in backward_pass(network, w, activity, error):
        del activity[index + 1 :]
        if network.layers[index].weighted is not None:
            yield Change(index, network.read(index, activity), grad)


def _on_the_way(rule: Direct, task: Task) -> Iterator[Change]:
    last = len(task.losses) - 1
    for index, x, y in _layer_by_layer(task):
        if index == last:
            yield Change(last, x, last_delta([y], task.labels, task.losses))
            continue
        delta = rule.hidden(task, index, y, y, None)
        if delta is not None:
            yield Change(index, x, delta)


def _layer_by_layer(task: Task) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Yield each layer with what it reads, of several values the first, and its outputs."""
    network, values, ends = task.network, {0: task.x}, _last_readers(task.network)
    for index, places in enumerate(network.reads):
        x = values[places[0]]
        y = network.output(index, [values[place] for place in places])
        yield index, x, y
        values[index + 1] = y
        values = {at: value for at, value in values.items() if ends.get(at, 0) > index}


def _last_readers(network: FloatNetwork) -> dict[int, int]:
    """Place of a value -> the last layer that reads it."""
    return {place: index for index, places in enumerate(network.reads) for place in places}


def _after_the_output(rule: Direct, task: Task) -> Iterator[Change]:
    activity, last = task.activity or task.network.activity(task.x), len(task.losses) - 1
    error = last_delta(activity, task.labels, task.losses)
    hidden = (rule.hidden(task, i, y, y, error) for i, y in enumerate(activity[1:-1]))
    # Without blocks one after the other: all of them at once take memory, which is measured.
    deltas: Iterable[Tensor | None] = chain(hidden, [error])
    order: Iterable[int] = range(last + 1)
    if rule.passes and task.network.blocks:
        made, order = with_passed(task, activity, list(deltas)), _in_order(task, last + 1)
        deltas = (made[index] for index in order)
    for index, delta in zip(order, deltas, strict=True):
        if delta is not None:
            yield Change(index, task.network.read(index, activity), delta)


def with_passed(task: Task, activity: list[Tensor], deltas: Deltas) -> Deltas:
    """The deltas (batch, y_count), those of each block below its head from the head's own.

    docs/ARITHMETIC.md, section 26.
    """
    made, network = list(deltas), task.network
    for head, *lower in network.blocks:
        grad = made[head]
        if grad is None:
            continue
        # Each value of a block has one reader, so its gradient has one part.
        grads: dict[int, Tensor] = {}
        for index in (head, *lower):
            if index != head:
                grad = grads[index + 1] * derivative(network.layers[index], activity[index + 1])
                own = network.layers[index].weighted
                made[index] = grad if own is not None and own.learning.trainable else None
            if any(place - 1 in lower for place in network.reads[index]):
                grads.update(input_gradients(network, index, activity, network.w, grad))
    return made


def _in_order(task: Task, count: int) -> list[int]:
    """Places of the layers in the order in which they learn: those of a block behind its head."""
    heads = {index: block[0] for block in task.network.blocks for index in block}
    return sorted(range(count), key=lambda index: (heads.get(index, index), -index))


def _projected(task: Task, index: int, signal: Tensor, activation: Tensor) -> Tensor | None:
    layer = task.network.layers[index].weighted
    if layer is None:
        return None
    return signal @ task.feedback[index].T * derivative(layer, activation)


def _known(error: Tensor | None) -> Tensor:
    if error is None:
        raise ValueError("the error of the output is not known yet")
    return error
