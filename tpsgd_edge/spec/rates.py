"""The learning rate of a layer: what the spec says, and what it leaves to the data."""

from collections.abc import Iterator

from tpsgd_edge.spec.problems import Problem
from tpsgd_edge.spec.rules import LabelsKind, is_last, weighted_layer
from tpsgd_edge.spec.sections import Spec

# Of nets whose rates are not normalized.
DEFAULT_RATE = 0.003
# What takes the place of `rule.step_size` where the spec has none, by the kind of layer and of
# labels (docs/RESULTS.md).
STEP_SIZES: dict[tuple[str, LabelsKind], float] = {
    ("dense", "class"): 0.3,
    ("conv2d", "class"): 0.3,
    ("rnn", "class"): 0.003,
    ("gru", "class"): 0.003,
    ("lstm", "class"): 0.003,
    ("detector", "class"): 0.1,
    ("output", "class"): 0.3,
    ("dense", "vector"): 0.1,
    ("conv2d", "vector"): 0.1,
    ("rnn", "vector"): 0.003,
    ("gru", "vector"): 0.003,
    ("lstm", "vector"): 0.003,
    ("detector", "vector"): 0.1,
    ("output", "vector"): 0.03,
}
# That of hidden layers in nets with attention: their linear layers have no bound that stops them.
BESIDE_ATTENTION = 0.01


def layer_learning_rate(spec: Spec, index: int) -> float:
    """The learning rate of a layer: what is asked for, else one that suits most nets.

    Where rates are normalized, `with_learning_rates` has to come first.
    """
    return asked_learning_rate(spec, index) or DEFAULT_RATE


def asked_learning_rate(spec: Spec, index: int) -> float | None:
    """A layer's own learning rate, the output's for the last, or the rule's; None: none is said."""
    own = weighted_layer(spec, index).learning_rate
    if own is None and is_last(spec, index):
        own = spec.rule.output_learning_rate
    return own if own is not None else spec.rule.learning_rate


def is_rate_open(spec: Spec, index: int) -> bool:
    """Tell whether a layer's rate was left open, so that the nearest possible one will do."""
    is_chosen = weighted_layer(spec, index).has_rate_of_data
    return is_chosen or asked_learning_rate(spec, index) is None


def is_normalized(spec: Spec) -> bool:
    """Tell whether learning rates are to follow from what layers read.

    They do where none is said, in nets that start from nothing and learn by tpSGD.
    """
    model, rule = spec.model, spec.rule
    return rule.learning_rate is None and rule.kind == "tpsgd" and not model.has_first_weights


def rate_problems(spec: Spec) -> Iterator[Problem]:
    """Reject `step_size` where it has no effect."""
    if spec.rule.step_size is not None and not is_normalized(spec):
        yield Problem(
            "learning rates do not follow from the data in this net",
            where="[rule], step_size",
            found=f"step_size = {spec.rule.step_size:g}",
            help="give learning_rate instead; step_size is for nets that start from nothing and "
            "learn by tpSGD",
        )
