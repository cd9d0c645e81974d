"""How large the initial weights of convolutions are."""

import math

import numpy as np
import pytest

from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.graph.initial_weights import initial_bound, initial_weights
from tpsgd_edge.spec import spec_from_dict

X = np.zeros((6, 8, 8), np.float32)
CLASSES = np.arange(6) % 2


def graph_of(folder, *kinds):
    layers = [{"kind": kind, "name": f"c{i}", "filters": 20} for i, kind in enumerate(kinds)]
    content = {
        "name": "toy",
        "model": {"layers": [*layers, {"name": "hidden", "units": 4}, {"name": "out", "units": 2}]},
        "data": {"file": "toy.npz"},
    }
    spec = spec_from_dict(content, folder=folder)
    return build_graph(spec, dataset_from_arrays(spec, X, CLASSES))


@pytest.mark.parametrize(("convolutions", "gain"), [(1, 1), (2, 1), (3, math.sqrt(3))])
def test_deep_nets_have_larger_filters(tmp_path, convolutions, gain):
    graph = graph_of(tmp_path, *["conv2d"] * convolutions)
    for index, layer in enumerate(graph.layers[:convolutions]):
        assert initial_bound(graph, index) == gain / math.sqrt(layer.n_in)
    assert initial_bound(graph, convolutions) == 1 / math.sqrt(graph.layers[convolutions].n_in)


def test_filters_of_deep_nets_keep_the_size_of_a_signal(tmp_path):
    graph = graph_of(tmp_path, "conv2d", "conv2d", "conv2d")
    w = initial_weights(graph, 2, seed=1).w
    assert np.square(w).sum(axis=1).mean() == pytest.approx(1, rel=0.05)
