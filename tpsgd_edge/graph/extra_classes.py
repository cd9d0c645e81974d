"""Room for classes that are learned on the device (docs/ARITHMETIC.md, section 19)."""

from dataclasses import replace

import numpy as np

from tpsgd_edge.graph.graph import Graph, Weights


def with_extra_classes(graph: Graph, count: int) -> Graph:
    """The graph with `count` more units in its last layer, and labels for them.

    Where the layer has weights, those of a new unit are the means of the others: its output is the
    mean of theirs, which is never the largest, so no class is answered before it was taught.
    """
    last = graph.layers[-1].weighted
    if count == 0 or last is None or last.kind != "dense":
        return graph
    weights = dict(graph.weights)
    if last.name in weights:
        w, b = weights[last.name].w, weights[last.name].b
        more = np.repeat(w.mean(axis=0, keepdims=True), count, axis=0)
        weights[last.name] = Weights(
            np.concatenate([w, more]), np.concatenate([b, np.full(count, b.mean())])
        )
    return replace(
        graph,
        layers=(*graph.layers[:-1], replace(last, n_out=last.n_out + count)),
        labels=replace(graph.labels, count=graph.labels.count + count),
        weights=weights,
    )
