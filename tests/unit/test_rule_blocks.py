"""Errors that are passed on, in floating point: as a device in binary32 has them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.data import Dataset
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.graph import Labels
from tpsgd_edge.quantize import quantize
from tpsgd_edge.reference import Reference
from tpsgd_edge.rule.defined import check_rule
from tpsgd_edge.rule.train import train_float
from tpsgd_edge.spec import Spec, layer_index, layer_loss, spec_from_dict

PASSED = {"error": "passed"}
SHAPE = (7, 6, 2)
STEPS = 4
RATES = {"c1": 0.05, "c2": 0.05, "fc1": 0.05, "fc2": 0.0, "fc3": 0.05, "out": 0.1}
LAYERS: list[dict[str, Any]] = [
    {"name": "c1", "kind": "conv2d", "filters": 4} | PASSED,
    {"kind": "max_pool", "size": 2, "stride": 1},
    {"name": "c2", "kind": "conv2d", "filters": 6, "kernel": 2, "groups": 2, "target_pool": 2},
    {"kind": "max_pool", "size": 2},
    {"name": "fc1", "units": 8, "activation": "softplus"} | PASSED,
    {"name": "fc2", "units": 7, "train": False},
    {"name": "fc3", "units": 6} | PASSED,
    {"name": "out", "units": 4},
]


def dataset() -> Dataset:
    random = np.random.default_rng(2)
    x = random.standard_normal((40, 7 * 6 * 2)).astype(np.float32)
    y = random.integers(0, 4, 40)
    return Dataset(x, y, x, y, Labels("class", 4), tuple("abcd"), SHAPE, "data.npz")


def spec_of(**sections: Any) -> Spec:
    rule = {"learning_rate": 0.05, "output_learning_rate": 0.1, "schedule": "constant"}
    content = {"name": "net", "seed": 11, "numbers": {"weights": "f32"}, "rule": rule}
    data = {"data": {"file": "data.npz", "scaling": "none"}, "model": {"layers": LAYERS}}
    return spec_from_dict(content | data | sections, folder=Path())


@pytest.mark.parametrize("loss", ["projected_cross_entropy", "l2"])
def test_steps_are_those_of_a_device_in_binary32(loss):
    projection = {"projection": {"kind": "sign"}}
    rule = {"learning_rate": 0.05, "output_learning_rate": 0.1, "schedule": "constant"}
    spec, data = spec_of(rule=rule | {"loss": loss}, **projection), dataset()
    graph = build_graph(spec, data)
    device = Reference(quantize(spec, graph, data))
    before = {name: array.copy() for name, array in device.state().items()}
    net = train_float(
        graph,
        data.x_train[:1].repeat(STEPS, axis=0),
        data.y_train[:1].repeat(STEPS),
        rule="tpsgd",
        losses=[layer_loss(spec, layer_index(spec, la.name), "class") for la in graph.weighted],
        learning_rate=[RATES[layer.name] for layer in graph.weighted],
        projection=spec.projection,
        epochs=1,
        batch=1,
        schedule="constant",
        seed=11,
    )
    for _ in range(STEPS):
        device.train_step(data.x_train[0], int(data.y_train[0]))
    after = device.state()
    for name, weights in net.weights().items():
        for tensor, found in (("w", weights.w), ("b", weights.b)):
            key = f"{name}.{tensor}"
            if key in after:
                np.testing.assert_allclose(found, after[key], rtol=1e-4, atol=1e-6)
                assert not np.array_equal(after[key], before[key]), "nothing to compare"


def test_blocks_carry_no_scores():
    graph = build_graph(spec_of(), dataset())
    losses = [layer.learning.loss for layer in graph.weighted]
    with pytest.raises(SpecError, match="layer 'c1', whose error is passed to it"):
        check_rule(graph, "tpsgd_carried", losses)
