"""The search: its space, its nets, what is planned, stopped, measured and kept."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click import BadParameter
from hypothesis import given
from hypothesis import strategies as st

from tests.support.searched import spec_for
from tpsgd_edge.cli import run
from tpsgd_edge.cli.search import _Seconds
from tpsgd_edge.errors import OutputError, SpecError
from tpsgd_edge.frontend.data import load_dataset
from tpsgd_edge.reports.front import FrontPoint, plot_front
from tpsgd_edge.search import search as searching
from tpsgd_edge.search.front import best_of, front_of
from tpsgd_edge.search.result import Budget, write_specs
from tpsgd_edge.search.search import search
from tpsgd_edge.search.study import Trial
from tpsgd_edge.search.trial import (
    Cost,
    Measured,
    Outcome,
    cost_of,
    parts_of,
)
from tpsgd_edge.spec import load_spec
from tpsgd_edge.spec.toml import spec_content, toml_text

pytest.importorskip("optuna")

EXAMPLES = Path(__file__).parents[2] / "examples"


# ------------------------------------------------------------------ the front


OUTCOMES = st.builds(
    lambda score, ram, work, is_stopped: Outcome(
        Cost(ram, work), (score,), score, is_stopped, 0.0, 0.0
    ),
    st.sampled_from([0.1, 0.2, 0.3]),
    st.integers(1, 3),
    st.integers(1, 3),
    st.booleans(),
)
TRIALS = st.lists(st.tuples(st.none() | OUTCOMES, st.sampled_from([0.0, 0.0, 0.5])), max_size=9)


@given(TRIALS)
def test_nothing_beats_a_net_of_the_front_and_something_all_others(drawn):
    trials = [
        Trial(place, {}, is_open=False, over=over, outcome=outcome)
        for place, (outcome, over) in enumerate(drawn)
    ]
    front = front_of(trials)

    def no_worse(one, other):
        a, b = one.outcome, other.outcome
        return a.score >= b.score and a.cost.ram <= b.cost.ram and a.cost.work <= b.cost.work

    able = [t for t in trials if t.outcome and not t.outcome.is_stopped and t.over == 0]
    assert all(trial in able for trial in front)
    for one in front:
        assert not [other for other in front if other != one and no_worse(other, one)]
    for one in able:
        assert any(no_worse(other, one) for other in front)
    best = best_of(front)
    assert (best is None) == (not able)
    assert best is None or best.outcome.score == max(t.outcome.score for t in able)


def test_a_budget_is_the_share_of_what_is_exceeded_most():
    budget = Budget(1000, 2000, 100)
    assert budget.over(Measured(ram=1000, flash=2000, instructions=100)) == 0
    assert budget.over(Measured(ram=1100, flash=3000, instructions=50)) == 0.5
    assert Budget().over(Measured(ram=10**9)) == 0


# ------------------------------------------------------------------ what is held out


@pytest.mark.parametrize(("count", "parts"), [(100, 5), (2000, 5), (5000, 2), (10_000, 1)])
def test_small_sets_are_held_out_part_by_part(tmp_path, count, parts):
    dataset = load_dataset(spec_for(tmp_path))
    rows = np.arange(count)
    whole = replace(dataset, x_train=rows[:, None].astype(np.float32), y_train=rows)
    made = parts_of(whole)
    assert len(made) == parts
    for part in made:
        assert sorted([*part.y_train, *part.y_test]) == rows.tolist()
        assert len(part.y_test) == count // 5
    judged = [y for part in made for y in part.y_test]
    assert len(set(judged)) == len(judged)


# ------------------------------------------------------------------ the search


@pytest.fixture
def fake(monkeypatch) -> list[str]:
    """Trials that cost nothing: a net scores by its units and its rate. What was asked for."""
    asked: list[str] = []

    def attempt(source, spec, peers):
        asked.append("attempt")
        units = sum(layer.units for layer in spec.model.layers[:-1])
        score = units / (units + 10) - abs(spec.rule.step_size - 0.3) / 10
        cost = cost_of(spec, load_dataset(source.spec))
        return Outcome(cost, (score, score), score, len(peers) % 5 == 4, 0.1, 0.05)

    def measured(source, spec):
        asked.append("measured")
        return Measured(cost_of(spec, load_dataset(source.spec)).ram + 100)

    def tested(source, spec):
        asked.append("tested")
        return 0.5

    for call in (attempt, measured, tested):
        monkeypatch.setattr(searching, call.__name__, call)
    return asked


def seen(result) -> str:
    """What a search found, without what time and place it took."""
    document = result.to_json()
    return json.dumps({key: value for key, value in document.items() if key != "processor"})


def check_resumed(spec, folder, fake, monkeypatch, places, **asked):
    """Interrupt a search at each of some places, and compare with one that was let alone."""
    whole = search(spec, **asked, jobs=1, store=folder / "whole.sqlite")
    calls = len(fake)
    names = ("attempt", "measured", "tested")
    calls_of = {name: getattr(searching, name) for name in names}

    def interrupted(after, call):
        def counted(*arguments):
            if len(fake) == after:
                raise KeyboardInterrupt
            return call(*arguments)

        return counted

    for after in places(calls):
        fake.clear()
        store = folder / f"{after}.sqlite"
        with monkeypatch.context() as patched:
            for name, call in calls_of.items():
                patched.setattr(searching, name, interrupted(after, call))
            with pytest.raises(KeyboardInterrupt):
                search(spec, **asked, jobs=1, store=store)
        assert seen(search(spec, **asked, jobs=1, store=store)) == seen(whole)
        # What was done before was not done again.
        assert len(fake) == calls
    fake.clear()
    assert seen(search(spec, **asked, jobs=1, store=folder / "whole.sqlite")) == seen(whole)
    assert not fake
    return whole


def test_an_interrupted_search_goes_on(tmp_path, fake, monkeypatch):
    spec = spec_for(tmp_path, ram=900)
    check_resumed(spec, tmp_path, fake, monkeypatch, lambda _: (2,), trials=4, batch=3)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_front_wherever_it_was_interrupted(
    tmp_path, fake, monkeypatch
):
    spec = spec_for(tmp_path, ram=900)
    asked = {"trials": 9, "batch": 3}
    whole = check_resumed(
        spec, tmp_path, fake, monkeypatch, lambda calls: range(1, calls, 4), **asked
    )
    assert len(whole.tried) == 9
    assert whole.refused > 0
    other = spec.model_copy(update={"seed": 2})
    assert seen(search(other, **asked, jobs=1, store=tmp_path / "other")) != seen(whole)


def test_nets_over_the_budget_when_compiled_are_on_no_front(tmp_path, fake, monkeypatch):
    spec = spec_for(tmp_path, ram=700)
    result = search(spec, trials=5, batch=3, jobs=1)
    # The plan says 100 bytes less than what is measured.
    assert all(found.size.ram <= 700 for found in result.front)
    over = [trial for trial in result.trials if trial.over > 0 and trial.outcome]
    assert over
    assert all(600 < trial.outcome.cost.ram <= 700 for trial in over)
    monkeypatch.setattr(searching, "measured", lambda *_: Measured(100, instructions=999))
    words = "no net of the space is within the budget"
    with pytest.raises(SpecError, match=words) as caught:
        search(spec, trials=3, batch=3, jobs=1, instructions=500, store=tmp_path / "i.sqlite")
    assert "3 nets tried; those that the memory plan admits are over" in caught.value.message()


def test_what_is_over_the_ram_is_refused_before_it_is_tried(tmp_path, fake):
    spec = spec_for(tmp_path, ram=420, search={"units": [4, 60]})
    result = search(spec, trials=6, jobs=1)
    assert all(outcome.cost.ram <= 420 for outcome in result.tried)
    assert result.refused == len(result.refusals) > 0
    assert all(one.why.startswith("needs ") and one.over > 0 for one in result.refusals)
    assert fake.count("attempt") == 6


def test_no_net_is_tried_twice(tmp_path, fake):
    search_space = {"units": [3, 5], "weights": ["s8"], "depth": [1, 1], "rate": [1.0, 1.0]}
    spec = spec_for(tmp_path, search=search_space | {"activation": ["tanh"]})
    result = search(spec, trials=20, jobs=1)
    # The space is finite, so the search ends before its number of trials.
    assert len(result.tried) == fake.count("attempt") == 3
    known = {f"the same as trial {number}" for number in range(3)}
    assert {one.why for one in result.refusals} <= known


def test_no_trial_begins_after_the_time(tmp_path, fake):
    spec = spec_for(tmp_path)
    with pytest.raises(SpecError, match="no net of the space") as caught:
        search(spec, seconds=0, jobs=1)
    assert "the time was over" in caught.value.message()
    assert fake == []


def test_a_file_of_another_search_is_not_gone_on_with(tmp_path, fake):
    store = tmp_path / "s.sqlite"
    search(spec_for(tmp_path), trials=2, jobs=1, store=store)
    for other, differs in (
        (spec_for(tmp_path, rule={"epochs": 5}), "spec sha256:"),
        (spec_for(tmp_path, search={"units": [3, 9]}), "space "),
    ):
        with pytest.raises(OutputError, match="the file holds another search") as caught:
            search(other, trials=2, jobs=1, store=store)
        assert differs in caught.value.message()
    store.write_bytes(b"no database " * 99)
    with pytest.raises(OutputError, match="the file of the search cannot be used"):
        search(spec_for(tmp_path), trials=2, jobs=1, store=store)


def test_specs_are_written_for_their_folder_and_over_no_others(tmp_path, fake):
    result = search(spec_for(tmp_path, ram=900), trials=3, jobs=1)
    best, front = tmp_path / "deep" / "best.toml", tmp_path / "front"
    written = write_specs(result, best, front)
    assert len(written) == 1 + len(result.front)
    found = load_spec(best)
    assert found.data.file == "../data.npz"
    assert load_dataset(found).x_train.shape == (48, 12)
    moved = found.model_copy(update={"data": result.best.spec.data})
    assert moved.digest == result.best.spec.digest
    assert f"test set: 50.0 %; {result.best.size.ram:,} B of RAM" in best.read_text()
    write_specs(result, best, front)
    mine = tmp_path / "mine.toml"
    mine.write_text("name = 1")
    with pytest.raises(OutputError, match="not of its kind"):
        write_specs(result, mine, None)
    assert mine.read_text() == "name = 1"


# ------------------------------------------------------------------ the command


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200), ("0", 0)]
)
def test_times_are_read(text, seconds):
    assert _Seconds().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "m", "10x", "-5", "1e3"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(BadParameter, match="a time looks like 90s, 10m or 2h"):
        _Seconds().convert(text, None, None)


def test_the_command_says_the_front_and_marks_the_best(tmp_path, fake, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = spec_for(tmp_path)
    Path("net.toml").write_text(toml_text(spec_content(spec)))
    arguments = ["search", "net.toml", "--ram", "900", "--trials", "3", "--jobs", "1"]
    assert run([*arguments, "--out", "best.toml", "--front", "front", "--plot", "f.svg"]) == 0
    said = capsys.readouterr().out
    assert "net on host: 3 nets tried, " in said
    assert sum(line.startswith(" *") for line in said.splitlines()) == 1
    assert "written: best.toml" in said
    assert "written: f.svg" in said
    assert load_spec("best.toml").platform.ram_bytes == 900
    assert Path("f.svg").read_text().count("<svg") == 1
    assert run([*arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["budget"] == {"ram": 900, "flash": None, "instructions": None}
    assert document["trials"] == 3
    assert document["best"] in document["front"]
    for found in document["front"]:
        assert tomllib.loads(found["toml"])["name"] == "net"
    ram = [found["ram"] for found in document["front"]]
    assert ram == sorted(ram)


def test_the_same_points_give_the_same_plot(tmp_path):
    points = [
        FrontPoint(100, 0.9, 0.8, "8-3, s8", is_over=False),
        FrontPoint(200, 0.7, None, None, is_over=False),
        FrontPoint(900, 0.95, None, None, is_over=True),
    ]
    for name in ("a.svg", "b.svg"):
        plot_front(points, tmp_path / name, metric="accuracy", budget=800)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


# ------------------------------------------------------------------ with the generated code


@pytest.mark.slow
def test_a_search_finds_what_simulate_and_build_say_of_its_specs(tmp_path, capsys):
    spec = load_spec(EXAMPLES / "digits.toml", ["platform.ram=2644", "rule.epochs=4"])
    asked = {"trials": 4, "batch": 4}
    alone = search(spec, **asked, store=tmp_path / "one.sqlite", jobs=1)
    beside = search(spec, **asked, store=tmp_path / "two.sqlite", jobs=2)
    assert seen(alone) == seen(beside)
    best = tmp_path / "best.toml"
    write_specs(alone, best, None)
    assert run(["build", str(best), "--out", str(tmp_path / "c"), "--json"]) == 0
    built = json.loads(capsys.readouterr().out)
    assert built["ram_bytes"]["total"] == alone.best.size.ram <= 2644
    assert built["flash_bytes"]["total"] == alone.best.size.flash
    assert run(["simulate", str(best), "--json"]) == 0
    simulated = json.loads(capsys.readouterr().out)
    assert simulated["accuracy_after"] == alone.best.trial.test_score > 0.9
