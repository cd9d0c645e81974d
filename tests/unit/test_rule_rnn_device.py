"""Float training of recurrent layers does what an f32 device does."""

import numpy as np
import pytest
import torch

from tpsgd_edge.frontend.data import Dataset
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.graph import Labels
from tpsgd_edge.quantize import quantize
from tpsgd_edge.reference import Reference
from tpsgd_edge.rule.network import first_network
from tpsgd_edge.rule.train import train_float
from tpsgd_edge.spec import LossSpec, Spec, spec_from_dict

STEPS, N_X, N_CLASSES = 6, 3, 3


def dataset(kind: str, *, each_step: bool) -> Dataset:
    random = np.random.default_rng(2)
    x = random.standard_normal((40, STEPS * N_X)).astype(np.float32)
    each = (STEPS,) if each_step else ()
    if kind == "class":
        y, names = random.integers(0, N_CLASSES, (40, *each)), tuple("abc")
    else:
        y, names = random.normal(size=(40, *each, N_CLASSES)), ()
    labels = Labels(kind, N_CLASSES, each_step)
    return Dataset(x, y, x, y, labels, names, (STEPS, N_X), "data.npz")


def f32_spec(
    kind: str, leaks: tuple[list[float], ...], learns_from: str, learn_every: int, *, gate: bool
) -> Spec:
    common = {"kind": "rnn", "units": 7, "learns_from": learns_from, "bias_range": 0.1}
    recurrent = [{"name": f"rnn{i}", "leak": leak, **common} for i, leak in enumerate(leaks)]
    dense = [{"name": "fc1", "units": 6}, {"name": "fc2", "units": N_CLASSES}]
    rule = {"learning_rate": 0.05, "schedule": "constant", "dead_zone": 0.01}
    rule |= {"learn_every": learn_every}
    rule |= {"loss": "projected_l2" if kind == "vector" else "projected_cross_entropy"}
    rule |= {"error_gate": 0.35} if gate else {}
    return spec_from_dict(
        {
            "name": "net",
            "seed": 11,
            "model": {"layers": [*recurrent, *dense]},
            "numbers": {"weights": "f32"},
            "rule": rule,
            "data": {"file": "data.npz", "scaling": "none"},
        }
    )


@pytest.mark.parametrize("learn_every", [0, 1, 2, 4, "each step has a label"])
@pytest.mark.parametrize(("kind", "gate"), [("class", False), ("class", True), ("vector", False)])
@pytest.mark.parametrize("leaks", [([0.125],), ([1.0], [0.5, 0.25, 0.0625])])
@pytest.mark.parametrize("learns_from", ["present", "trace"])
def test_tpsgd_does_what_an_f32_device_does(learns_from, leaks, kind, gate, learn_every):
    each_step = isinstance(learn_every, str)
    spec = f32_spec(kind, leaks, learns_from, 1 if each_step else learn_every, gate=gate)
    data = dataset(kind, each_step=each_step)
    graph = build_graph(spec, data)
    assert graph.learn_every == (0 if each_step else learn_every)
    device, n = Reference(quantize(spec, graph, data)), 5
    order = np.random.default_rng((11, 1)).permutation(n)
    for index in order:
        label = data.y_train[index]
        device.train_step(data.x_train[index], label if kind == "class" else label.astype("f4"))
    hidden, last = "projected_cross_entropy", "softmax_cross_entropy"
    if kind == "vector":
        hidden, last = "projected_l2", "l2"
    net = train_float(
        graph,
        data.x_train[:n],
        np.asarray(data.y_train[:n]),
        rule="tpsgd",
        losses=[LossSpec(kind=name) for name in (*[hidden] * (len(leaks) + 1), last)],
        learning_rate=0.05,
        epochs=1,
        batch=1,
        schedule="constant",
        dead_zone=0.01,
        error_gate=0.35 if gate else None,
        seed=11,
    )
    state = device.state()
    for name, weights in net.weights().items():
        np.testing.assert_allclose(weights.w, state[f"{name}.w"], rtol=1e-4, atol=2e-6)
        np.testing.assert_allclose(weights.b, state[f"{name}.b"], rtol=1e-4, atol=2e-6)
    x = data.x_train[n]
    np.testing.assert_allclose(net.outputs(x[None])[0], device.output(x), rtol=1e-3, atol=1e-5)
    first = first_network(graph, seed=11)
    assert not any(torch.equal(a, b) for a, b in zip(net.w, first.w, strict=True))
