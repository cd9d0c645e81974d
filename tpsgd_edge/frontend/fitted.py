"""Projections that are fitted to a net's initial weights (docs/ARITHMETIC.md, section 9).

A random read-out of a few filters cannot tell the classes apart, whatever the filters learn. The
one that is fitted is the linear classifier, by least squares, of what a layer makes of some samples
before training; then it stays, as a random one does.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.projection import UNIT, draw_projection
from tpsgd_edge.arithmetic.random import Purpose, stream
from tpsgd_edge.arithmetic.types import Real
from tpsgd_edge.canonical import canonical
from tpsgd_edge.frontend.data import Dataset, Samples, label_scaling
from tpsgd_edge.frontend.network import dataset_scaling
from tpsgd_edge.frontend.remembered import remembered
from tpsgd_edge.frontend.scaling import Scaling, evenly, scaled_samples
from tpsgd_edge.graph import Graph, Learning
from tpsgd_edge.graph.forward import behind, seen_by_loss
from tpsgd_edge.spec import Spec

# How many of the samples to fit to run at once.
_CHUNK = 64
# What is added to the variance of each value, as a share of their mean.
_RIDGE = 0.01
_LARGEST = 127


def with_fitted_projections(
    spec: Spec, graph: Graph, dataset: Dataset, *, from_nothing: bool = False
) -> Graph:
    """The graph with the projections of all layers whose spec has them fitted.

    They are fitted with the initial weights, on training samples of the domain of these.

    Args:
        from_nothing: whether the net is to learn from nothing, whatever weights the spec names.
    """
    places = [
        place
        for place, layer in enumerate(graph.layers[:-1])
        if layer.weighted is not None
        and _starts_fitted(layer.weighted.learning, from_nothing=from_nothing)
    ]
    if not places:
        return graph
    x_train = dataset.first.x_train
    some = evenly(len(x_train))
    task = _Task(
        graph,
        tuple(places),
        spec.seed,
        x_train[some],
        dataset_scaling(spec, dataset),
        _label_rows(spec, graph, dataset)[some],
    )
    return replace(graph, fitted=remembered(canonical(task), lambda: _fitted(task)))


@dataclass(frozen=True, slots=True)
class _Task:
    """All that fits follow from.

    Attributes:
        places: of the layers to fit.
        x: samples (m, n_in) as they are; `scaling` is what comes next.
        wanted: their labels as vectors (m, K).
    """

    graph: Graph
    places: tuple[int, ...]
    seed: int
    x: Samples
    scaling: Scaling
    wanted: Real


def _fitted(task: _Task) -> dict[str, NDArray[np.int8]]:
    """Fit the projections, by names of their layers."""
    graph, places = task.graph, task.places
    x = scaled_samples(task.x, task.scaling)
    seen: dict[int, list[Real]] = {place: [] for place in places}
    for start in range(0, len(x), _CHUNK):
        outputs = behind(graph, x[start : start + _CHUNK], task.seed)
        # The layers behind the last that is fitted need not run.
        for place, y in zip(range(places[-1] + 1), outputs, strict=False):
            layer = graph.layers[place].weighted
            if place in seen and layer is not None:
                seen[place].append(seen_by_loss(layer, y))
    return {
        graph.layers[place].name: _whole(
            least_squares(np.concatenate(parts), task.wanted),
            stream(task.seed, Purpose.PROJECTION, place),
        )
        for place, parts in seen.items()
    }


def least_squares(seen: Real, wanted: Real) -> Real:
    """P (n_target, K), for which (seen - mean) P is nearest to wanted - mean, with a small ridge.

    Args:
        seen: shape (n, n_target).
        wanted: shape (n, K).
    """
    m, t = seen - seen.mean(axis=0), wanted - wanted.mean(axis=0)
    ridge = _RIDGE * float(np.square(m).sum()) / m.shape[1] + 1e-12
    if m.shape[1] <= len(m):
        return np.asarray(np.linalg.solve(m.T @ m + ridge * np.eye(m.shape[1]), m.T @ t))
    # The same, by a matrix as large as there are samples.
    return np.asarray(m.T @ np.linalg.solve(m @ m.T + ridge * np.eye(len(m)), t))


def _starts_fitted(learning: Learning, *, from_nothing: bool) -> bool:
    chosen = learning.first_projection if from_nothing else learning.projection
    chosen = learning.first_projection if chosen == "learned" else chosen
    return learning.trainable and chosen == "fitted"


def _label_rows(spec: Spec, graph: Graph, dataset: Dataset) -> Real:
    labels, count = dataset.first.y_train, graph.labels.count
    if graph.labels.kind == "class":
        return np.asarray(np.eye(count)[labels], np.float64)
    middle, spread = label_scaling(spec, labels)
    return np.asarray((labels - middle) / spread, np.float64)


def _whole(p: Real, seed: int) -> NDArray[np.int8]:
    std = float(np.sqrt(np.square(p).mean()))
    if std < 1e-9:  # nothing to tell the labels by: one class, or units that are all silent
        return draw_projection("gaussian", seed, (p.shape[0], p.shape[1]))
    rounded = np.floor(p / std / UNIT["fitted"] + 0.5)
    return np.clip(rounded, -_LARGEST, _LARGEST).astype(np.int8)
