"""Learning rates that follow from the data."""

import numpy as np
import pytest

from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.data import Dataset, dataset_from_arrays
from tpsgd_edge.frontend.rates import with_learning_rates
from tpsgd_edge.spec import Spec, layer_learning_rate, spec_from_dict

RNG = np.random.default_rng(0)
X = RNG.normal(1, 3, (500, 20)).astype(np.float32)
CLASSES = np.arange(500) % 3
LAYERS = [{"name": "a", "units": 40}, {"name": "b", "units": 8}, {"name": "c", "units": 3}]


def make(folder, *, layers=LAYERS, rule=None, **model) -> tuple[Spec, Dataset]:
    content = {
        "name": "toy",
        "model": {"layers": layers, **model},
        "data": {"file": "toy.npz", "scaling": "standard"},
        "rule": rule or {},
    }
    spec = spec_from_dict(content, folder=folder)
    return spec, dataset_from_arrays(spec, X, CLASSES)


def rates(spec: Spec) -> list[float]:
    return [layer_learning_rate(spec, index) for index in range(len(spec.model.layers))]


def test_a_rate_is_the_step_over_the_mean_square_of_what_a_layer_reads(tmp_path):
    spec = with_learning_rates(*make(tmp_path))
    # Standardised inputs have a mean square of 1 each; half of the units stand for their outputs.
    first, *others = rates(spec)
    assert first == pytest.approx(0.3 / 20, rel=0.02)
    assert others == pytest.approx([0.3 / 20, 0.3 / 4])
    half = with_learning_rates(*make(tmp_path, rule={"step_size": 0.15}))
    assert rates(half) == pytest.approx([rate / 2 for rate in rates(spec)], rel=0.01)
    assert with_learning_rates(spec, make(tmp_path)[1]) == spec


def test_auto_says_the_same_as_nothing(tmp_path):
    asked = with_learning_rates(*make(tmp_path, rule={"learning_rate": "auto"}))
    assert rates(asked) == rates(with_learning_rates(*make(tmp_path)))


def test_what_a_layer_says_stays(tmp_path):
    own = [{**LAYERS[0], "learning_rate": 0.5}, *LAYERS[1:]]
    rule = {"output_learning_rate": 0.25}
    spec = with_learning_rates(*make(tmp_path, layers=own, rule=rule))
    assert rates(spec) == pytest.approx([0.5, 0.3 / 20, 0.25])


def test_label_vectors_have_steps_of_their_own(tmp_path):
    spec, _ = make(tmp_path)
    vectors = dataset_from_arrays(spec, X, RNG.normal(size=(500, 3)))
    first, *others = rates(with_learning_rates(spec, vectors))
    assert first == pytest.approx(0.1 / 20, rel=0.02)
    assert others == pytest.approx([0.1 / 20, 0.03 / 4])


@pytest.mark.parametrize(
    ("rule", "layers"),
    [
        ({"learning_rate": 0.02}, LAYERS),
        ({"kind": "backprop"}, LAYERS),
    ],
)
def test_other_nets_have_the_rate_that_is_said_or_the_usual_one(tmp_path, rule, layers):
    spec, dataset = make(tmp_path, rule=rule, layers=layers)
    assert with_learning_rates(spec, dataset) is spec
    assert set(rates(spec)) == {rule.get("learning_rate", 0.003)}


@pytest.mark.parametrize("loss", ["l2", "huber", "projected_l2"])
def test_every_loss_has_the_steps_of_its_kind_of_layer(tmp_path, loss):
    layers = [LAYERS[0], {**LAYERS[1], "loss": loss}, LAYERS[2]]
    spec = with_learning_rates(*make(tmp_path, layers=layers))
    assert rates(spec) == rates(with_learning_rates(*make(tmp_path)))


@pytest.mark.parametrize(
    ("labels", "hidden", "output", "recurrent"),
    [(CLASSES, 0.3, 0.3, 0.003), (RNG.normal(size=(500, 3)), 0.1, 0.03, 0.003)],
    ids=["classes", "values"],
)
def test_each_kind_of_layer_has_its_step_and_its_square(
    tmp_path, labels, hidden, output, recurrent
):
    """Samples are five steps of four channels, each value standardised: a mean square of 1."""
    x, last = X.reshape(500, 5, 4), LAYERS[2]

    def found(*layers):
        spec, _ = make(tmp_path, layers=[*layers, last])
        return rates(with_learning_rates(spec, dataset_from_arrays(spec, x, labels)))

    # A filter of three steps reads 12 values; the last layer half of 3 places of 2 filters.
    conv = {"kind": "conv1d", "name": "a", "filters": 2, "kernel": 3}
    assert found(conv) == pytest.approx([hidden / 12, output / 3], rel=0.02)
    # A dense layer behind it reads half of its 6 values, the last one half of 10 units.
    dense = {"name": "b", "units": 10}
    assert found(conv, dense) == pytest.approx([hidden / 12, hidden / 3, output / 5], rel=0.02)
    # Recurrent layers read a step of four channels and half of their own 8 units.
    for kind in ("rnn", "gru"):
        steps = {"kind": kind, "name": "a", "units": 8}
        assert found(steps) == pytest.approx([recurrent / 8, output / 4], rel=0.02)
        # The one above reads 8 units and its own 6: half of 14.
        above = {"kind": kind, "name": "b", "units": 6}
        expected = [recurrent / 8, recurrent / 7, output / 3]
        assert found(steps, above) == pytest.approx(expected, rel=0.02)


def test_a_net_that_has_learned_keeps_the_usual_rate(tmp_path):
    spec, dataset = make(tmp_path, pretrain={"method": "tpsgd"})
    assert with_learning_rates(spec, dataset) is spec


def test_inputs_that_are_all_zero_have_a_rate(tmp_path):
    spec, dataset = make(tmp_path)
    silent = dataset_from_arrays(spec, np.zeros_like(X), CLASSES)
    assert rates(with_learning_rates(spec, silent))[0] == 0.3
    assert dataset.labels.count == 3


@pytest.mark.parametrize(
    ("rule", "model"), [({"kind": "backprop"}, {}), ({}, {"pretrain": {"method": "tpsgd"}})]
)
def test_a_step_size_that_nobody_looks_at_is_refused(tmp_path, rule, model):
    spec, dataset = make(tmp_path, rule={**rule, "step_size": 0.1}, **model)
    with pytest.raises(SpecError, match="do not follow from the data") as caught:
        with_learning_rates(spec, dataset)
    assert "step_size = 0.1" in str(caught.value)
    assert "give learning_rate instead" in str(caught.value)


def test_both_a_rate_and_a_step_are_refused(tmp_path):
    with pytest.raises(SpecError, match="'step_size' is there to find a learning rate"):
        make(tmp_path, rule={"learning_rate": 0.1, "step_size": 0.1})
