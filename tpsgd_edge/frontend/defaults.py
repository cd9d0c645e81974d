"""Defaults that follow from the data: scaling of samples, epochs, learning rates.

`with_defaults` writes it into the spec before anything else reads it, so that generator, reference,
report and digest see plain values. Measured by tools/results_defaults.py (docs/RESULTS.md).
"""

import math
from dataclasses import replace

from tpsgd_edge.frontend.data import Choice, Dataset
from tpsgd_edge.frontend.network import sample_shape
from tpsgd_edge.frontend.rates import rate_choices, with_learning_rates
from tpsgd_edge.frontend.scaling import chosen_scaling
from tpsgd_edge.spec import KEEPING, Conv1dSpec, Conv2dSpec, Spec

# A step learns from one sample, so a small set needs many epochs; more overfit the noisy ones.
_STEPS, _FEWEST_EPOCHS, _MOST_EPOCHS = 10_000, 10, 1000


def with_defaults(spec: Spec, dataset: Dataset) -> tuple[Spec, Dataset]:
    """The spec with everything in it that it left to the data, and the data set that says so.

    Raises:
        SpecError: the spec has a step size that nobody would look at, or an input shape that does
            not fit the samples.
    """
    scaled, scaling = _with_scaling(spec, dataset)
    timed, epochs = _with_epochs(scaled, dataset)
    learning = with_learning_rates(timed, dataset)
    chosen = (*scaling, *epochs, *rate_choices(timed, learning))
    return learning, replace(dataset, said=replace(dataset.said, chosen=chosen))


def default_epochs(count: int) -> int:
    """Passes over so many training samples.

    >>> [default_epochs(count) for count in (5, 150, 60_000)]
    [1000, 67, 10]
    """
    return min(max(_FEWEST_EPOCHS, math.ceil(_STEPS / max(1, count))), _MOST_EPOCHS)


def _with_scaling(spec: Spec, dataset: Dataset) -> tuple[Spec, tuple[Choice, ...]]:
    if spec.data.scaling != "auto":
        return spec, ()
    if spec.model.source is not None or spec.model.weights_file is not None:
        scaling, why = "none", "a net that was trained before reads samples as they are"
    else:
        walks = spec.model.layers[0].kind in KEEPING
        first = spec.model.weighted[0]
        scaling, why = chosen_scaling(
            dataset.first.x_train,
            sample_shape(spec, dataset.input_shape),
            is_sequence=walks or isinstance(first, Conv1dSpec) or spec.features is not None,
            is_map=isinstance(first, Conv2dSpec),
        )
    data = spec.data.model_copy(update={"scaling": scaling})
    choice = Choice("data.scaling", f'"{scaling}"', why)
    return spec.model_copy(update={"data": data}), (choice,)


def _with_epochs(spec: Spec, dataset: Dataset) -> tuple[Spec, tuple[Choice, ...]]:
    if spec.rule.epochs is not None:
        return spec, ()
    count = len(dataset.x_train)
    epochs = default_epochs(count)
    rule = spec.rule.model_copy(update={"epochs": epochs})
    choice = Choice("rule.epochs", str(epochs), f"{epochs * count:,} steps")
    return spec.model_copy(update={"rule": rule}), (choice,)
