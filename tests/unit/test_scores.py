"""Scores of a training: what is right is counted, and each training begins anew."""

from dataclasses import replace

import numpy as np
import pytest

from tests.proof.devices import write_specs
from tests.support.models import random_model
from tpsgd_edge import load_spec
from tpsgd_edge.quantize.samples import read_outputs
from tpsgd_edge.stages import on_host, prepare, quantize_samples, train
from tpsgd_edge.stages.training import score


def test_a_class_is_the_first_of_the_largest_outputs():
    model = random_model(np.random.default_rng(1), label_kind="class", label_count=3)
    outputs = np.array([[5, 1, 2], [1, 7, 7], [-3, -2, -1], [0, 0, 0], [9, 8, 9]], np.int16)
    found = score(model, outputs, np.array([0, 1, 2, 1, 2]))
    assert found.value == pytest.approx(3 / 5)
    # A row for each label, a column for each answer.
    assert found.confusion.tolist() == [[1, 0, 0], [1, 1, 0], [1, 0, 1]]
    steps = replace(model, labels=replace(model.labels, each_step=True))
    assert score(steps, outputs[np.newaxis], np.array([[0, 1, 2, 0, 0]])).value == 1


def test_values_are_scored_by_what_is_left_of_their_spread():
    rng = np.random.default_rng(1)
    model = random_model(rng, value_type="s8", label_kind="vector", label_count=1)
    outputs = np.array([[0], [100], [200]], np.int16)
    y = read_outputs(model, outputs)
    assert np.ptp(y) > 0
    assert score(model, outputs, y).value == 1
    # 50 of the middle one: 50^2 of the 2 * 100^2 of all.
    outputs[1] = 150
    assert score(model, outputs, y).value == pytest.approx(1 - 2500 / 20000)


def test_a_training_begins_anew_on_a_device_that_has_trained(tmp_path):
    write_specs(tmp_path)
    prepared = prepare(load_spec(tmp_path / "toy.toml"))
    samples = quantize_samples(prepared.model, prepared.dataset)
    options = {"epochs": 1, "progress": lambda *_: None}
    with on_host(prepared) as device:
        first, second = (train(device, prepared.model, samples, **options) for _ in range(2))
        third = train(device, prepared.model, samples, begin=first.state, **options)
    assert first.state == second.state != third.state
    assert [score.value for score in first.scores] == [score.value for score in second.scores]
    assert third.scores[0].value == first.scores[-1].value
