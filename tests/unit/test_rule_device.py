"""The float rule does what a device in binary32 does: one step of both, from the same seed."""

import numpy as np
import pytest

from tpsgd_edge.frontend.data import Dataset
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.graph import Labels
from tpsgd_edge.quantize import quantize
from tpsgd_edge.reference import Reference
from tpsgd_edge.rule.train import train_float
from tpsgd_edge.spec import Spec, carries_scores, layer_index, layer_loss, spec_from_dict

N_IN, N_LABELS = 9, 4


def dataset(kind: str) -> Dataset:
    random = np.random.default_rng(2)
    x = random.standard_normal((40, N_IN)).astype(np.float32)
    y = random.integers(0, N_LABELS, 40) if kind == "class" else random.normal(size=(40, N_LABELS))
    names = tuple("abcd") if kind == "class" else ()
    return Dataset(x, y, x, y, Labels(kind, N_LABELS), names, (N_IN,), "data.npz")


def f32_spec(
    loss: str, activation: str, projection: str, output_loss: str, output_activation: str
) -> Spec:
    return spec_from_dict(
        {
            "name": "net",
            "seed": 11,
            "model": {
                "layers": [
                    {"name": "fc1", "units": 16, "activation": activation},
                    {"name": "fc2", "units": 12, "activation": activation},
                    {"name": "fc3", "units": N_LABELS, "activation": output_activation},
                ]
            },
            "numbers": {"weights": "f32"},
            "rule": {
                "loss": loss,
                "output_loss": output_loss,
                "learning_rate": 0.05,
                "output_learning_rate": 0.1,
                "schedule": "constant",
                "dead_zone": 0.01,
            },
            "projection": {"kind": projection, "scale": 0.7},
            "data": {"file": "data.npz", "scaling": "none"},
        }
    )


CLASS_LOSSES = (
    "projected_cross_entropy",
    "projected_l2",
    "l2",
    "l1",
    "huber",
    "epsilon_insensitive",
)
VECTOR_LOSSES = ("projected_l2", "l2", "l1", "huber", "epsilon_insensitive")
CASES = [
    *[("class", loss, "tanh", "sign", "softmax_cross_entropy") for loss in CLASS_LOSSES],
    *[("vector", loss, "tanh", "sign", "l2") for loss in VECTOR_LOSSES],
    ("class", "cross_entropy", "sigmoid", "ternary", "softmax_cross_entropy"),
    ("class", "projected_cross_entropy", "relu", "gaussian", "l2"),
    ("class", "l2", "relu", "gaussian", "huber"),
    ("class", "l2", "hard_tanh", "ternary", "l1"),
    ("class", "l2", "linear", "sign", "epsilon_insensitive"),
    ("vector", "l2", "relu", "ternary", "huber"),
    ("vector", "projected_l2", "sigmoid", "gaussian", "l1"),
]


@pytest.mark.parametrize(("kind", "loss", "activation", "projection", "output_loss"), CASES)
def test_every_loss_does_what_an_f32_device_does(kind, loss, activation, projection, output_loss):
    check_one_step(f32_spec(loss, activation, projection, output_loss, "linear"), dataset(kind))


def test_scores_that_are_carried_are_those_of_an_f32_device():
    spec = f32_spec("projected_cross_entropy", "tanh", "sign", "softmax_cross_entropy", "linear")
    rule = spec.rule.model_copy(update={"scores": "carried"})
    check_one_step(spec.model_copy(update={"rule": rule}), dataset("class"))


@pytest.mark.parametrize("projection", ["sign", "hadamard", "ternary", "gaussian"])
@pytest.mark.parametrize(
    "activation", ["tanh", "sigmoid", "relu", "relu6", "leaky_relu", "hard_tanh", "linear"]
)
@pytest.mark.parametrize("kind", ["class", "vector"])
def test_every_target_is_that_of_an_f32_device(kind, activation, projection):
    check_one_step(f32_spec("l2", activation, projection, "l2", activation), dataset(kind))


def check_one_step(spec: Spec, data: Dataset) -> None:
    """One training step by the reference and by the float rule, from the same seed."""
    kind = data.labels.kind
    graph = build_graph(spec, data)
    device = Reference(quantize(spec, graph, data))
    before = {name: array.copy() for name, array in device.state().items()}
    label = int(data.y_train[0]) if kind == "class" else data.y_train[0].astype(np.float32)
    device.train_step(data.x_train[0], label)
    net = train_float(
        graph,
        data.x_train[:1],
        np.asarray(data.y_train[:1]),
        rule="tpsgd_carried" if carries_scores(spec, kind) else "tpsgd",
        losses=[layer_loss(spec, layer_index(spec, la.name), kind) for la in graph.weighted],
        learning_rate=(0.05, 0.05, 0.1),
        projection=spec.projection,
        epochs=1,
        batch=1,
        schedule="constant",
        dead_zone=0.01,
        seed=11,
    )
    after, changed = device.state(), 0
    for name, weights in net.weights().items():
        for tensor, found in (("w", weights.w), ("b", weights.b)):
            np.testing.assert_allclose(found, after[f"{name}.{tensor}"], rtol=1e-5, atol=1e-6)
            changed += not np.array_equal(after[f"{name}.{tensor}"], before[f"{name}.{tensor}"])
    # Rectified units that start at zero have no slope; all other layers move.
    assert changed >= 4, "nothing to compare"
