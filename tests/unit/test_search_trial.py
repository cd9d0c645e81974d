"""A trial with the generated code: what it learns, what it is scored on, when it is stopped."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.searched import spec_for
from tpsgd_edge.frontend.data import load_dataset
from tpsgd_edge.frontend.split import epoch_order
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.reference import Reference
from tpsgd_edge.search import trial
from tpsgd_edge.search.trial import Cost, attempt, source_of, try_net
from tpsgd_edge.stages.adapting import training_ram
from tpsgd_edge.stages.preparation import prepare

EPOCHS, PARTS = 8, 5
CHEAP = Cost(1, 1)


@pytest.fixture
def spec(tmp_path):
    # So noisy that hardly two nets answer all alike.
    return spec_for(tmp_path, rule={"epochs": EPOCHS}, noise=4.0)


def scored(spec, dataset) -> list[list[float]]:
    """Scores of the reference after 2, 4 and 8 epochs on each held-out part."""
    part_of = np.arange(len(dataset.x_train)) % PARTS
    first = replace(
        dataset, x_train=dataset.x_train[part_of != 0], y_train=dataset.y_train[part_of != 0]
    )
    model = prepare(spec, first).model
    scores = []
    for part in range(PARTS):
        learned, held_out = part_of != part, part_of == part
        x = quantize_inputs(model, dataset.x_train[learned])
        labels = quantize_labels(model, dataset.y_train[learned])
        reference, curve = Reference(model), []
        for epoch in range(EPOCHS):
            for index in epoch_order(model.seed, epoch, len(x)):
                reference.train_step(x[index], labels[index])
            asked = quantize_inputs(model, dataset.x_train[held_out])
            answers = [int(np.argmax(reference.output(one))) for one in asked]
            curve.append(float(np.mean(np.array(answers) == dataset.y_train[held_out])))
        scores.append([curve[1], curve[3], curve[7]])
    return scores


def test_a_trial_scores_what_the_reference_learned_on_what_it_did_not(spec):
    dataset = load_dataset(spec)
    outcome, expected = try_net(source_of(spec), spec, []), scored(spec, dataset)
    assert outcome.looks == tuple(expected[0])
    assert outcome.score == np.mean([curve[-1] for curve in expected])
    assert not outcome.is_stopped
    assert outcome.cost.ram == training_ram(prepare(spec, dataset).plan)
    assert 0 < outcome.training < outcome.processor


def test_nobody_looks_at_the_test_set_in_a_trial(spec, monkeypatch):
    dataset, source = load_dataset(spec), source_of(spec)
    known = try_net(source, spec, [])
    no_test = replace(dataset, x_test=dataset.x_test[:0], y_test=dataset.y_test[:0])
    monkeypatch.setattr(trial, "dataset_of", lambda _: no_test)
    blind = try_net(source, spec, [])
    assert (blind.looks, blind.score, blind.cost) == (known.looks, known.score, known.cost)


@pytest.mark.parametrize(
    ("cost", "looks", "count"),
    [
        (CHEAP, (2.0, 2.0, 2.0), 1),
        (CHEAP, (0.0, 2.0, 2.0), 2),
        (CHEAP, (0.0, 0.0, 2.0), 3),
        # Those that cost more are no measure, nor are those that never came as far.
        (Cost(10**6, 1), (2.0, 2.0, 2.0), None),
        (Cost(1, 10**6), (2.0, 2.0, 2.0), None),
        (CHEAP, (0.0,), None),
    ],
)
def test_a_net_is_stopped_when_half_of_the_cheaper_ones_were_better_then(spec, cost, looks, count):
    outcome = try_net(source_of(spec), spec, [(cost, looks)] * 2)
    assert outcome.is_stopped == (count is not None)
    assert len(outcome.looks) == (count or 3)
    if count is not None:
        assert outcome.score == outcome.looks[-1]


def test_a_net_that_is_none_is_an_answer_in_words(spec, tmp_path):
    other = spec_for(tmp_path, layers=[{"name": "a", "units": 4}])
    words = attempt(source_of(spec), other, [])
    assert isinstance(words, str)
    assert "classes" in words
