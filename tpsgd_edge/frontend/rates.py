"""Learning rates that follow from the data, where the spec gives none."""

from collections.abc import Iterator

import numpy as np

from tpsgd_edge.frontend.data import Choice, Dataset
from tpsgd_edge.frontend.network import dataset_scaling, graph_layers
from tpsgd_edge.frontend.scaling import some_samples
from tpsgd_edge.graph import WeightedLayer
from tpsgd_edge.graph.memory import memory_of
from tpsgd_edge.spec import Spec, asked_learning_rate, is_normalized, layer_index
from tpsgd_edge.spec.problems import raise_problems
from tpsgd_edge.spec.rates import BESIDE_ATTENTION, STEP_SIZES, rate_problems

# Digits that are kept: sums of another machine give the same rates.
_DIGITS = 3


def with_learning_rates(spec: Spec, dataset: Dataset) -> Spec:
    """The spec with a rate in each layer, where `is_normalized` says that they are normalized.

    It is that of normalized least mean squares: a step size over the mean of |x|^2, x what the
    layer reads (Haykin, "Adaptive Filter Theory", chapter on normalized LMS); a convolution reads a
    patch, a recurrent layer a step and its own outputs. For outputs of units, which move between
    small first values and 1, half their number stands for it. Where a layer has a rate of its own,
    it keeps it; one that the spec asks for elsewhere stays there.

    Raises:
        SpecError: the spec has a step size that nobody would look at.
    """
    raise_problems(list(rate_problems(spec)), source=spec.source)
    if not is_normalized(spec):
        return spec
    found = dict(_rates(spec, dataset))
    layers = tuple(
        layer.weighted.with_rate_of_data(found[layer.weighted.name])
        if layer.weighted is not None and layer.weighted.name in found
        else layer
        for layer in spec.model.layers
    )
    model = spec.model.model_copy(update={"layers": layers})
    return spec.model_copy(update={"model": model})


def rate_choices(before: Spec, after: Spec) -> Iterator[Choice]:
    """The rates that `after` has and `before` had not."""
    found = [
        f"{layer.weighted.name} {layer.weighted.learning_rate:g}"
        for index, layer in enumerate(after.model.layers)
        if layer.weighted is not None
        and layer.weighted.learning_rate is not None
        and asked_learning_rate(before, index) is None
    ]
    if found:
        reason = "a step size over the mean square of what each layer reads"
        yield Choice("learning_rate", ", ".join(found), reason)


def _rates(spec: Spec, dataset: Dataset) -> Iterator[tuple[str, float]]:
    """Name and rate of each layer with weights for which the spec asks for none."""
    whole = graph_layers(spec, dataset)
    layers = [la.weighted for la in whole if la.weighted is not None]
    memories = [memory for memory in map(memory_of, whole) if memory is not None]
    attends = any(layer.kind == "attention" for layer in whole)
    measured = {memory.name for memory in memories if memory.reach}
    names, edges = {layer.name for layer in layers}, spec.model.edges
    for place, layer in enumerate(layers):
        if asked_learning_rate(spec, layer_index(spec, layer.name)) is not None:
            continue
        if layer.n_out == 0:
            continue  # Statistics follow their samples by themselves.
        is_first = edges.up_to(layer.name) & names == {layer.name}
        if measured.intersection(edges.inputs_of(layer.name)):
            square = float(layer.n_in)  # The std of each is 1.
        else:
            square = _first_square(spec, dataset, layer) if is_first else layer.n_in / 2
        is_output = place == len(layers) - 1 and layer.kind != "detector"
        part = "output" if is_output else layer.kind
        usual = STEP_SIZES[part, dataset.labels.kind]
        if attends and not is_output:
            usual = min(usual, BESIDE_ATTENTION)
        step = spec.rule.step_size or usual
        rate = float(f"{step / max(square, 1.0):.{_DIGITS}g}")
        yield layer.name, rate


def _first_square(spec: Spec, dataset: Dataset, layer: WeightedLayer) -> float:
    """The mean square of what a layer reads that reads the samples themselves, scaled."""
    x = some_samples(dataset.first.x_train, dataset_scaling(spec, dataset))
    square = float(np.mean(np.square(x)))
    if layer.is_recurrent:
        return square * layer.x_count + layer.n_out / 2
    return square * layer.n_in
