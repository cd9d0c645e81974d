"""Learning rates that follow from the data, where the spec gives none."""

import numpy as np

from tpsgd_edge.frontend.data import Dataset
from tpsgd_edge.frontend.network import dataset_scaling
from tpsgd_edge.frontend.scaling import some_samples
from tpsgd_edge.spec import DenseSpec, Spec, asked_learning_rate, is_normalized, layer_index
from tpsgd_edge.spec.problems import raise_problems
from tpsgd_edge.spec.rates import rate_problems

# Digits that are kept: sums of another machine give the same rates.
_DIGITS = 3


def with_learning_rates(spec: Spec, dataset: Dataset) -> Spec:
    """The spec with a rate in each layer, where `is_normalized` says that they are normalized.

    It is that of normalized least mean squares: `rule.step_size` over the mean of |x|^2, x what the
    layer reads (Haykin, "Adaptive Filter Theory", chapter on normalized LMS). For outputs of hidden
    units, which move between small first values and 1, half their number stands for it. Where a
    layer has a rate of its own, it keeps it.

    Raises:
        SpecError: the spec has a step size that nobody would look at.
    """
    raise_problems(list(rate_problems(spec, dataset.labels.kind)), source=spec.source)
    if not is_normalized(spec, dataset.labels.kind):
        return spec
    square, layers = _mean_square(spec, dataset), []
    for layer in spec.model.layers:
        assert isinstance(layer, DenseSpec)
        asked = asked_learning_rate(spec, layer_index(spec, layer.name))
        rate = float(f"{spec.rule.step_size / square:.{_DIGITS}g}") if asked is None else asked
        layers.append(layer.model_copy(update={"learning_rate": rate}))
        square = max(layer.units / 2, 1.0)
    model = spec.model.model_copy(update={"layers": tuple(layers)})
    return spec.model_copy(update={"model": model})


def _mean_square(spec: Spec, dataset: Dataset) -> float:
    """Of the inputs as the net sees them; 1 where they are less."""
    x = some_samples(dataset.first.x_train, dataset_scaling(spec, dataset))
    return max(float(np.mean(np.sum(np.square(x), axis=1))), 1.0)
