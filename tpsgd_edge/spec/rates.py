"""The learning rate of a layer: what the spec says, and what it leaves to the data."""

from collections.abc import Iterator

from tpsgd_edge.spec.layers import DenseSpec
from tpsgd_edge.spec.problems import Problem
from tpsgd_edge.spec.rules import LABEL_SPACE, LabelsKind, first_loss, is_last, trained_layer
from tpsgd_edge.spec.sections import Spec

# Of nets whose rates are not normalized.
DEFAULT_RATE = 0.003


def layer_learning_rate(spec: Spec, index: int) -> float:
    """The learning rate of a layer: what is asked for, else one that suits most nets.

    Where rates are normalized, `with_learning_rates` has to come first.
    """
    return asked_learning_rate(spec, index) or DEFAULT_RATE


def asked_learning_rate(spec: Spec, index: int) -> float | None:
    """A layer's own learning rate, the output's for the last, or the rule's; None: none is said."""
    own = trained_layer(spec, index).learning_rate
    if own is None and is_last(spec, index):
        own = spec.rule.output_learning_rate
    return own if own is not None else spec.rule.learning_rate


def is_normalized(spec: Spec, labels_kind: LabelsKind) -> bool:
    """Whether learning rates are to follow from what layers read.

    Where none is said: in dense classifiers that start from nothing, and whose hidden layers have
    the losses that it was measured with, those in label space (docs/RESULTS.md).
    """
    model, count = spec.model, len(spec.model.layers)
    if spec.rule.learning_rate is not None or spec.rule.kind == "backprop":
        return False
    is_dense = all(isinstance(layer, DenseSpec) for layer in model.layers)
    if labels_kind == "vector" or model.has_first_weights or not is_dense:
        return False
    losses = [first_loss(spec, index, labels_kind) for index in range(count - 1)]
    return all(loss.kind in LABEL_SPACE for loss in losses)


def rate_problems(spec: Spec, labels_kind: LabelsKind) -> Iterator[Problem]:
    """A step size where rates are not normalized: nobody would look at it."""
    if "step_size" in spec.rule.model_fields_set and not is_normalized(spec, labels_kind):
        yield Problem(
            "learning rates do not follow from the data in this net",
            where="[rule], step_size",
            found=f"step_size = {spec.rule.step_size:g}",
            help="give learning_rate instead; step_size is for dense classifiers that start from "
            "nothing, with losses in label space",
        )
