"""What a rule tells the layers, as a list."""

from torch import Tensor

from tpsgd_edge.rule.feedback import Feedback
from tpsgd_edge.rule.network import FloatNetwork
from tpsgd_edge.rule.rules import RULES, Change, Deltas, Losses, RuleName, Task


def changes_of(
    rule: RuleName,
    net: FloatNetwork,
    x: Tensor,
    labels: Tensor,
    losses: Losses,
    feedback: Feedback = (),
) -> list[Change]:
    """What each layer learns, first to last; the weights stay."""
    return sorted(RULES[rule](Task(net, x, labels, losses, feedback)), key=lambda c: c.layer)


def deltas_of(
    rule: RuleName,
    net: FloatNetwork,
    x: Tensor,
    labels: Tensor,
    losses: Losses,
    feedback: Feedback = (),
) -> Deltas:
    """The delta of each layer; None where it learns nothing."""
    deltas: Deltas = [None] * len(losses)
    for index, _, delta in changes_of(rule, net, x, labels, losses, feedback):
        deltas[index] = delta
    return deltas
