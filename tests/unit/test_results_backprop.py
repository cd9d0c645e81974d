"""tools/results_backprop.py and bench_backprop.py: both rules, and the tables of both."""

import json
from dataclasses import replace
from pathlib import Path

from tests.support.documents import results_pages
from tools import bench_backprop, results_backprop

ROOT = Path(__file__).parent.parent.parent
BACKPROP = ROOT / "docs" / "results" / "backprop.json"
BACKPROP_DEVICE = ROOT / "docs" / "results" / "backprop_device.json"
RUN = results_backprop.Run("784-128-10", "backprop", "s16")


def test_the_rates_that_are_best_on_held_out_samples_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    trials = RUN.trials
    known = {run.key: 0.8 for run in trials} | {trials[2].key: 0.9}
    test = replace(trials[2], held_out=False)
    path.write_text(json.dumps(known | {test.key: 0.85, replace(test, seed=2).key: 0.87}))
    results = results_backprop.Table(path, may_train=False)
    assert results.tuned(RUN) == (test, 0.9)
    rows = list(results_backprop.table(results, ["784-128-10"]))
    assert rows[2:] == [
        "| 784-128-10 | backpropagation, s16 | 0.02, 0.02 | 90.00 | 86.00 ± 1.41 | 85.00, 87.00 |"
    ]


def test_both_rules_train_the_same_layers_at_their_own_rates() -> None:
    for weights in bench_backprop.FORMATS:
        specs = [
            bench_backprop.Firmware("fashion_cnn", rule, weights).spec("cortex-m4f")
            for rule in bench_backprop.RULES
        ]
        assert [spec.rule.kind for spec in specs] == ["tpsgd", "backprop"]
        assert specs[0].model == specs[1].model
        assert specs[0].rule.learning_rate != specs[1].rule.learning_rate


def test_the_tables_in_the_documentation_are_those_of_the_results() -> None:
    text = results_pages()
    results = results_backprop.Table(BACKPROP, may_train=False)
    assert "\n".join(results_backprop.table(results, tuple(results_backprop.NETS))) in text
    costs = bench_backprop.read(BACKPROP_DEVICE)
    assert "\n".join(bench_backprop.table(costs, tuple(bench_backprop.NETS))) in text
