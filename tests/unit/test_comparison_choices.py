"""Comparing rules: which rate is chosen, and what the rules are given."""

from pathlib import Path

import pytest

from tpsgd_edge.cli import run
from tpsgd_edge.comparison.compare import compare_rules
from tpsgd_edge.comparison.runs import TITLES, Plan, Result, Run
from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.data import load_dataset
from tpsgd_edge.spec import load_spec

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_rate_that_diverges_is_not_chosen():
    plan = Plan(("dfa", "random"), (1,), 2, 32, (0.1, 0.2))
    slow, fast = (Run("dfa", 1, rate, 2, 32, is_trial=True) for rate in (0.1, 0.2))
    trials = [
        Result(slow, "accuracy", (0.1, 0.2, 0.3), 1, 10, None, None),
        Result(fast, "accuracy", (0.1, 0.9), 1, 10, None, None),
    ]
    assert trials[1].has_diverged
    assert plan.runs(trials)[0].rate == 0.1


def test_a_rate_is_chosen_by_what_is_steady():
    """At the large rate one seed in three fails, and the first alone does not tell."""
    plan = Plan(("dfa", "random"), (1, 2, 3), 1, 32, (0.1, 0.3))
    scores = {0.1: (0.96, 0.92, 0.94), 0.3: (0.99, 0.99, 0.85)}
    trials = [
        Result(
            Run("dfa", seed, rate, 1, 32, is_trial=True),
            "accuracy",
            (0.1, score),
            1,
            10,
            None,
            None,
        )
        for rate, of_rate in scores.items()
        for seed, score in enumerate(of_rate, 1)
    ]
    assert plan.runs(trials)[0].rate == 0.1
    assert plan.runs([trial for trial in trials if trial.run.seed == 1])[0].rate == 0.3


def test_of_rates_that_are_equal_the_smallest_is_chosen():
    plan = Plan(("dfa", "random"), (1,), 1, 32, (0.1, 0.3))
    trials = [
        Result(Run("dfa", 1, rate, 1, 32, is_trial=True), "accuracy", (0.1, 0.9), 1, 10, None, None)
        for rate in (0.1, 0.3)
    ]
    assert plan.runs(trials)[0].rate == 0.1


@pytest.mark.parametrize(
    "layers", ['{name="out", units=10}', '{name="a", units=8, train=false}, {name="b", units=10}']
)
def test_a_network_without_hidden_layers_that_learn_is_refused(layers, tmp_path):
    spec = load_spec(EXAMPLES / "digits.toml", [f"model.layers=[{layers}]"])
    with pytest.raises(SpecError, match="without hidden layers that learn"):
        compare_rules(spec, out=tmp_path / "r.sqlite")


def test_layers_that_do_not_train_keep_their_weights(monkeypatch):
    pytest.importorskip("torch")
    from tpsgd_edge.comparison import training

    asked = []
    monkeypatch.setattr(training, "train_float", lambda *_, **settings: asked.append(settings))
    layers = '{name="a", units=8, train=false}, {name="b", units=8}, {name="c", units=10}'
    changes = [f"model.layers=[{layers}]", "rule.output_learning_rate=0.5", "data.scaling=unit"]
    spec = load_spec(EXAMPLES / "digits.toml", changes)
    training.execute(spec, Run("tpsgd", 1, None, 1, 10, is_trial=True))
    training.execute(spec, Run("dfa", 1, 0.25, 1, 10, is_trial=True))
    rates = [settings["learning_rate"] for settings in asked]
    assert rates == [pytest.approx([0, 0.2, 5]), pytest.approx([0, 2.5, 2.5])]
    training.execute(spec, Run("dfa", 1, 0.25, 1, 10, is_trial=True, ratio=0.1))
    assert asked[-1]["learning_rate"] == pytest.approx([0, 0.25, 2.5])
    training.execute(spec, Run("tpsgd", 1, None, 1, 10, is_trial=True, ratio=2))
    assert asked[-1]["learning_rate"] == pytest.approx([0, 0.4, 10])


def test_projections_are_fitted_as_on_the_device_without_what_is_held_out(monkeypatch):
    pytest.importorskip("torch")
    from tpsgd_edge.comparison import training

    graphs, seen = [], []
    monkeypatch.setattr(training, "train_float", lambda graph, *_, **__: graphs.append(graph))
    fit = training.with_fitted_projections

    def fitted(spec, graph, dataset, **how):
        seen.append(len(dataset.x_train))
        return fit(spec, graph, dataset, **how)

    monkeypatch.setattr(training, "with_fitted_projections", fitted)
    filters = '{kind="conv2d", name="a", filters=4, kernel=3}, {kind="max_pool"}'
    layers = f'model.layers=[{filters}, {{name="b", units=10}}]'
    changes = [layers, "data.input_shape=[8,8,1]", "data.scaling=unit"]
    spec = load_spec(EXAMPLES / "digits.toml", changes)
    training.execute(spec, Run("tpsgd", 1, None, 1, 10, is_trial=True))
    assert list(graphs[0].fitted) == ["a"]
    training.execute(spec, Run("tpsgd", 2, None, 1, 10, is_trial=True))
    assert (graphs[0].fitted["a"] != graphs[1].fitted["a"]).any()
    assert seen == [len(load_dataset(spec).x_train) - len(load_dataset(spec).x_train) // 5] * 2


@pytest.mark.parametrize("rates", ["", "fast", "0.1,-1", "0", "nan", "inf"])
def test_learning_rates_are_positive_numbers(rates, capsys):
    assert run(["compare", str(EXAMPLES / "digits.toml"), "--rates", rates]) == 2
    assert "learning rates are positive numbers" in capsys.readouterr().err


def test_read_outs_learn_only_where_something_is_read_out():
    spec = load_spec(EXAMPLES / "digits.toml", ['rule.loss="l2"'])
    with pytest.raises(SpecError, match="no read-out of the network could learn") as caught:
        compare_rules(spec, rules=["tpsgd_learned"])
    assert "hidden layers with the loss 'l2'" in str(caught.value)
    assert "leave tpsgd_learned out" in str(caught.value)


def test_every_rule_has_a_title():
    pytest.importorskip("torch")
    from tpsgd_edge.rule.rules import RULES

    assert {rule.replace("last_layer", "random") for rule in RULES} == set(TITLES)
