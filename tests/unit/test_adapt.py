"""`tpsgd-edge adapt`: strategies are tried, the best of them is a spec."""

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.test_prototypes import save_weights
from tpsgd_edge.cli.adaptation import show_adaptation
from tpsgd_edge.cli.running import run
from tpsgd_edge.errors import SpecError
from tpsgd_edge.pipeline import adapt
from tpsgd_edge.spec import load_spec, spec_from_dict
from tpsgd_edge.stages.adapting import layers_of
from tpsgd_edge.stages.strategies import Strategy, passing_strategies, strategies_of

LAYERS = [{"name": "fc1", "units": 8}, {"name": "fc2", "units": 6}, {"name": "out", "units": 3}]
SPEC = """
name = "net"

[model]
weights_file = "net.npz"
layers = [
    { name = "fc1", units = 8 },
    { name = "fc2", units = 6, activation = "relu" },
    { name = "out", units = 3 },
]

[rule]
learning_rate = 0.02
epochs = 3

[data]
file = "new.npz"
source_file = "old.npz"
scaling = "standard"

[platform]
ram = 400
"""


def make_spec(folder: Path, text: str = SPEC) -> Path:
    """A net of random weights, whose new domain has classes that a last layer can tell."""
    rng = np.random.default_rng(4)
    save_weights(folder, fc1=(8, 12), fc2=(6, 8), out=(3, 6))
    y = np.arange(90) % 3
    x = rng.normal(size=(90, 12)) + 3 * np.eye(12)[y]
    np.savez(folder / "old.npz", x=x, y=y)
    np.savez(folder / "new.npz", x=x[:60], y=(y[:60] + 1) % 3)
    path = folder / "net.toml"
    path.write_text(text)
    return path


@pytest.mark.slow
def test_the_best_way_is_a_spec(tmp_path: Path) -> None:
    out = tmp_path / "best.toml"
    result = adapt(load_spec(make_spec(tmp_path)), rates=[0.02], folds=2, out=out)
    found: dict[str, Any] = result.to_json()
    # The last layer; one hidden layer or both with it, each towards two kinds of targets; one by an
    # error that is passed to it, and a pair; adaptors.
    assert len(found["trials"]) == 1 + 2 * 3 + 2 + 1 + 2
    refused = [trial for trial in found["trials"] if trial["refused"]]
    assert all(trial["ram"] > 400 for trial in refused)
    assert refused
    tried = [trial for trial in found["trials"] if not trial["refused"]]
    assert all(trial["ram"] <= 400 for trial in tried)
    best = found["best"]
    assert best["score"] == max(trial["score"] for trial in tried) > found["before"]
    assert all(0 <= trial["origin"] <= 1 for trial in tried)
    text = out.read_text()
    assert text == found["fragment"]
    rest = {"name": "net", "data": {"file": "new.npz"}}
    document = tomllib.loads(text)
    document["model"]["weights_file"] = "net.npz"
    spec = spec_from_dict(document | rest, folder=tmp_path)
    assert [la.name for la in spec.model.weighted if la.train] == best["trains"] or best["adaptors"]
    assert spec.model.weighted[1].activation == "relu"
    assert spec.rule.learning_rate == 0.02
    shown = show_adaptation(result, None)
    assert "over the RAM budget" in shown
    assert "fc2, out; random targets" in shown
    assert "fc1, out; errors passed to fc1" in shown
    assert "where the net comes from" in shown


@pytest.mark.slow
def test_the_command_prints_one_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make_spec(tmp_path)
    save_weights(tmp_path, out=(3, 12))
    only = 'model.layers=[{ name = "out", units = 3 }]'
    assert run(["adapt", str(path), "--set", only, "--rates", "0.01,0.02", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [trial["learning_rate"] for trial in found["trials"]] == [0.01, 0.02]
    assert found["samples"] == 48


def test_a_net_that_knows_nothing_has_nothing_to_adapt(tmp_path: Path) -> None:
    spec = spec_from_dict({"name": "n", "model": {"layers": LAYERS}, "data": {"file": "x.npz"}})
    with pytest.raises(SpecError, match="there is nothing to adapt yet"):
        adapt(spec)


def test_real_values_are_not_right_or_wrong(tmp_path: Path) -> None:
    text = SPEC.replace("[data]", '[data]\ntask = "regression"')
    path = make_spec(tmp_path, text)
    for name in ("old", "new"):
        arrays = dict(np.load(tmp_path / f"{name}.npz"))
        np.savez(tmp_path / f"{name}.npz", x=arrays["x"], y=np.eye(3)[arrays["y"]])
    assert run(["adapt", str(path)]) == 2


def test_every_layer_and_all_together_are_tried_at_every_rate() -> None:
    content = {"name": "n", "model": {"layers": LAYERS[1:]}, "data": {"file": "x"}}
    strategies = strategies_of(spec_from_dict(content), (0.1, 0.2))
    found = [
        (strategy.trains, strategy.targets, strategy.adaptors, strategy.passed)
        for strategy in strategies
        if strategy.rate == 0.1
    ]
    assert found == [
        (("out",), "prototype", (), ()),
        (("fc2", "out"), "prototype", (), ()),
        (("fc2", "out"), "random", (), ()),
        (("fc2", "out"), "prototype", (), ("fc2",)),
        (("out",), "prototype", ("fc2",), ()),
    ]
    assert len(strategies) == 10


def gated(name: str, **keys: Any) -> dict[str, Any]:
    return {"kind": "gru", "name": name, "units": 3, **keys}


CONVS = [
    {"name": "c1", "kind": "conv1d", "filters": 4, "dilation": 2},
    {"name": "c2", "kind": "conv1d", "filters": 4},
    {"kind": "max_pool", "size": [1, 2]},
    {"name": "fc", "units": 8},
    LAYERS[2],
]


def passing(layers: list[dict[str, Any]]) -> list[tuple[tuple[str, ...], tuple[str, ...], str]]:
    content = {"name": "n", "model": {"layers": layers}, "data": {"file": "x"}}
    made = passing_strategies(spec_from_dict(content), 0.1)
    return [(strategy.trains, strategy.passed, strategy.targets) for strategy in made]


def test_errors_are_passed_to_each_layer_to_all_below_the_last_hidden_one_and_in_pairs() -> None:
    assert passing(CONVS) == [
        (("fc", "out"), ("fc",), "prototype"),
        (("c2", "out"), ("c2",), "prototype"),
        (("c1", "out"), ("c1",), "prototype"),
        (("c1", "c2", "out"), ("c1", "c2"), "prototype"),
        (("c1", "c2", "fc", "out"), ("c1", "fc"), "fitted"),
    ]
    assert passing(LAYERS[2:]) == []


@pytest.mark.parametrize(
    ("layers", "reached"),
    [
        # Nothing below what no error passes.
        ([CONVS[1], CONVS[0] | {"name": "d"}, *CONVS[3:]], {"d", "fc"}),
        ([CONVS[1], CONVS[3] | {"activation": "gelu", "train": False}, LAYERS[2]], set()),
        ([{"name": "m", "kind": "memory"}, *CONVS[3:]], {"fc"}),
        ([gated("g"), *CONVS[3:]], {"fc"}),
        (
            [
                CONVS[1] | {"padding": "same", "filters": 1},
                {"name": "sum", "kind": "add", "from": ["x", "c2"]},
                *CONVS[3:],
            ],
            {"fc"},
        ),
    ],
)
def test_errors_are_passed_as_far_as_they_can_go(
    layers: list[dict[str, Any]], reached: set[str]
) -> None:
    assert {name for _, passed, _ in passing(layers) for name in passed} == reached


def test_the_spec_of_a_way_says_whose_errors_are_passed(tmp_path: Path) -> None:
    spec = load_spec(make_spec(tmp_path))
    strategy = Strategy(("fc1", "out"), "prototype", 0.1, passed=("fc1",))
    layers = layers_of(spec, strategy)
    assert [(layer.name, layer.train, layer.error) for layer in layers] == [
        ("fc1", True, "passed"),
        ("fc2", False, "own"),
        ("out", True, "own"),
    ]


@pytest.mark.parametrize(
    ("recurrent", "learning"),
    [
        ([gated("a"), gated("b")], {("a", "out"), ("b", "out"), ("a", "b", "out"), ("out",)}),
        ([gated("a", reset="before", train=False), gated("b")], {("b", "out"), ("out",)}),
        ([{"kind": "rnn", "name": "b", "units": 4}], {("b", "out"), ("out",)}),
    ],
)
def test_recurrent_layers_learn_where_they_can(
    recurrent: list[dict[str, Any]], learning: set[tuple[str, ...]]
) -> None:
    content = {"name": "n", "model": {"layers": [*recurrent, LAYERS[2]]}, "data": {"file": "x"}}
    strategies = strategies_of(spec_from_dict(content), (0.1,))
    assert {strategy.trains for strategy in strategies if not strategy.adaptors} == learning
    # Between recurrent layers there is no place for an adaptor.
    assert [strategy.adaptors for strategy in strategies if strategy.adaptors] == [("b",)]


@pytest.mark.slow
def test_a_gru_that_was_trained_adapts(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    weights = {"g.w": (18, 10), "g.b": (2, 18), "out.w": (3, 6), "out.b": (3,)}
    np.savez(tmp_path / "net.npz", **{name: rng.normal(size=s) for name, s in weights.items()})
    y = np.arange(60) % 3
    x = rng.normal(size=(60, 5, 4)) + 3 * np.eye(4)[y][:, np.newaxis]
    np.savez(tmp_path / "new.npz", x=x, y=y)
    content = {
        "name": "net",
        "model": {"layers": [gated("g", units=6), LAYERS[2]], "weights_file": "net.npz"},
        "rule": {"epochs": 12},
        "data": {"file": "new.npz"},
    }
    result = adapt(spec_from_dict(content, folder=tmp_path), rates=[0.02], folds=2).to_json()
    trials = {(*trial["trains"], trial["targets"]): trial for trial in result["trials"]}
    assert all(trial["refused"] is None for trial in trials.values())
    assert trials["g", "out", "prototype"]["ram"] > trials["out", "prototype"]["ram"]
    assert result["best"]["trains"] == ["g", "out"]
    assert result["best"]["score"] > result["before"]
