"""The orders in which samples come: `simulate --order` and `compare --order`."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.proof.devices import write_specs
from tpsgd_edge import load_spec
from tpsgd_edge.cli import run
from tpsgd_edge.cli.options import order_option
from tpsgd_edge.comparison.compare import compare_rules
from tpsgd_edge.comparison.runs import Result, Run
from tpsgd_edge.comparison.store import open_store
from tpsgd_edge.comparison.training import execute
from tpsgd_edge.errors import DataError, SpecError
from tpsgd_edge.frontend.data import Dataset, dataset_from_arrays, load_dataset
from tpsgd_edge.frontend.order import IN_WORDS, ORDERS, sample_order, stretches_of
from tpsgd_edge.frontend.split import epoch_order
from tpsgd_edge.quantize import quantize_inputs
from tpsgd_edge.reference import Reference
from tpsgd_edge.reports.forgetting import Forgetting, forgetting_of
from tpsgd_edge.stages import prepare
from tpsgd_edge.stages.training import Score, Training

CLASSES = 3


@pytest.fixture
def folder(tmp_path):
    write_specs(tmp_path)
    return tmp_path


@pytest.fixture
def dataset(folder) -> Dataset:
    """Samples whose first value is their number in the file."""
    rng = np.random.default_rng(1)
    y = rng.integers(0, CLASSES, 60)
    y[:CLASSES] = range(CLASSES)
    x = np.column_stack([np.arange(60.0), rng.normal(size=(60, 5))])
    spec = load_spec(folder / "toy.toml", ["data.file=none.npz"])
    return dataset_from_arrays(spec, x, y)


def numbers(dataset: Dataset, order: np.ndarray) -> np.ndarray:
    return dataset.x_train[order, 0].astype(int)


def test_the_command_offers_all_of_them():
    (option,) = order_option(lambda: None).__click_params__
    assert tuple(option.type.choices) == ORDERS == tuple(IN_WORDS)


def test_recorded_is_the_order_of_the_file(dataset):
    order = sample_order("recorded", dataset, 7, 0)
    found = numbers(dataset, order)
    assert (np.diff(found) > 0).all()
    assert len(found) == len(dataset.x_train) < 60
    assert not (np.diff(numbers(dataset, np.arange(len(found)))) > 0).all()
    assert np.array_equal(order, sample_order("recorded", dataset, 8, 3))


def test_sorted_is_by_class_and_as_recorded_among_equals(dataset):
    order = sample_order("sorted", dataset, 7, 0)
    y, found = dataset.y_train[order], numbers(dataset, order)
    assert (np.diff(y) >= 0).all()
    assert all((np.diff(found[y == k]) > 0).all() for k in range(CLASSES))


def test_classes_come_in_turn_each_shuffled(dataset):
    parts = stretches_of("classes", dataset, 7, 1)
    assert [set(dataset.y_train[part]) for part in parts] == [{k} for k in range(CLASSES)]
    assert sorted(np.concatenate(parts)) == list(range(len(dataset.x_train)))
    drawn = epoch_order(7, 0, len(dataset.x_train))
    for k, part in enumerate(parts):
        assert part.tolist() == [i for i in drawn if dataset.y_train[i] == k]


def test_shuffled_is_as_ever_and_each_epoch_a_stretch(dataset):
    parts = stretches_of("shuffled", dataset, 7, 3)
    assert len(parts) == 3
    assert len({tuple(part) for part in parts}) == 3


def test_samples_whose_places_nobody_knows_are_as_recorded(dataset):
    unknown = replace(dataset, places=None)
    assert sample_order("recorded", unknown, 7, 0).tolist() == list(range(len(dataset.x_train)))


def test_label_vectors_are_sorted_by_their_first_value_but_are_no_classes(dataset):
    vectors = np.column_stack([-dataset.x_train[:, 0], dataset.x_train[:, 1]])
    labels = replace(dataset.labels, kind="vector", count=2)
    other = replace(dataset, y_train=vectors, labels=labels)
    assert (np.diff(numbers(other, sample_order("sorted", other, 7, 0))) < 0).all()
    with pytest.raises(DataError, match="only classes can come one after the other"):
        sample_order("classes", other, 7, 0)


def test_forgetting_is_what_each_class_but_the_last_has_lost():
    first = Score(0.3, np.array([[4, 0, 0], [0, 0, 0], [2, 0, 0]]))
    second = Score(0.6, np.array([[3, 1, 0], [0, 0, 0], [0, 2, 0]]))
    last = Score(0.5, np.array([[1, 1, 2], [0, 0, 0], [0, 0, 2]]))
    training = Training((first, first, second, last), 1.0, 9, b"")
    found = forgetting_of(training)
    assert found == Forgetting((0, 2), (1.0, 1.0), (0.25, 1.0)), "class 1 has no test samples"
    assert found.mean == 0.75
    assert Forgetting((0,), (1.0,), (0.5,)).mean == 0


def test_the_generated_code_meets_the_samples_in_that_order(folder, capsys):
    spec = str(folder / "toy.toml")
    dump = folder / "trained.bin"
    options = ["--platform", "host", "--order", "recorded", "--epochs", "2", "--json"]
    assert run(["simulate", spec, *options, "--weights-out", str(dump)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["order"] == "recorded"
    assert document["forgetting"] is None
    prepared = prepare(load_spec(spec))
    x = quantize_inputs(prepared.model, prepared.dataset.x_train)
    reference = Reference(prepared.model)
    for i in np.tile(prepared.dataset.recorded_order(), 2):
        reference.train_step(x[i], np.uint16(prepared.dataset.y_train[i]))
    assert dump.read_bytes() == prepared.plan.state.write(reference.state())


def test_class_by_class_has_a_table_of_what_was_forgotten(folder, capsys):
    spec = str(folder / "toy.toml")
    assert run(["simulate", spec, "--platform", "host", "--order", "classes"]) == 0
    said = capsys.readouterr().out
    assert "when it was learned" in said
    assert "forgotten, in the mean" in said
    assert "1 epoch" in said
    assert run(["simulate", spec, "--order", "classes", "--epochs", "2"]) == 2
    assert "classes that come one after the other come once" in capsys.readouterr().err


def test_a_file_of_results_tells_orders_apart_and_one_of_before_is_read(tmp_path):
    path, one = tmp_path / "r.sqlite", Run("tpsgd", 1, None, 1, 4)
    with open_store(path, "spec") as store:
        store.add(Result(one, "accuracy", (0.1, 0.2), 1.0, 5, 6, 7))
        assert store.find(one) is not None
        assert store.find(replace(one, order="recorded")) is None


class TestInFloatingPoint:
    def test_a_rule_meets_the_samples_in_that_order(self, folder):
        """With one sample a batch, what was learned is another for each order."""
        spec = prepare(load_spec(folder / "toy.toml")).spec
        made = [execute(spec, Run("tpsgd", 1, None, 1, 1, order=order)) for order in ORDERS]
        assert len({result.scores[-1] for result in made}) > 1
        assert len({result.scores[0] for result in made}) == 1

    def test_several_passes_class_by_class_are_refused(self, folder):
        spec = load_spec(folder / "toy.toml")
        with pytest.raises(SpecError, match="come once"):
            compare_rules(spec, order="classes", epochs=2, out=folder / "r.sqlite")


def test_places_are_those_of_the_samples_that_are_used(folder):
    spec = load_spec(folder / "toy.toml", ["data.limit=20"])
    dataset = load_dataset(spec)
    assert dataset.places is not None
    assert len(dataset.places) == len(dataset.x_train) == 20


def test_a_detector_of_anomalies_has_no_classes_in_turn(capsys):
    spec = str(Path(__file__).parents[2] / "examples" / "digits_anomaly.toml")
    assert run(["simulate", spec, "--platform", "host", "--order", "classes"]) == 2
    assert "a detector of anomalies learns one class" in capsys.readouterr().err
