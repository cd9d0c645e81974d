"""How each layer gets its delta: the rules that can train one and the same network.

A rule sees the activity of a batch and the labels, and gives a delta for each layer, or None for a
layer that it leaves as it is, pooling among them. A layer learns by W += rate * (sum of delta x^T)
and b += rate * (sum of delta), averaged over the batch; in a convolution the sum is over positions.
Recurrent layers get theirs in `lessons.py`.
"""

from collections.abc import Callable
from typing import Literal

from torch import Tensor

from tpsgd_edge.graph import TrainedLayer
from tpsgd_edge.rule.activations import ACTIVATIONS
from tpsgd_edge.rule.layers import input_gradient
from tpsgd_edge.rule.losses import LocalLoss, local_delta
from tpsgd_edge.rule.network import FloatNetwork

RuleName = Literal["backprop", "tpsgd", "last_layer"]
Losses = tuple[LocalLoss | None, ...]
Deltas = list[Tensor | None]


def tpsgd(network: FloatNetwork, activity: list[Tensor], labels: Tensor, losses: Losses) -> Deltas:
    """Each layer's own loss and nothing from the layers above (arXiv 2208.08503)."""
    return [
        None if loss is None else local_delta(loss, y, labels)
        for loss, y in zip(losses, activity[1:], strict=True)
    ]


def last_layer(
    network: FloatNetwork, activity: list[Tensor], labels: Tensor, losses: Losses
) -> Deltas:
    """Hidden layers left at random, the yardstick for what hidden layers learn."""
    hidden: Deltas = [None] * (len(losses) - 1)
    return [*hidden, last_delta(activity, labels, losses)]


def backprop(
    network: FloatNetwork, activity: list[Tensor], labels: Tensor, losses: Losses
) -> Deltas:
    """Backpropagation of the last layer's loss; the hidden layers' own losses are not used.

    Not for networks with recurrent layers.
    """
    return pass_down(network, activity, last_delta(activity, labels, losses))[0]


def pass_down(
    network: FloatNetwork, activity: list[Tensor], grad: Tensor, first: int = 0
) -> tuple[Deltas, Tensor]:
    """Deltas of the layers from `first` on, and the gradient at z of that layer (of a pool: y).

    `grad` is the delta of the last layer.
    """
    deltas: Deltas = [grad]
    for index in range(len(network.layers) - 1, first, -1):
        above, below = network.layers[index], network.layers[index - 1]
        grad = input_gradient(above, activity[index], network.w[index], grad)
        if isinstance(below, TrainedLayer):
            grad = grad * ACTIVATIONS[below.activation].derivative(activity[index])
        deltas.append(grad if isinstance(below, TrainedLayer) else None)
    return deltas[::-1], grad


def last_delta(activity: list[Tensor], labels: Tensor, losses: Losses) -> Tensor:
    """The delta of the last layer, whose target is the label itself."""
    if losses[-1] is None:
        raise ValueError("the last layer has no loss")
    return local_delta(losses[-1], activity[-1], labels)


RULES: dict[RuleName, Callable[[FloatNetwork, list[Tensor], Tensor, Losses], Deltas]] = {
    "backprop": backprop,
    "tpsgd": tpsgd,
    "last_layer": last_layer,
}
