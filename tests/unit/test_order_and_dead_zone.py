"""The order of training samples, and dead zones in units of the error."""

import numpy as np
import pytest

from tests.proof.devices import write_specs
from tpsgd_edge import load_spec
from tpsgd_edge.frontend.split import epoch_order
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.quantize.rates import dead_zone
from tpsgd_edge.reference import Reference
from tpsgd_edge.stages import on_host, prepare, quantize_samples, train
from tpsgd_edge.stages.proof import _training_samples


def test_each_epoch_has_all_samples_in_an_order_of_its_own():
    orders = [epoch_order(7, epoch, 50) for epoch in range(4)]
    assert all(sorted(order.tolist()) == list(range(50)) for order in orders)
    assert len({tuple(order.tolist()) for order in orders}) == 4
    other = [epoch_order(8, epoch, 50) for epoch in range(4)]
    assert not any(np.array_equal(*pair) for pair in zip(orders, other, strict=True))


def test_the_proof_goes_through_the_epochs_in_their_orders(tmp_path):
    write_specs(tmp_path)
    prepared = prepare(load_spec(tmp_path / "toy.toml"))
    model, dataset = prepared.model, prepared.dataset
    count = len(dataset.x_train)
    x, labels = _training_samples(prepared, 2 * count + 5)
    order = np.concatenate([epoch_order(prepared.spec.seed, epoch, count) for epoch in range(3)])
    order = order[: 2 * count + 5]
    assert np.array_equal(x, quantize_inputs(model, dataset.x_train[order]))
    assert np.array_equal(labels, quantize_labels(model, dataset.y_train[order]))


@pytest.mark.parametrize("name", ["toy", "values"])
def test_training_on_this_computer_is_that_of_the_reference_epoch_by_epoch(name, tmp_path):
    write_specs(tmp_path)
    prepared = prepare(load_spec(tmp_path / f"{name}.toml"))
    samples = quantize_samples(prepared.model, prepared.dataset)
    reference = Reference(prepared.model)
    for epoch in range(3):
        for i in epoch_order(prepared.model.seed, epoch, len(samples.x)):
            reference.train_step(samples.x[i], samples.labels[i])
    with on_host(prepared) as device:
        quiet = lambda *_: None  # noqa: E731 - progress that nobody watches
        training = train(device, prepared.model, samples, epochs=3, progress=quiet)
        layout = device.interface.layout
    assert training.steps == 3 * len(samples.x)
    state = layout.read(training.state)
    for tensor, values in reference.state().items():
        assert state[tensor].tobytes() == values.tobytes(), tensor


@pytest.mark.parametrize(("scale", "expected"), [(1.0, 4915), (2.0, 2458), (0.5, 9830)])
def test_a_dead_zone_is_counted_in_units_of_the_error(scale, expected):
    # 0.3 of the label's units is 0.3 / scale * 2^14 in Q14 of the error; its type ends at 32767.
    assert dead_zone(9.0, scale, is_float=False) == 32767
    assert dead_zone(0.3, scale, is_float=False) == expected
