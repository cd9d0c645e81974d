"""Prototypes: what each class looks like in a trained net (docs/ARITHMETIC.md, section 19)."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.projection import draw_projection
from tpsgd_edge.arithmetic.random import Purpose, stream
from tpsgd_edge.arithmetic.types import Real
from tpsgd_edge.frontend.data import Dataset
from tpsgd_edge.frontend.network import dataset_scaling
from tpsgd_edge.graph import Graph, Layer
from tpsgd_edge.graph.forward import behind, seen_by_loss, through_time
from tpsgd_edge.spec import Spec

# A class's mean hardly moves with more samples than these, spread evenly over the set.
_SAMPLES = 2048
_CHUNK = 64


def with_prototypes(spec: Spec, graph: Graph, dataset: Dataset) -> Graph:
    """The graph with the targets of all layers that learn towards prototypes.

    They are measured with the initial weights, on training samples of the domain that these weights
    come from.
    """
    wanted = {layer.name: at for at, layer in enumerate(graph.layers) if _wants(graph, layer)}
    if not wanted:
        return graph
    mean, std = dataset_scaling(spec, dataset)
    first = dataset.first
    every = max(1, len(first.x_train) // _SAMPLES)
    x = np.asarray((first.x_train[::every] - mean) / std, np.float64)
    means, known = class_means(graph, x, first.y_train[::every], spec.seed)
    targets = {}
    for name, index in wanted.items():
        seed = stream(spec.seed, Purpose.PROJECTION, index)
        targets[name] = _filled(means[name], known, seed)
    return replace(graph, prototypes=targets)


def class_means(
    graph: Graph, x: Real, y: NDArray[np.integer], seed: int
) -> tuple[dict[str, Real], NDArray[np.bool_]]:
    """Mean of what the local loss of each layer sees, for each class, and which classes there are.

    Args:
        x: samples after the data's scaling, shape (n, n_in).
        y: classes, shape (n,), or of each step, (n, steps).

    Returns:
        Arrays (n_target, K) by the names of the layers with weights; a mask (K,).
    """
    count = graph.labels.count
    sums: dict[str, Real] = {}
    for start in range(0, len(x), _CHUNK):
        part = slice(start, start + _CHUNK)
        for name, values, classes in _seen(graph, x[part], y[part], seed):
            rows = np.eye(count)[classes].T @ values
            sums[name] = sums.get(name, 0.0) + rows
    classes_there = np.bincount(np.ravel(y), minlength=count)
    totals = {name: _per_class(graph, name, classes_there) for name in sums}
    means = {name: (sums[name] / totals[name][:, np.newaxis]).T for name in sums}
    return means, classes_there > 0


def _per_class(graph: Graph, name: str, there: NDArray[np.integer]) -> Real:
    """Number of values (K,) that each class has in the sums of a layer."""
    steps = 1 if graph.labels.each_step else len(_learning_steps(graph))
    is_recurrent = any(layer.name == name for layer in graph.recurrent)
    values: Real = np.maximum(there * (steps if is_recurrent else 1), 1).astype(np.float64)
    return values


def _seen(
    graph: Graph, x: Real, y: NDArray[np.integer], seed: int
) -> Iterator[tuple[str, Real, NDArray[np.integer]]]:
    """Layer by layer: its name, what its loss sees (values, n_target), and the classes of these."""
    steps = _learning_steps(graph)
    each = np.repeat(y, len(steps)) if not graph.labels.each_step else np.ravel(y)
    for layer, (_, states) in zip(graph.recurrent, through_time(graph, x, seed), strict=True):
        yield layer.name, states[:, steps].reshape(-1, layer.n_out), each
        x = states[:, steps if graph.labels.each_step else [-1]].reshape(-1, layer.n_out)
    others = graph.layers[len(graph.recurrent) :]
    for other, values in zip(others, behind(graph, x, seed), strict=True):
        if other.weighted is not None:
            yield other.name, seen_by_loss(other.weighted, values), np.ravel(y)


def _learning_steps(graph: Graph) -> list[int]:
    last, every = graph.steps - 1, 1 if graph.labels.each_step else graph.learn_every
    return [*range(last % every, last, every), last] if every else [last]


def _wants(graph: Graph, layer: Layer) -> bool:
    if layer is graph.layers[-1] or layer.weighted is None:
        return False
    learning = layer.weighted.learning
    return learning.projection == "prototype" and learning.trainable


def _filled(means: Real, known: NDArray[np.bool_], seed: int) -> Real:
    """The means, and for each class without samples the middle of the others and a random code."""
    middle = means[:, known].mean(axis=1, keepdims=True)
    spread = means[:, known].std(axis=1, keepdims=True)
    codes = middle + spread * draw_projection("sign", seed, (len(means), len(known)))
    return np.where(known, means, codes)
