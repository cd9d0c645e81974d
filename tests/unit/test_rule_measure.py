"""What torch counts of one training step."""

import numpy as np
import pytest

from tests.unit.test_rule_train import HIDDEN, LAST, chain
from tpsgd_edge.graph import Graph
from tpsgd_edge.rule.measure import StepCost, step_cost
from tpsgd_edge.rule.train import train_float

BATCH = 64


def cost_of(rule: str, graph: Graph) -> StepCost:
    random = np.random.default_rng(0)
    x, y = (
        random.standard_normal((BATCH, graph.n_inputs)),
        random.integers(0, graph.labels.count, BATCH),
    )
    losses = (*[HIDDEN] * (len(graph.layers) - 1), LAST)
    common = {"rule": rule, "losses": losses, "learning_rate": 0.01, "batch": BATCH, "epochs": 2}
    data_bytes = 4 * BATCH * (graph.n_inputs + graph.labels.count)
    return step_cost(
        lambda after: train_float(graph, x, y, after_epoch=after, **common), data_bytes=data_bytes
    )


@pytest.mark.parametrize(
    ("rule", "macs"),
    [
        # Forward pass, updates, and what brings the error or the label to the hidden layer.
        ("last_layer", 7 * 6 + 6 * 5 + 6 * 5),
        ("backprop", 2 * (7 * 6 + 6 * 5) + 6 * 5),
        ("fa", 2 * (7 * 6 + 6 * 5) + 6 * 5),
        ("dfa", 2 * (7 * 6 + 6 * 5) + 6 * 5),
        ("drtp", 2 * (7 * 6 + 6 * 5) + 6 * 5),
        ("tpsgd", 2 * (7 * 6 + 6 * 5) + 2 * 6 * 5),
        ("tpsgd_learned", 2 * (7 * 6 + 6 * 5) + 3 * 6 * 5),
        ("pepita", 3 * (7 * 6 + 6 * 5) + 7 * 5),
    ],
)
def test_multiply_accumulates_of_a_sample(rule, macs):
    assert cost_of(rule, chain(7, 6, 5)).macs == BATCH * macs


def test_memory_grows_with_depth_where_a_rule_keeps_the_forward_pass():
    def bytes_of(rule: str, depth: int) -> int:
        return cost_of(rule, chain(16, *[64] * depth, 5)).peak_bytes

    layer = 4 * (64 * 64 + 64)
    activity = 4 * BATCH * 64
    for rule, matrices, kept in (
        ("last_layer", 0, 0),
        ("tpsgd", 4 * 64 * 5, 0),
        ("drtp", 4 * 64 * 5, 0),
        ("backprop", 0, activity),
        ("fa", 4 * 64 * 64, activity),
        ("dfa", 4 * 64 * 5, activity),
        ("pepita", 0, 2 * activity),
    ):
        more = bytes_of(rule, 8) - bytes_of(rule, 4)
        assert more == pytest.approx(4 * (layer + matrices + kept), rel=0.01), rule
