"""Nets with memories in torch: against the graph, autograd, and an f32 device."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.data import Dataset
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.graph import Graph, Labels, Memory
from tpsgd_edge.graph.forward import outputs
from tpsgd_edge.graph.memory import handed_values, weights_over_time
from tpsgd_edge.quantize import quantize
from tpsgd_edge.reference import Reference
from tpsgd_edge.rule.deltas import batch_deltas
from tpsgd_edge.rule.layers import update_sums
from tpsgd_edge.rule.losses import local_losses
from tpsgd_edge.rule.network import FloatNetwork, first_network
from tpsgd_edge.rule.train import label_rows, train_float
from tpsgd_edge.spec import LossSpec, ProjectionSpec, Spec, spec_from_dict

STEPS, CHANNELS, CLASSES = 9, 3, 3
HIDDEN, LAST = LossSpec(kind="projected_cross_entropy"), LossSpec(kind="softmax_cross_entropy")
_A, _B = {"name": "a", "units": 5}, {"name": "b", "units": 4}
_MEAN = {"kind": "memory", "cosines": 1}
WALKS = {
    "one": [{"kind": "memory"}, _A],
    "cosines": [{"kind": "memory", "cosines": 4}, _A],
    "mean of a dense layer": [{"kind": "memory", "every": 2}, _A, _MEAN],
    "three": [
        {"kind": "memory", "leak": [1, 0.25], "every": 2},
        _A,
        {"kind": "memory", "leak": [0.5, 0.125], "every": 3},
        _B,
        {"kind": "memory", "cosines": 2},
    ],
    "stacked": [{"kind": "memory", "leak": [0.5], "every": 4}, {"kind": "memory"}],
    "behind a recurrent layer": [{"kind": "rnn", "name": "r", "units": 5}, _MEAN],
}


def dataset() -> Dataset:
    rng = np.random.default_rng(2)
    x = rng.standard_normal((40, STEPS * CHANNELS)).astype(np.float32)
    y = rng.integers(0, CLASSES, 40)
    return Dataset(x, y, x, y, Labels("class", CLASSES), tuple("abc"), (STEPS, CHANNELS), "d.npz")


def spec_of(name: str, **rule: object) -> Spec:
    rule = {"learning_rate": 0.05, "schedule": "constant", **rule}
    return spec_from_dict(
        {
            "name": "net",
            "seed": 11,
            "model": {"layers": [*WALKS[name], {"name": "out", "units": CLASSES}]},
            "numbers": {"weights": "f32"},
            "rule": rule,
            "data": {"file": "d.npz", "scaling": "none"},
        }
    )


def losses_of(graph: Graph) -> list[LossSpec]:
    return [*[HIDDEN] * (len(graph.weighted) - 1), LAST]


@pytest.mark.parametrize("name", WALKS)
def test_it_computes_what_the_graph_says(name):
    graph, data = build_graph(spec_of(name), dataset()), dataset()
    net = first_network(graph, seed=5)
    *_, last = outputs(graph, data.x_train.astype(np.float64), 5)
    np.testing.assert_allclose(net.outputs(data.x_train), last, atol=1e-5)


@pytest.mark.parametrize("name", WALKS)
def test_values_are_sums_of_inputs_times_weights_over_time(name):
    graph, rng = build_graph(spec_of(name), dataset()), np.random.default_rng(1)
    for layer in graph.layers:
        if isinstance(layer, Memory):
            x = rng.normal(size=(4, layer.length, layer.channels))
            values = np.einsum("ntc,tsk->nsck", x, weights_over_time(layer))
            shape = (4, layer.handed_on, layer.y_count)
            np.testing.assert_allclose(handed_values(layer, x), values.reshape(shape), atol=1e-12)


def random_net(graph: Graph) -> FloatNetwork:
    """The net with weights at random in binary64, those of the last layer too."""
    net, rng = first_network(graph, seed=5), torch.Generator().manual_seed(1)
    w = [torch.randn(part.shape, generator=rng, dtype=torch.float64) / 2 for part in net.w]
    b = [torch.randn(part.shape, generator=rng, dtype=torch.float64) / 2 for part in net.b]
    return replace(net, w=tuple(w), b=tuple(b))


@pytest.mark.parametrize("name", WALKS)
def test_backpropagation_is_the_gradient_through_time(name):
    graph = build_graph(spec_of(name), dataset())
    net = random_net(graph)
    x = torch.randn((4, STEPS * CHANNELS), generator=torch.Generator().manual_seed(7)).double()
    labels = label_rows(np.array([0, 1, 2, 0]), graph.labels).double()
    made = local_losses(graph, tuple(losses_of(graph)), ProjectionSpec(), seed=3)
    made = tuple(loss and replace(loss, projection=None) for loss in made)
    (part,) = batch_deltas(net, x, labels.view(4, 1, -1), rule="backprop", losses=made)
    parameters = [t.requires_grad_() for t in (*net.w, *net.b) if t.numel()]
    loss = functional.cross_entropy(net.activity(x)[-1], labels, reduction="sum")
    expected = iter(torch.autograd.grad(loss, parameters))
    learning = [i for i, delta in enumerate(part.deltas) if delta is not None]
    assert [graph.layers[i].name for i in learning] == [layer.name for layer in graph.weighted]
    with torch.no_grad():
        sums = [update_sums(graph.layers[i], part.inputs[i], part.deltas[i]) for i in learning]
    found: list[Tensor] = [w for w, _ in sums] + [b for _, b in sums]
    for change, gradient in zip(found, expected, strict=True):
        torch.testing.assert_close(change, -gradient)


@pytest.mark.parametrize("gate", [None, 0.35])
@pytest.mark.parametrize("learn_every", [None, 0, 12])
@pytest.mark.parametrize("name", WALKS)
def test_tpsgd_does_what_an_f32_device_does(name, learn_every, gate):
    rule = {} if learn_every is None else {"learn_every": learn_every}
    spec = spec_of(name, **rule, **({} if gate is None else {"error_gate": gate}))
    data = dataset()
    graph = build_graph(spec, data)
    device, n = Reference(quantize(spec, graph, data)), 5
    for index in np.random.default_rng((11, 1)).permutation(n):
        device.train_step(data.x_train[index], data.y_train[index])
    net = train_float(
        graph,
        data.x_train[:n],
        np.asarray(data.y_train[:n]),
        rule="tpsgd",
        losses=losses_of(graph),
        learning_rate=0.05,
        epochs=1,
        batch=1,
        schedule="constant",
        error_gate=gate,
        seed=11,
    )
    state = device.state()
    for layer, weights in net.weights().items():
        np.testing.assert_allclose(weights.w, state[f"{layer}.w"], rtol=1e-4, atol=2e-6)
        np.testing.assert_allclose(weights.b, state[f"{layer}.b"], rtol=1e-4, atol=2e-6)
    learns_on_the_way = learn_every != 0 and len(graph.walk) > 2
    steps = {None: {"mean of a dense layer": 5, "three": 2}.get(name, 1), 0: 1, 12: 1}
    if learns_on_the_way:
        assert int(state["step"]) == n * steps[learn_every]


def test_pepita_is_not_defined():
    graph = build_graph(spec_of("one"), dataset())
    with pytest.raises(SpecError, match="PEPITA is not defined for recurrent layers and memories"):
        train_float(
            graph,
            dataset().x_train,
            dataset().y_train,
            rule="pepita",
            losses=losses_of(graph),
            learning_rate=0.1,
        )
