"""Long short-term memory in torch: backpropagation as autograd finds it, the rule, a device."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tpsgd_edge.frontend.data import dataset_from_arrays  # noqa: E402
from tpsgd_edge.frontend.network import build_graph  # noqa: E402
from tpsgd_edge.graph import Lstm  # noqa: E402
from tpsgd_edge.quantize import quantize  # noqa: E402
from tpsgd_edge.reference import Reference  # noqa: E402
from tpsgd_edge.rule.cells import CELLS  # noqa: E402
from tpsgd_edge.rule.layers import update_sums  # noqa: E402
from tpsgd_edge.rule.sequence import run, through_time  # noqa: E402
from tpsgd_edge.rule.train import train_float  # noqa: E402
from tpsgd_edge.spec import LossSpec, spec_from_dict  # noqa: E402

N_X, UNITS, STEPS, BATCH = 3, 5, 7, 4


def torch_rows(values):
    """Rows of torch's order (candidate third) in ours (candidate last)."""
    take, keep, candidate, show = values.chunk(4)
    return torch.cat((take, keep, show, candidate))


def by_torch():
    """nn.LSTM, our layer with its weights, and inputs."""
    torch.manual_seed(4)
    net = torch.nn.LSTM(N_X, UNITS, batch_first=True, dtype=torch.float64)
    w = torch.cat((torch_rows(net.weight_ih_l0), torch_rows(net.weight_hh_l0)), dim=1).detach()
    b = torch.stack((torch_rows(net.bias_ih_l0), torch_rows(net.bias_hh_l0))).detach()
    x = torch.randn(BATCH, STEPS, N_X, dtype=torch.float64, requires_grad=True)
    return net, Lstm("l", N_X, UNITS), w, b, x


def test_backpropagation_through_time_is_what_autograd_finds():
    net, layer, w, b, x = by_torch()
    steps = [now[0] for now in run([layer], [w], [b], x.detach())]
    y, _ = net(x)
    torch.testing.assert_close(torch.stack([step.h for step in steps], dim=1), y.detach())
    grad = torch.randn_like(y)
    y.backward(grad)
    deltas, lower = through_time(layer, w, steps, list(grad.unbind(1)))
    torch.testing.assert_close(torch.stack(lower, dim=1), x.grad)
    sums = [update_sums(layer, s.v, d) for s, d in zip(steps, deltas, strict=True)]
    dw, db = (torch.stack([pair[i] for pair in sums]).sum(dim=0) for i in (0, 1))
    torch.testing.assert_close(dw[:, :N_X], torch_rows(net.weight_ih_l0.grad))
    torch.testing.assert_close(dw[:, N_X:], torch_rows(net.weight_hh_l0.grad))
    torch.testing.assert_close(db[1], torch_rows(net.bias_hh_l0.grad))


def test_a_bound_of_cells_stops_gradients_where_it_holds():
    _, layer, w, b, x = by_torch()
    layer = replace(layer, cell_clip=0.05)
    x.grad, w, b = None, w.requires_grad_(), b.requires_grad_()
    steps = [now[0] for now in run([layer], [w], [b], x)]
    y = torch.stack([step.h for step in steps], dim=1)
    grad = torch.randn_like(y)
    y.backward(grad)
    assert max(float(step.gates[4].detach().abs().max()) for step in steps) <= 0.05
    with torch.no_grad():
        _, lower = through_time(layer, w, steps, list(grad.unbind(1)))
    torch.testing.assert_close(torch.stack(lower, dim=1), x.grad)


def test_tpsgd_teaches_the_cell_as_if_all_of_it_were_shown():
    """The gradient of the local loss at one step, with the last state and cell held."""
    _, layer, w, b, x = by_torch()
    with torch.no_grad():
        *_, (before,), (last,) = run([layer], [w], [b], x.detach())
    w, b = w.requires_grad_(), b.requires_grad_()
    a = torch.addmm(b[0], x.detach()[:, -1], w[:, :N_X].T)
    sums = a + torch.addmm(b[1], before.h, w[:, N_X:].T)
    take, keep, show = torch.sigmoid(sums[:, : 3 * UNITS]).chunk(3, dim=1)
    shown = torch.tanh(keep * before.gates[4] + take * torch.tanh(sums[:, 3 * UNITS :]))
    error = torch.randn_like(last.h)
    learned = (error * shown).sum() + (error * show * shown.detach()).sum()
    grads = torch.autograd.grad(learned, [w, b])
    with torch.no_grad():
        delta = CELLS["lstm"].delta(layer, w, last, error)
        dw, db = update_sums(layer, last.v, delta)
    torch.testing.assert_close(dw, grads[0])
    torch.testing.assert_close(db, grads[1])


@pytest.mark.parametrize("learn_every", [0, 1, 2])
def test_tpsgd_does_what_an_f32_device_does(learn_every):
    layers = [{"kind": "lstm", "name": f"lstm{i}", "units": 5} for i in range(2)]
    spec = spec_from_dict(
        {
            "name": "net",
            "seed": 11,
            "model": {"layers": [*layers, {"name": "out", "units": 3}]},
            "numbers": {"weights": "f32"},
            "rule": {"learning_rate": 0.3, "schedule": "constant", "learn_every": learn_every},
            "data": {"file": "data.npz", "scaling": "none"},
        }
    )
    x = np.random.default_rng(2).standard_normal((30, STEPS, N_X)).astype(np.float32)
    data = dataset_from_arrays(spec, x, np.arange(30) % 3)
    graph = build_graph(spec, data)
    reference = Reference(quantize(spec, graph, data))
    hidden = LossSpec(kind="projected_cross_entropy")
    net = train_float(
        graph,
        data.x_train,
        data.y_train,
        rule="tpsgd",
        losses=(hidden, hidden, LossSpec(kind="softmax_cross_entropy")),
        learning_rate=0.3,
        epochs=1,
        batch=1,
        schedule="constant",
        seed=11,
    )
    for row in np.random.default_rng((11, 1)).permutation(len(data.x_train)):
        reference.train_step(data.x_train[row].astype(np.float32), int(data.y_train[row]))
    state = reference.state()
    for name, weights in net.weights().items():
        parts = [f"{name}_x.w", f"{name}_h.w"] if "lstm" in name else [f"{name}.w"]
        w = np.concatenate([state[part] for part in parts], axis=1)
        np.testing.assert_allclose(weights.w, w, atol=5e-5)
