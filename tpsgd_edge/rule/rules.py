"""How each layer gets its delta: the rules that can train one and the same network.

A rule sees the activity of a batch and the labels, and gives a delta for each layer, or None for a
layer that it leaves as it is. A layer learns by W += rate * delta^T x and b += rate * delta,
averaged over the batch.
"""

from collections.abc import Callable
from typing import Literal

from torch import Tensor

from tpsgd_edge.rule.activations import ACTIVATIONS
from tpsgd_edge.rule.losses import LocalLoss, local_delta
from tpsgd_edge.rule.network import FloatNetwork

RuleName = Literal["backprop", "tpsgd", "last_layer"]
Deltas = list[Tensor | None]


def tpsgd(
    network: FloatNetwork, activity: list[Tensor], labels: Tensor, losses: tuple[LocalLoss, ...]
) -> Deltas:
    """Each layer's own loss and nothing from the layers above (arXiv 2208.08503)."""
    return [local_delta(loss, y, labels) for loss, y in zip(losses, activity[1:], strict=True)]


def last_layer(
    network: FloatNetwork, activity: list[Tensor], labels: Tensor, losses: tuple[LocalLoss, ...]
) -> Deltas:
    """Hidden layers left at random, the yardstick for what hidden layers learn."""
    hidden: Deltas = [None] * (len(losses) - 1)
    return [*hidden, local_delta(losses[-1], activity[-1], labels)]


def backprop(
    network: FloatNetwork, activity: list[Tensor], labels: Tensor, losses: tuple[LocalLoss, ...]
) -> Deltas:
    """Backpropagation of the last layer's loss; the hidden layers' own losses are not used."""
    delta = local_delta(losses[-1], activity[-1], labels)
    deltas: Deltas = [delta]
    for index in range(len(losses) - 2, -1, -1):
        derivative = ACTIVATIONS[network.layers[index].activation].derivative
        delta = (delta @ network.w[index + 1]) * derivative(activity[index + 1])
        deltas.append(delta)
    return deltas[::-1]


RULES: dict[
    RuleName,
    Callable[[FloatNetwork, list[Tensor], Tensor, tuple[LocalLoss, ...]], Deltas],
] = {"backprop": backprop, "tpsgd": tpsgd, "last_layer": last_layer}
