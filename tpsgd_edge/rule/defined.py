"""Checks whether a rule is defined for networks, labels and losses. Does not load torch."""

from collections.abc import Sequence

from tpsgd_edge.arithmetic.activations import FACTS
from tpsgd_edge.errors import SpecError
from tpsgd_edge.graph import Graph
from tpsgd_edge.spec import LossSpec
from tpsgd_edge.spec.loss import LABEL_SPACE


def check_activations(graph: Graph) -> None:
    """Check that the slope of each layer's activation follows from its outputs.

    Raises:
        SpecError: one does not.
    """
    fixed = [layer for layer in graph.weighted if not FACTS[layer.activation].learns]
    if fixed:
        raise SpecError(
            f"no rule trains layer '{fixed[0].name}' with activation = \"{fixed[0].activation}\"",
            where=f"[model], layer '{fixed[0].name}'",
            found="a slope that does not follow from the output",
            help="compare rules on the same net with elu, softplus, relu or leaky_relu",
        )


def check_rule(graph: Graph, rule: str, losses: Sequence[LossSpec]) -> None:
    """Check that a rule is defined for a network, its labels and its losses.

    Raises:
        SpecError: it is not; the message says why.
    """
    check_activations(graph)
    if graph.layers[-1].kind == "detector":
        raise SpecError(
            "there is no rule in floating point for detectors",
            where=f"[model], layer '{graph.layers[-1].name}'",
            found='kind = "detector"',
            help="docs/results/anomaly.md compares them with others; simulate trains in integers",
        )
    hidden = [loss.kind for loss in losses[:-1]]
    if rule == "tpsgd_learned" and not set(hidden) & set(LABEL_SPACE):
        raise SpecError(
            "no read-out of the network could learn",
            where="[rule], loss",
            found=f"hidden layers with the loss '{hidden[0]}'" if hidden else "no hidden layer",
            help="a loss in target space reads nothing out; take projected_cross_entropy or "
            "projected_l2, or leave tpsgd_learned out",
        )
    if rule == "tpsgd_carried":
        _check_carried(graph, losses)
    if rule == "drtp" and graph.labels.kind == "vector":
        raise SpecError(
            "DRTP is not defined for label vectors",
            where="[data], the labels",
            found=f"vectors of {graph.labels.count} values",
            help="its signal is the label itself, which says where an error points only for "
            "classes; take dfa, sdfa or tpsgd",
        )
    if rule == "pepita" and graph.walk:
        raise SpecError(
            "PEPITA is not defined for recurrent layers and memories",
            where=f"[model], layer '{graph.walk[0].name}'",
            found=graph.walk[0].kind,
            help="its second pass would begin the sequence again; take backprop, fa, dfa, sdfa, "
            "drtp or tpsgd",
        )


def _check_carried(graph: Graph, losses: Sequence[LossSpec]) -> None:
    *hidden, last = zip(graph.weighted, losses, strict=True)
    learning = [(layer, loss) for layer, loss in hidden if layer.learning.trainable]
    others = [(layer, loss) for layer, loss in learning if loss.kind != "projected_cross_entropy"]
    others += [last] if last[1].kind != "softmax_cross_entropy" else []
    if graph.recurrent or not learning or others or graph.blocks:
        layer, loss = others[0] if others else last
        found = f"layer '{layer.name}' with the loss '{loss.kind}'"
        if graph.recurrent:
            found = f"the recurrent layer '{graph.recurrent[0].name}'"
        if graph.blocks:
            found = f"layer '{graph.blocks[0][-1]}', whose error is passed to it"
        raise SpecError(
            "the network has no scores that could be carried",
            where="[model], layers",
            found=found
            if others or graph.recurrent or graph.blocks
            else "no hidden layer that learns",
            help="classifiers of dense layers and convolutions carry them, under "
            "projected_cross_entropy and softmax_cross_entropy; leave tpsgd_carried out",
        )
