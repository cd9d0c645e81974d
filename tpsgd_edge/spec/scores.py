"""Checks of a spec whose layers carry scores (docs/ARITHMETIC.md, section 22)."""

from collections.abc import Iterator

from tpsgd_edge.spec.blocks import passed_layers
from tpsgd_edge.spec.problems import Problem
from tpsgd_edge.spec.sections import Spec
from tpsgd_edge.spec.walks import walk_length

_KEY = '[rule], scores = "carried"'
_OWN = 'remove it, or set scores = "own"'


def scores_problems(spec: Spec) -> Iterator[Problem]:
    """Everything that keeps a net from carrying scores, whatever its labels and losses are."""
    if spec.rule.kind == "backprop":
        yield Problem(
            "backpropagation has no read-outs whose scores could be carried",
            where="[rule], scores",
            found='scores = "carried", kind = "backprop"',
            help='remove scores, or kind = "backprop"',
        )
    for layer in spec.model.layers:
        if layer.is_recurrent:
            yield Problem(
                f"the recurrent layer '{layer.name}' carries no scores: it would gain nothing",
                where=_KEY,
                found=f'kind = "{layer.kind}"',
                help=_OWN,
            )
    walking = spec.model.layers[: walk_length(spec.model.layers)]
    if walking and not any(layer.is_recurrent for layer in walking):
        yield Problem(
            "layers that learn along a sequence carry no scores",
            where=_KEY,
            found=f"the memory '{walking[-1].name}' at the end of {len(walking)} layers along it",
            help=_OWN,
        )
    passed = passed_layers(spec.model)
    if passed:
        yield Problem(
            f"layer '{passed[0]}' has no read-out that could add to scores",
            where=_KEY,
            found='error = "passed"',
            help='remove scores, or set error = "own": blocks gain nothing by carried scores',
        )
    if spec.model.has_first_weights:
        yield Problem(
            "a net that has learned before carries no scores: its answers would be others",
            where=_KEY,
            found="initial weights from model.source, model.weights_file or [model.pretrain]",
            help=_OWN,
        )
    if not any(layer.train for layer in spec.model.weighted[:-1]):
        yield Problem(
            "there are no hidden layers that learn, and so no scores to carry",
            where=_KEY,
            found=f"{len(spec.model.weighted) - 1} hidden layers with weights",
            help=_OWN,
        )


def carried_loss_problems(name: str, loss: str, *, is_last: bool, where: str) -> Iterator[Problem]:
    """Problems with the loss of a layer that learns or is the last one."""
    wanted = "softmax_cross_entropy" if is_last else "projected_cross_entropy"
    if loss != wanted:
        yield Problem(
            f"scores that are carried need the loss '{wanted}' in layer '{name}'",
            where=where,
            found=f"{_KEY}, and the loss '{loss}'",
            help=f'set the loss to "{wanted}", for classes, or scores = "own"',
        )
