"""What the rules learn through recurrent layers in floating point."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from tests.support.learning import with_learning
from tpsgd_edge.graph import Dense, Graph, Labels, Rnn
from tpsgd_edge.rule import pretrain
from tpsgd_edge.rule.network import first_network
from tpsgd_edge.rule.train import train_float
from tpsgd_edge.spec import LossSpec, spec_from_dict

HIDDEN = LossSpec(kind="projected_cross_entropy")
LAST = LossSpec(kind="softmax_cross_entropy")
STEPS = 6


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Layers this small are far slower on several threads where others use the cores too."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def quadrants(n: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """The class is the quadrant of the sum of the first two of eight values over all steps."""
    x = np.random.default_rng(1).standard_normal((n, STEPS, 8))
    first, second = x[:, :, :2].sum(axis=1).T
    return x.reshape(n, -1), 2 * (first > 0) + (second > 0)


def sequence_net(
    n_x: int = 8, *, each_step: bool = False, has_traces: bool = False, learn_every: int = 0
) -> Graph:
    layers = (Rnn("rnn1", n_x, 24, (0.25,), "tanh", has_traces), Dense("out", 24, 4, "linear"))
    return Graph("net", layers, Labels("class", 4, each_step), {}, STEPS, learn_every)


@pytest.mark.slow
def test_what_the_rules_learn():
    x, y = quadrants()

    def accuracy(rule: str, rates: tuple[float, float], **settings: int) -> float:
        graph, losses = sequence_net(**settings), (HIDDEN, LAST)
        common = {"losses": losses, "batch": 8, "epochs": 15, "learning_rate": rates}
        return train_float(graph, x, y, rule=rule, **common).accuracy(x, y)

    random, best = accuracy("last_layer", (0.0, 0.2)), accuracy("backprop", (0.2, 0.2))
    for has_traces in (False, True):
        for learn_every in (0, 1):
            ways = {"has_traces": has_traces, "learn_every": learn_every}
            local = accuracy("tpsgd", (0.01, 0.05), **ways)
            assert random + 0.05 < local < best, ways


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["tpsgd", "backprop"])
def test_labels_of_each_step_are_learned(rule):
    random = np.random.default_rng(1)
    x = random.standard_normal((300, STEPS, 2))
    y = 2 * (x[:, :, 0].cumsum(axis=1) > 0) + (x[:, :, 1] > 0)
    graph = sequence_net(2, each_step=True)
    x = x.reshape(300, -1)
    common = {"losses": (HIDDEN, LAST), "learning_rate": 0.05, "batch": 4, "epochs": 15}
    net = train_float(graph, x, y, rule=rule, **common)
    assert net.outputs(x).shape == (300, STEPS, 4)
    assert net.accuracy(x, y) > 0.75 > 2 * first_network(graph, seed=1).accuracy(x, y)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["backprop", "tpsgd"])
def test_pretrain_of_a_recurrent_spec(method):
    spec = spec_from_dict(
        {
            "name": "net",
            "model": {
                "layers": [
                    {"name": "rnn1", "kind": "rnn", "units": 24, "leak": 0.25},
                    {"name": "out", "units": 4},
                ],
                "pretrain": {"method": method, "epochs": 10, "batch": 8},
            },
            "data": {"file": "sequences.npz"},
        }
    )
    x, y = quadrants()
    graph = with_learning(sequence_net(), spec)
    weights = pretrain(spec, graph, x, y)
    trained = Graph(graph.name, graph.layers, graph.labels, weights, STEPS)
    assert (
        first_network(trained, seed=9).accuracy(x, y)
        > 0.6
        > 2 * first_network(graph, seed=9).accuracy(x, y)
    )
