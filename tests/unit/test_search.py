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

from tpsgd_edge.cli import run
from tpsgd_edge.cli.search import _Seconds
from tpsgd_edge.errors import OutputError, SpecError
from tpsgd_edge.frontend.data import load_dataset
from tpsgd_edge.graph import Labels
from tpsgd_edge.reports.front import FrontPoint, plot_front
from tpsgd_edge.search import search as searching
from tpsgd_edge.search.front import best_of, front_of
from tpsgd_edge.search.nets import spec_at
from tpsgd_edge.search.result import Budget, write_specs
from tpsgd_edge.search.search import search
from tpsgd_edge.search.space import kinds_of, space_of
from tpsgd_edge.search.starts import starting_points
from tpsgd_edge.search.study import Trial
from tpsgd_edge.search.trial import (
    Cost,
    Measured,
    Outcome,
    cost_of,
    parts_of,
)
from tpsgd_edge.spec import Spec, load_spec, spec_from_dict
from tpsgd_edge.spec.toml import spec_content, toml_text
from tpsgd_edge.stages.adapting import training_ram
from tpsgd_edge.stages.preparation import prepare

pytest.importorskip("optuna")

EXAMPLES = Path(__file__).parents[2] / "examples"
SHAPES = {"vector": (12,), "image": (8, 8), "signal": (32, 3)}


def spec_for(folder, shape=(12,), *, search=None, rule=None, layers=None, ram="4K") -> Spec:
    """A spec with 60 samples of three classes, in a file of its own."""
    draw = np.random.default_rng(1)
    y = np.arange(60) % 3
    x = draw.normal(size=(60, *shape)).astype(np.float32) + y.reshape(-1, *[1] * len(shape))
    np.savez(folder / "data.npz", x=x, y=y)
    content = {
        "name": "net",
        "model": {"layers": layers or [{"name": "a", "units": 8}, {"name": "b", "units": 3}]},
        "data": {"file": "data.npz"},
        "rule": {"epochs": 4, **(rule or {})},
        "platform": {"name": "host", "ram": ram},
        "search": search or {},
    }
    return spec_from_dict(content, folder, "net.toml")


# ------------------------------------------------------------------ the space


@pytest.mark.parametrize(
    ("shape", "first", "kinds"),
    [
        ((12,), "dense", ("dense",)),
        ((8, 8), "dense", ("dense", "conv2d")),
        ((8, 8, 3), "dense", ("dense", "conv2d")),
        ((32, 3), "dense", ("dense", "conv1d", "memory")),
        ((1, 32, 3), "dense", ("dense", "conv1d", "memory")),
        ((8, 8), "rnn", ("given", "dense", "conv1d", "memory")),
    ],
)
def test_the_kinds_follow_from_the_shape_of_the_samples(tmp_path, shape, first, kinds):
    layers = [{"kind": first, "name": "a", "units": 8}, {"name": "b", "units": 3}]
    spec = spec_for(tmp_path, shape, layers=layers)
    assert kinds_of(spec, load_dataset(spec)) == kinds


def test_units_are_those_that_fit_the_ram_at_a_byte_a_weight(tmp_path):
    spec = spec_for(tmp_path, (12,))
    units = {}
    for ram in (None, 240, 12):
        space = space_of(spec, load_dataset(spec), ram)
        units[ram] = [(one.low, one.high) for one in space.dimensions if one.name == "units1"]
    # One unit is no choice.
    assert units == {None: [(4, 32)], 240: [(4, 20)], 12: []}


def test_what_has_one_value_is_fixed(tmp_path):
    search = {"weights": ["s8"], "depth": [1, 1], "rate": [2.0, 2.0], "activation": ["relu"]}
    spec = spec_for(tmp_path, search=search | {"units": [4, 9]})
    space = space_of(spec, load_dataset(spec), None)
    assert [one.name for one in space.dimensions] == ["units1"]
    fixed = {"weights": "s8", "depth": 1, "rate": 2.0, "activation": "relu", "kind": "dense"}
    assert fixed.items() <= space.fixed.items()
    assert space.start == {"units1": 8}


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ({"units": [9, 4]}, "'units' goes from the smallest to the largest: [4, 9]"),
        ({"rate": [2.0, 0.5]}, "[0.5, 2]"),
        ({"weights": []}, "'weights' has nothing to choose from: list a value"),
        ({"choices": {"rule.epochs": []}}, "'rule.epochs' has nothing to choose from"),
        ({"kinds": ["lstm"]}, "allowed: given, dense, conv2d, conv1d, memory, rnn"),
        ({"units": [0, 4]}, "'units[0]' is out of range"),
        ({"depth": [1, 9]}, "allowed: at least 0, at most 4"),
        ({"units": [1]}, "'units' has too few or too many entries"),
    ],
)
def test_a_space_that_is_none_is_refused_in_words(tmp_path, search, words):
    with pytest.raises(SpecError) as caught:
        spec_for(tmp_path, search=search)
    assert words in caught.value.message()


def test_nets_that_learned_before_and_detectors_are_refused():
    for name, words in (
        ("digits_anomaly", "what learns without them has none"),
        ("digits_onnx", "this one was trained before"),
    ):
        spec = load_spec(EXAMPLES / f"{name}.toml")
        with pytest.raises(SpecError, match=words):
            space_of(spec, None, None)


# ------------------------------------------------------------------ nets

PARAMS = {
    "depth": 2,
    "activation": "relu",
    "units1": 6,
    "units2": 5,
    "filters": 4,
    "every": 4,
    "width": 0.5,
    "weights": "s8",
    "activations": "s8",
    "rate": 0.5,
}


@pytest.mark.parametrize(
    ("kind", "shape", "layers"),
    [
        ("given", "vector", [("dense", 4), ("dense", 3)]),
        ("dense", "vector", [("dense", 6), ("dense", 5), ("dense", 3)]),
        ("conv2d", "image", [("conv2d", 4), ("max_pool", None)] * 2),
        ("conv1d", "signal", [("conv1d", 4), ("max_pool", None), ("conv1d", 8)]),
        ("memory", "signal", [("memory", None), ("dense", 6), ("dense", 5), ("memory", None)]),
        ("rnn", "signal", [("rnn", 6), ("dense", 3)]),
    ],
)
def test_a_net_of_each_kind_has_a_plan(tmp_path, kind, shape, layers):
    spec = spec_for(tmp_path, SHAPES[shape])
    dataset = load_dataset(spec)
    made = spec_at(spec, dataset.labels, {**PARAMS, "kind": kind})
    found = [
        (layer.kind, getattr(layer, "units", getattr(layer, "filters", None)))
        for layer in made.model.layers
    ]
    if kind == "conv2d":
        layers = [("conv2d", 4), ("max_pool", None), ("conv2d", 8), ("max_pool", None)]
    assert found[: len(layers)] == layers
    assert found[-1] == ("dense", 3)
    # From a few samples the plan is that of them all.
    cost, whole = cost_of(made, dataset), prepare(made, dataset)
    assert cost.ram == training_ram(whole.plan)
    assert cost.work > 0
    assert made.search == type(made.search)()


@pytest.mark.parametrize(
    ("kind", "rule", "expected"),
    [
        ("dense", {}, {"step_size": 0.15}),
        ("dense", {"learning_rate": 0.01}, {"step_size": 0.15}),
        ("dense", {"step_size": 0.2}, {"step_size": 0.1}),
        ("rnn", {}, {"step_size": 0.15}),
        ("given", {"learning_rate": 0.01}, {"learning_rate": 0.005}),
        (
            "given",
            {"learning_rate": 0.01, "output_learning_rate": 0.03},
            {"learning_rate": 0.005, "output_learning_rate": 0.015},
        ),
    ],
)
def test_the_rate_is_a_factor_of_what_the_net_would_have(tmp_path, kind, rule, expected):
    spec = spec_for(tmp_path, (32, 3), rule=rule)
    made = spec_at(spec, Labels("class", 3), {**PARAMS, "kind": kind})
    names = ("step_size", "learning_rate", "output_learning_rate")
    found = {name: getattr(made.rule, name) for name in names if getattr(made.rule, name)}
    assert found == ({} if kind == "rnn" else expected)


def test_any_key_of_the_spec_can_be_chosen(tmp_path):
    search = {
        "choices": {"rule.dead_zone": [0.0, 0.02], "replay": [{"size": 3}, {"size": 9}]},
        "error_gate": [0.8, "none"],
        "epochs": [3, 5],
        "projection": ["sign", "hadamard"],
    }
    spec = spec_for(tmp_path, search=search)
    chosen = {"rule.dead_zone": 0.02, "replay": {"size": 9}, "error_gate": "none", "epochs": 5}
    params = {**PARAMS, **chosen, "projection": "hadamard", "kind": "dense"}
    made = spec_at(spec, Labels("class", 3), params)
    assert (made.rule.dead_zone, made.replay.size, made.rule.epochs) == (0.02, 9, 5)
    assert (made.rule.error_gate, made.projection.kind) == (None, "hadamard")
    assert "error_gate" in made.rule.model_fields_set
    dataset = load_dataset(spec)
    names = {one.name for one in space_of(spec, dataset, None).dimensions}
    assert {*chosen, "projection"} <= names


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.toml")), ids=lambda path: path.stem)
def test_a_spec_written_down_is_the_same_spec(path):
    spec = load_spec(path)
    text = toml_text(spec_content(spec))
    assert spec_from_dict(tomllib.loads(text), spec.folder).digest == spec.digest


def test_a_gate_that_is_none_stays_none(tmp_path):
    spec = spec_for(tmp_path, rule={"error_gate": "none"})
    again = spec_from_dict(tomllib.loads(toml_text(spec_content(spec))))
    assert "error_gate" in again.rule.model_fields_set
    assert again.digest == spec.digest


@given(st.text(), st.text(min_size=1))
def test_texts_are_written_as_toml_reads_them(text, key):
    content = {key: text, "table": {key: [text, {key: text}]}}
    assert tomllib.loads(toml_text(content)) == content | {key: content[key]}


# ------------------------------------------------------------------ where it starts


def test_the_search_starts_at_the_spec_and_at_nets_that_fill_parts_of_the_ram(tmp_path):
    spec = spec_for(tmp_path, (8, 8), search={"kinds": ["dense", "conv2d"]})
    dataset = load_dataset(spec)
    space = space_of(spec, dataset, 2000)

    def ram_of(params):
        return cost_of(spec_at(spec, dataset.labels, params), dataset).ram

    first, *others = starting_points(space, 2000, ram_of)
    assert first == space.start
    assert [point["kind"] for point in others] == ["dense"] * 3 + ["conv2d"] * 2
    for point, most in zip(others[:3], (1800, 1200, 800), strict=True):
        params = {**space.fixed, **point}
        assert point["weights"] == "s8"
        assert ram_of(params) <= most < ram_of(params | {"units1": params["units1"] + 2})


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


def test_the_same_seed_gives_the_same_front_wherever_it_was_interrupted(
    tmp_path, fake, monkeypatch
):
    spec = spec_for(tmp_path, ram=900)
    asked = {"trials": 7, "batch": 3, "jobs": 1}
    whole = search(spec, **asked, store=tmp_path / "whole.sqlite")
    calls = len(fake)
    assert len(whole.tried) == 7
    assert whole.refused > 0
    other = search(spec.model_copy(update={"seed": 2}), **asked, store=tmp_path / "2.sqlite")
    assert seen(other) != seen(whole)

    def interrupted(after, call):
        def counted(*arguments):
            if len(fake) == after:
                raise KeyboardInterrupt
            return call(*arguments)

        return counted

    names = ("attempt", "measured", "tested")
    calls_of = {name: getattr(searching, name) for name in names}
    for after in (1, 5, calls - 1):
        fake.clear()
        for name, call in calls_of.items():
            monkeypatch.setattr(searching, name, interrupted(after, call))
        store = tmp_path / f"{after}.sqlite"
        with pytest.raises(KeyboardInterrupt):
            search(spec, **asked, store=store)
        for name, call in calls_of.items():
            monkeypatch.setattr(searching, name, call)
        assert seen(search(spec, **asked, store=store)) == seen(whole)
        # What was done before was not done again.
        assert len(fake) == calls
    fake.clear()
    assert seen(search(spec, **asked, store=tmp_path / "whole.sqlite")) == seen(whole)
    assert not fake


def test_nets_over_the_budget_when_compiled_are_on_no_front(tmp_path, fake, monkeypatch):
    spec = spec_for(tmp_path, ram=700)
    result = search(spec, trials=8, batch=4, jobs=1)
    # The plan says 100 bytes less than what is measured.
    assert all(found.size.ram <= 700 for found in result.front)
    over = [trial for trial in result.trials if trial.over > 0 and trial.outcome]
    assert over
    assert all(600 < trial.outcome.cost.ram <= 700 for trial in over)
    monkeypatch.setattr(searching, "measured", lambda *_: Measured(100, instructions=999))
    words = "no net of the space is within the budget"
    with pytest.raises(SpecError, match=words) as caught:
        search(spec, trials=4, jobs=1, instructions=500, store=tmp_path / "i.sqlite")
    assert "4 nets tried; those that the memory plan admits are over" in caught.value.message()


def test_what_is_over_the_ram_is_refused_before_it_is_tried(tmp_path, fake):
    spec = spec_for(tmp_path, ram=420, search={"units": [4, 60]})
    result = search(spec, trials=8, jobs=1)
    assert all(outcome.cost.ram <= 420 for outcome in result.tried)
    assert result.refused == len(result.refusals) > 0
    assert all(one.why.startswith("needs ") and one.over > 0 for one in result.refusals)
    assert fake.count("attempt") == 8


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
    result = search(spec_for(tmp_path, ram=900), trials=5, jobs=1)
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
    arguments = ["search", "net.toml", "--ram", "900", "--trials", "5", "--jobs", "1"]
    assert run([*arguments, "--out", "best.toml", "--front", "front", "--plot", "f.svg"]) == 0
    said = capsys.readouterr().out
    assert "net on host: 5 nets tried, " in said
    assert sum(line.startswith(" *") for line in said.splitlines()) == 1
    assert "written: best.toml" in said
    assert "written: f.svg" in said
    assert load_spec("best.toml").platform.ram_bytes == 900
    assert Path("f.svg").read_text().count("<svg") == 1
    assert run([*arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["budget"] == {"ram": 900, "flash": None, "instructions": None}
    assert document["trials"] == 5
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
