"""A program of one's own around the generated code, with samples of the spec's data."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.codegen.example import ExampleView, example_main, example_view
from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.data import Dataset
from tpsgd_edge.spec import Spec
from tpsgd_edge.stages.preparation import Prepared, prepare

# As many samples as a page holds, one of each class at least where there are few of them.
_MOST_SAMPLES, _MOST_NUMBERS = 12, 4_000


def example_program(spec: Spec) -> str:
    """The text of a main.c that trains the net of a spec on some of its training samples.

    Raises:
        TpsgdError: the spec or data are at fault; each step of a sequence has a label.
    """
    return example_main(example_of(prepare(spec)))


def example_of(prepared: Prepared) -> ExampleView:
    """The samples of an example.

    Raises:
        SpecError: each step of a sequence has a label.
    """
    spec, dataset, model = prepared.spec, prepared.dataset, prepared.model
    if model.labels.each_step:
        raise SpecError(
            "there is no example for sequences with a label for each step",
            where=spec.source,
            help=f"README.md of the project says how to call {model.name}_step",
        )
    chosen = some_of_each(dataset)
    return example_view(
        model,
        dataset.x_train[chosen],
        dataset.y_train[chosen],
        dataset.class_names,
        spec_file=spec.source,
        data_file=dataset.source,
    )


def some_of_each(dataset: Dataset) -> NDArray[np.intp]:
    """Indices (n,) of training samples: of classes the first of each, then the second of each."""
    n_in, y = dataset.x_train.shape[1], dataset.y_train
    count = min(max(2, _MOST_NUMBERS // n_in), _MOST_SAMPLES, len(y))
    return np.arange(count) if dataset.labels.kind == "vector" else _by_turns(y)[:count]


def _by_turns(y: NDArray[Any]) -> NDArray[np.intp]:
    """Indices sorted by how many of the same class came before."""
    turn = np.zeros(len(y), np.int64)
    for label in np.unique(y):
        of_class = y == label
        turn[of_class] = np.arange(of_class.sum())
    return np.argsort(turn, kind="stable")
