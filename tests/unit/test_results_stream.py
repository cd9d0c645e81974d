"""The script that measures what is learned in the order of life."""

import json
from pathlib import Path

import numpy as np

from tests.support.documents import results_pages
from tools import results_stream
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.frontend.order import ORDERS

STREAM = Path(__file__).parents[2] / "docs" / "results" / "stream.json"


def test_runs_differ_in_their_keys() -> None:
    keys = [run.key for run in results_stream.runs()]
    judged = len(results_stream.NETS) * len(results_stream.JUDGED) * len(ORDERS) * 3
    assert len(set(keys)) == len(keys) == judged + 2 * 2 * len(results_stream.WAYS)


def test_specs_are_those_of_one_pass_with_what_is_kept() -> None:
    for run in results_stream.runs():
        if run.net.startswith("digits"):
            spec = run.spec
            assert (spec.rule.epochs, spec.rule.schedule) == (1, "constant")
            assert spec.replay.size == results_stream.WAYS[run.way].get("size", 0)


def test_the_last_recordings_are_held_out_and_the_others_keep_their_order() -> None:
    spec = results_stream.Run("digits 64-32-10", "nothing kept", "recorded", 1).spec
    x = np.column_stack([np.arange(100.0), np.ones(100)])
    dataset = dataset_from_arrays(spec, x, np.arange(100) % 10)
    recorded = dataset.x_train[dataset.recorded_order()]
    held = results_stream.held_out(spec, dataset)
    count = len(recorded) // results_stream.HELD_OUT
    assert np.array_equal(held.x_test, recorded[-count:])
    assert np.array_equal(held.x_train[held.recorded_order()], recorded[:-count])
    assert np.array_equal(held.y_test, held.x_test[:, 0].astype(int) % 10)


def test_the_tables_in_the_documentation_are_those_of_the_results() -> None:
    results = json.loads(STREAM.read_text(encoding="utf-8"))
    assert set(results) == {"drift", *(run.key for run in results_stream.runs())}
    text = results_pages()
    assert "\n".join(results_stream.trial_rows(results)) in text
    assert "\n".join(results_stream.rows(results)) in text
    assert "\n".join(results_stream.drift_rows(results)) in text
