"""Answer to whether a net carries scores, where the spec leaves it open."""

from itertools import chain

from tpsgd_edge.spec.layers import ConvSpec
from tpsgd_edge.spec.rules import LabelsKind, is_last, layer_index, layer_loss
from tpsgd_edge.spec.scores import carried_loss_problems, scores_problems
from tpsgd_edge.spec.sections import Spec

# Convolutions that learn, from which on nets gain by scores that are carried.
_FEWEST = 3


def carries_scores(spec: Spec, labels_kind: LabelsKind) -> bool:
    """Tell whether layers learn from the sum of their scores with those of the layers before.

    Where nothing is said, classifiers with three convolutions that learn or more do, if they can:
    the layers above keep what those below know. Two gain nothing by it (docs/RESULTS.md).
    """
    if spec.rule.scores is not None:
        return spec.rule.scores == "carried"
    learning = [la for la in spec.model.layers if isinstance(la, ConvSpec) and la.train]
    return len(learning) >= _FEWEST and can_carry_scores(spec, labels_kind)


def can_carry_scores(spec: Spec, labels_kind: LabelsKind) -> bool:
    """Tell whether layers and losses of the net let scores be carried."""
    if any(scores_problems(spec)):
        return False
    weighted = spec.model.weighted
    names = [layer.name for layer in weighted if layer.train or layer is weighted[-1]]
    places = [layer_index(spec, name) for name in names]
    losses = [layer_loss(spec, place, labels_kind).kind for place in places]
    found = (
        carried_loss_problems("", loss, is_last=is_last(spec, place), where="")
        for place, loss in zip(places, losses, strict=True)
    )
    return not any(chain.from_iterable(found))
