"""The ranges of recurrent layers before training."""

import numpy as np

from tpsgd_edge.graph import Dense, Graph, Labels, Rnn
from tpsgd_edge.graph.forward import forward
from tpsgd_edge.graph.initial_weights import initial_weights

STEPS = 5
GRAPH = Graph(
    "net",
    (
        Rnn("rnn1", 2, 4, (0.5,), "relu"),
        Rnn("rnn2", 4, 3, (1.0,), "tanh"),
        Dense("fc1", 3, 6, "relu"),
        Dense("fc2", 6, 2, "linear"),
    ),
    Labels("class", 2),
    {},
    STEPS,
)
X = np.random.default_rng(0).standard_normal((7, STEPS * 2))


def run_by_hand(sample: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Output of the first dense layer, and the largest activation of the first recurrent one."""
    weights = [initial_weights(GRAPH, index, 3) for index in range(3)]
    h1, h2, largest = np.zeros(4), np.zeros(3), 0.0
    for x in sample.reshape(STEPS, 2):
        c = np.maximum(weights[0].w @ np.concatenate([x, h1]), 0)
        largest = max(largest, c.max())
        h1 = 0.5 * h1 + 0.5 * c
        h2 = np.tanh(weights[1].w @ np.concatenate([h1, h2]))
    return np.maximum(weights[2].w @ h2, 0), largest


def test_a_recurrent_net_runs_to_its_last_step():
    outputs = list(forward(GRAPH, X, 3))
    by_hand = [run_by_hand(sample) for sample in X]
    np.testing.assert_allclose(outputs[2], [y for y, _ in by_hand])
    assert [len(y) for y in outputs] == [7 * STEPS, 7 * STEPS, 7, 7]
    np.testing.assert_allclose(outputs[0].max(), max(largest for _, largest in by_hand))


def test_the_ranges_of_the_first_layer_need_no_other_layer():
    assert next(forward(GRAPH, X, 3)).shape == (7 * STEPS, 4)
