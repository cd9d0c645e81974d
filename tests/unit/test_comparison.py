"""Comparing rules: what is run, what is kept, what is said."""

import contextlib
import json
import multiprocessing
import os
import signal
import sqlite3
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tpsgd_edge.cli import run
from tpsgd_edge.cli.comparison import show_comparison
from tpsgd_edge.comparison import compare, workers
from tpsgd_edge.comparison.compare import compare_rules
from tpsgd_edge.comparison.runs import FACTORS, GRID, TITLES, TRIAL_SEEDS, Result, Run
from tpsgd_edge.comparison.store import open_store
from tpsgd_edge.errors import OutputError, SpecError, ToolError
from tpsgd_edge.frontend.data import load_dataset
from tpsgd_edge.frontend.defaults import with_defaults
from tpsgd_edge.spec import Spec, load_spec

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def spec() -> Spec:
    return load_spec(EXAMPLES / "digits.toml")


@pytest.fixture
def made(monkeypatch) -> list[Run]:
    """Runs that were asked for; none is carried out. A rate of 0.01 is the best."""
    runs: list[Run] = []

    def computed(spec, workers, asked):
        for one in asked:
            runs.append(one)
            yield result_of(one)

    monkeypatch.setattr(compare, "_computed", computed)
    return runs


def result_of(one: Run) -> Result:
    score = 0.5 + 0.01 * one.seed + (0.2 if one.rule != "random" else 0)
    score -= 0 if one.rate is None else abs(one.rate - 0.01)
    scores = (0.1, *[score] * one.epochs)
    costs = (None, None) if one.is_trial else (5000, 3000)
    return Result(one, "accuracy", scores, 1.5, 100 * one.epochs, *costs)


# ------------------------------------------------------------------ what is run


def test_rates_are_chosen_for_all_rules_but_tpsgd(spec, made, tmp_path):
    result = compare_rules(
        spec, rules=["tpsgd", "dfa"], out=tmp_path / "new" / "r.sqlite", epochs=2
    )
    trials = [one for one in made if one.is_trial]
    assert [(one.rule, one.rate) for one in trials] == [
        (rule, rate) for rule in ("dfa", "random") for rate in GRID for _ in range(TRIAL_SEEDS)
    ]
    assert {one.seed for one in trials} == {1, 2, 3}
    others = [(one.rule, one.seed, one.rate) for one in made if not one.is_trial]
    assert others == [
        *[("tpsgd", seed, None) for seed in (1, 2, 3)],
        *[("dfa", seed, 0.01) for seed in (1, 2, 3)],
        *[("random", seed, 0.01) for seed in (1, 2, 3)],
    ]
    tpsgd, dfa, random = result.rules
    assert dfa.mean == pytest.approx(0.72)
    assert dfa.lowest == pytest.approx(0.71)
    assert dfa.over_random == pytest.approx(0.2)
    assert (tpsgd.rate, dfa.rate, random.over_random) == (None, 0.01, 0)
    assert dfa.curve == pytest.approx((0.1, 0.72, 0.72))
    assert (dfa.macs, dfa.step_bytes, result.samples) == (25, 3000, 100)


def test_tpsgd_is_tuned_if_asked_for(spec, made, tmp_path):
    common = {"rules": ["tpsgd"], "out": tmp_path / "r.sqlite", "rates": [0.03, 0.1], "epochs": 1}
    result = compare_rules(spec, tune_tpsgd=True, **common)
    trials = [(one.rule, one.rate, one.ratio) for one in made if one.is_trial]
    factors = [factor for factor in FACTORS for _ in range(TRIAL_SEEDS)]
    assert trials[: len(factors)] == [("tpsgd", None, factor) for factor in factors]
    assert (result.rules[0].rate, result.rules[0].ratio) == (None, FACTORS[0])
    assert "0.3 x the spec's" in show_comparison(result, None)
    assert result.at_the_edge == ("tpsgd", "random")
    assert result.rate_note.startswith("tpSGD's learning rates chosen from the spec's times 0.3, ")
    assert compare_rules(spec, **common).at_the_edge == ("random",)


def test_rates_can_be_tried_with_several_seeds(spec, made, tmp_path):
    common = {"rules": ["random"], "rates": [0.01, 0.1], "out": tmp_path / "r.sqlite"}
    result = compare_rules(spec, trial_seeds=2, **common)
    trials = [(one.rate, one.seed) for one in made if one.is_trial]
    assert trials == [(0.01, 1), (0.01, 2), (0.1, 1), (0.1, 2)]
    assert result.rules[0].tried == pytest.approx({"0.01": 0.515, "0.1": 0.425})
    assert result.rate_note.endswith("by the mean less the standard deviation, with seeds 1 to 2")


def test_the_rate_of_hidden_layers_is_chosen_apart_from_the_last_ones(spec, made, tmp_path):
    common = {"rules": ["dfa"], "rates": [0.03, 0.1], "out": tmp_path / "r.sqlite", "seeds": 1}
    result = compare_rules(spec, ratios=[1, 0.1], **common)
    trials = [(one.rule, one.rate, one.ratio) for one in made if one.is_trial]
    # Where no hidden layer learns there is nothing to choose.
    random = [("random", 0.03, 1), ("random", 0.1, 1)]
    assert trials == [("dfa", r, ratio) for ratio in (1, 0.1) for r in (0.03, 0.1)] + random
    assert [*result.rules[0].tried] == ["0.03", "0.1", "0.003, 0.03", "0.01, 0.1"]
    assert "chosen from 0.03, 0.1, hidden layers at 1, 0.1 times that, on" in result.rate_note
    made.clear()
    result = compare_rules(spec, **{**common, "rates": [0.25], "out": tmp_path / "s.sqlite"})
    assert [(one.rate, one.ratio) for one in made] == [(0.25, 1)] * 2
    result = compare_rules(spec, **{**common, "rates": [0.25]}, ratios=[0.5])
    assert [(one.rule, one.ratio) for one in made[2:]] == [("dfa", 0.5), ("random", 1)]
    assert result.rules[0].ratio == 0.5
    assert "0.125, 0.25" in show_comparison(result, None)


def test_one_rate_needs_no_trials(spec, made, tmp_path):
    compare_rules(spec, rules=["random"], rates=[0.25], out=tmp_path / "r.sqlite", seeds=2)
    assert [(one.is_trial, one.rate, one.epochs) for one in made] == [(False, 0.25, 10)] * 2


def test_nothing_is_computed_twice(spec, made, tmp_path, monkeypatch):
    settings = {"rules": ["tpsgd", "drtp"], "out": tmp_path / "r.sqlite", "epochs": 1, "seeds": 2}
    computed = compare._computed

    def interrupted(spec, workers, asked):
        for count, result in enumerate(computed(spec, workers, asked)):
            if count == 3:
                raise KeyboardInterrupt
            yield result

    monkeypatch.setattr(compare, "_computed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compare_rules(spec, **settings)
    assert len(made) == 4
    kept = made[:3]
    made.clear()
    monkeypatch.setattr(compare, "_computed", computed)
    seen = []
    whole = compare_rules(spec, **settings, progress=lambda *told: seen.append(told))
    assert not set(made) & set(kept)
    assert len({*made, *kept}) == len(made) + 3 == 2 * 2 * len(GRID) + 3 * 2
    assert seen[0] == ("choosing learning rates", 3, 2 * 2 * len(GRID))
    assert seen[-1] == ("training", 6, 6)
    made.clear()
    assert compare_rules(spec, **settings) == whole
    assert not made
    compare_rules(spec, **{**settings, "seeds": 3, "trial_seeds": 2})
    assert [(one.rule, one.seed) for one in made] == [("tpsgd", 3), ("drtp", 3), ("random", 3)]


def test_a_worker_that_dies_is_an_error_in_words(spec, tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "begin", partial(os._exit, 9))
    with pytest.raises(ToolError, match="has ended before its time") as caught:
        compare_rules(spec, rules=["random"], out=tmp_path / "r.sqlite", jobs=1)
    assert "--jobs 1" in str(caught.value)
    assert not multiprocessing.active_children()


# ------------------------------------------------------------------ what is kept


def train_for_ever(line) -> None:
    """A worker as a comparison begins it: it says who it is, and stays."""
    workers.begin()
    line.send(os.getpid())
    time.sleep(600)


def ask_for_training(line) -> None:
    multiprocessing.get_context("spawn").Process(target=train_for_ever, args=(line,)).start()
    time.sleep(600)


def test_a_worker_ends_with_its_parent():
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    parent = context.Process(target=ask_for_training, args=(there,))
    parent.start()
    there.close()
    worker = here.recv()
    parent.kill()
    parent.join()
    try:
        # The line ends when nobody holds it any more.
        assert here.poll(60), "the worker stays"
        with pytest.raises(EOFError):
            here.recv()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)


def test_the_file_has_one_row_for_each_run(spec, made, tmp_path):
    path = tmp_path / "r.sqlite"
    compare_rules(spec, rules=["tpsgd"], rates=[0.5], out=path, epochs=2, seeds=2)
    rows = sqlite3.connect(path).execute(
        "select spec, rule, seed, rate, epochs, batch, is_trial, metric, scores, seconds, samples,"
        " macs, step_bytes from runs order by rule desc, seed"
    )
    first, *others = rows.fetchall()
    # The digest of the spec with what follows from the data.
    digest = with_defaults(spec, load_dataset(spec))[0].digest
    fixed = (digest, "tpsgd", 1, None, 2, 32, 0, "accuracy", "[0.1, 0.71, 0.71]")
    assert first == (*fixed, 1.5, 200, 5000, 3000)
    assert [row[1:4] for row in others] == [
        ("tpsgd", 2, None),
        ("random", 1, 0.5),
        ("random", 2, 0.5),
    ]


def test_a_file_of_before_ratios_is_read(spec, made, tmp_path):
    path = tmp_path / "r.sqlite"
    compare_rules(spec, rules=["random"], rates=[0.5], out=path)
    with sqlite3.connect(path) as connection:
        connection.execute("alter table runs drop column ratio")
    made.clear()
    compare_rules(spec, rules=["random"], rates=[0.5], out=path)
    assert not made


def test_results_of_another_spec_are_refused(spec, made, tmp_path):
    path = tmp_path / "r.sqlite"
    compare_rules(spec, rules=["random"], out=path)
    other = load_spec(EXAMPLES / "digits.toml", ["rule.learning_rate=0.5"])
    with pytest.raises(OutputError, match="results of another spec") as caught:
        compare_rules(other, rules=["random"], out=path)
    assert "--out" in str(caught.value)


def test_another_kind_of_file_is_refused(spec, tmp_path):
    path = tmp_path / "r.sqlite"
    content = b"not a database, but long enough to be taken for one" * 40
    path.write_bytes(content)
    for file in (path, path / "in a file" / "r.sqlite"):
        with pytest.raises(OutputError, match="cannot be used"), open_store(file, spec.digest):
            pass
    assert path.read_bytes() == content


# ------------------------------------------------------------------ what is said


def test_an_unknown_rule_is_an_error_in_words(spec, tmp_path):
    with pytest.raises(SpecError, match="there is no rule 'bpp'") as caught:
        compare_rules(spec, rules=["tpsgd", "bpp"], out=tmp_path / "r.sqlite")
    assert "tpsgd, backprop, fa, dfa" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_spec_that_trains_by_backpropagation_is_refused(spec, tmp_path):
    changed = spec.model_copy(update={"rule": spec.rule.model_copy(update={"kind": "backprop"})})
    with pytest.raises(SpecError, match="compared with tpSGD as the spec has it") as caught:
        compare_rules(changed, out=tmp_path / "r.sqlite")
    assert "remove it; backpropagation is among the rules" in str(caught.value)


def test_rates_that_nobody_says_follow_from_the_data(made, tmp_path):
    spec = load_spec(EXAMPLES / "digits.toml", ["rule.learning_rate=auto"])
    result = compare_rules(spec, rules=["tpsgd"], out=tmp_path / "r.sqlite", rates=[0.1])
    assert all(layer.learning_rate is not None for layer in result.spec.model.weighted)


def test_missing_torch_says_how_to_get_it(spec, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ToolError, match="needs torch") as caught:
        compare_rules(spec, out=tmp_path / "r.sqlite")
    assert "pip install 'tpsgd-edge[torch]'" in str(caught.value)


def test_the_table_names_rules_rates_and_distances(made, tmp_path, capsys):
    arguments = ["compare", str(EXAMPLES / "digits.toml"), "--epochs", "2", "--seeds", "2"]
    assert run([*arguments, "--rules", "tpsgd,dfa", "--out", str(tmp_path / "r.sqlite")]) == 0
    out = " ".join(capsys.readouterr().out.split())
    for text in (
        "digits: Accuracy on the test set, 2 seeds, 2 epochs of 100 samples, batches of 32",
        "tpSGD the spec's 71.50 % 0.71 71.00 % +20.00 25 0.75 3,000 B",
        "DFA 0.01 71.50 %",
        "hidden layers at random 0.01 51.50 % 0.71 51.00 % 25 0.75 3,000 B",
        "chosen from 0.001, 0.003, 0.01, 0.03, 0.1, 0.3 on the last fifth of the training set",
    ):
        assert text in out


def test_the_plot_is_written_and_repeats(made, tmp_path, capsys):
    arguments = ["compare", str(EXAMPLES / "digits.toml"), "--out", str(tmp_path / "r.sqlite")]
    texts = []
    for name in ("a.svg", "b.svg"):
        assert run([*arguments, "--plot", str(tmp_path / name)]) == 0
        texts.append((tmp_path / name).read_text())
    assert texts[0] == texts[1]
    assert all(title in texts[0] for title in ("samples seen", "multiply-accumulates"))
    assert f"plot: {tmp_path / 'b.svg'}" in capsys.readouterr().out
    assert run([*arguments, "--plot", str(tmp_path / "a.txt")]) == 2
    assert "cannot be written as '.txt'" in capsys.readouterr().err


@pytest.mark.slow
def test_two_rules_in_processes_of_their_own(tmp_path, capsys):
    pytest.importorskip("torch")
    path, spec = tmp_path / "r.sqlite", str(EXAMPLES / "digits.toml")
    common = ["compare", spec, "--out", str(path), "--epochs", "1", "--seeds", "1", "--jobs", "1"]
    assert run([*common, "--rules", "tpsgd,backprop", "--rates", "0.03", "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    document = json.loads(out)
    accuracy = {rule["rule"]: rule["mean"] for rule in document["rules"]}
    assert list(accuracy) == ["tpsgd", "backprop", "random"]
    assert accuracy["tpsgd"] > 0.8
    assert accuracy["backprop"] > accuracy["random"] > 0.5
    assert all(rule["macs"] > 2000 and rule["step_bytes"] > 20_000 for rule in document["rules"])
    assert document["samples_per_epoch"] == 1438


def test_rules_that_are_not_defined_are_left_out_or_refused(made, tmp_path):
    spec = load_spec(EXAMPLES / "diabetes.toml")
    result = compare_rules(spec, out=tmp_path / "r.sqlite", rates=[0.01])
    undefined = ("drtp", "tpsgd_carried")
    defined = [rule for rule in TITLES if rule not in undefined]
    assert [rule.rule for rule in result.rules] == defined
    with pytest.raises(SpecError, match="DRTP is not defined for label vectors"):
        compare_rules(spec, rules=["drtp"], out=tmp_path / "r.sqlite")


def test_a_rule_that_diverges_is_said_to(monkeypatch, tmp_path, capsys):
    def computed(spec, workers, asked):
        for one in asked:
            result = result_of(one)
            yield replace(result, scores=result.scores[: 2 if one.rule == "fa" else None])

    monkeypatch.setattr(compare, "_computed", computed)
    arguments = ["compare", str(EXAMPLES / "digits.toml"), "--rules", "fa", "--epochs", "3"]
    arguments += ["--out", str(tmp_path / "r.sqlite")]
    assert run(arguments) == 0
    assert "FA 0.001 diverged" in " ".join(capsys.readouterr().out.split())
    assert run([*arguments, "--json", "--plot", str(tmp_path / "r.svg")]) == 0
    (fa, _) = json.loads(capsys.readouterr().out)["rules"]
    assert (fa["mean"], fa["scores"], len(fa["curve"])) == (None, [None] * 3, 2)
