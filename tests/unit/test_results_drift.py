"""The script that measures what is learned after the schedule's end."""

import json
from pathlib import Path

import numpy as np

from tests.support.documents import results_pages
from tools import results_drift
from tpsgd_edge.stages.training import Samples

DOCS = Path(__file__).parents[2] / "docs"
DRIFT = DOCS / "results" / "drift.json"


def test_runs_differ_in_their_keys() -> None:
    keys = [one.key for one in (*results_drift.runs(), *results_drift.lessons())]
    assert len(set(keys)) == len(keys) == 72


def test_drifts_change_samples_and_tests_alike() -> None:
    x = np.arange(12, dtype=np.int8).reshape(4, 3)
    y = np.array([0, 1, 2, 2])
    samples = Samples(x, y.astype(np.uint16), x, y)
    renamed = results_drift.drifted(samples, "classes renamed", 1, 3)
    assert renamed.labels.tolist() == renamed.y_test.tolist() == [1, 2, 0, 0]
    assert renamed.labels.dtype == np.uint16
    permuted = results_drift.drifted(samples, "inputs permuted", 1, 3)
    assert (permuted.x == permuted.x_test).all()
    assert sorted(permuted.x[0]) == [0, 1, 2]


def test_each_sample_comes_once_before_one_comes_again() -> None:
    order = results_drift.in_turn(np.random.default_rng(1), 5, 12)
    assert sorted(order[:5]) == sorted(order[5:10]) == [0, 1, 2, 3, 4]
    assert len(order) == 12


def test_the_tables_in_the_documentation_are_those_of_the_results() -> None:
    results = json.loads(DRIFT.read_text(encoding="utf-8"))
    text = results_pages()
    assert "\n".join(results_drift.rows(results)) in text
    assert "\n".join(results_drift.lesson_rows(results)) in text
