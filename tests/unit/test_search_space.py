"""The space of a search, the nets in it, and where it starts."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.searched import spec_for
from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.data import load_dataset
from tpsgd_edge.graph import Labels
from tpsgd_edge.search.nets import spec_at
from tpsgd_edge.search.space import kinds_of, space_of
from tpsgd_edge.search.starts import starting_points
from tpsgd_edge.search.trial import cost_of
from tpsgd_edge.spec import load_spec, spec_from_dict
from tpsgd_edge.spec.toml import spec_content, toml_text
from tpsgd_edge.stages.adapting import training_ram
from tpsgd_edge.stages.preparation import prepare

pytest.importorskip("optuna")

EXAMPLES = Path(__file__).parents[2] / "examples"
SHAPES = {"vector": (12,), "image": (8, 8), "signal": (32, 3)}


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
    spec = spec_for(tmp_path, SHAPES[shape], search={"units": [3, 9]})
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


@pytest.mark.parametrize(
    "path",
    sorted(set(EXAMPLES.rglob("*.toml")) - set(EXAMPLES.rglob("pyproject.toml"))),
    ids=lambda path: path.stem,
)
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
