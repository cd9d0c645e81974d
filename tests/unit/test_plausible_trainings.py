"""Trainings that come to nothing say so: in words, JSON, reports and Python; good ones do not."""

import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.models import random_model
from tpsgd_edge import TPSGDClassifier, TrainingWarning, load_spec, simulate
from tpsgd_edge.cli import run
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.memory import state_layout
from tpsgd_edge.reference import Reference
from tpsgd_edge.stages import prepare
from tpsgd_edge.stages.facts import clipped_outputs, data_facts, weights_at_limits

EXAMPLES = Path(__file__).parents[2] / "examples"
RNG = np.random.default_rng(0)
Y = RNG.integers(0, 3, 400)
X = RNG.normal(size=(400, 6)) + 3 * np.eye(6)[Y]


def spec_file(folder: Path, x: Any = X, y: Any = Y, **keys: Any) -> Path:
    """A spec of a small net, with its data beside it."""
    np.savez(folder / "d.npz", x=x, y=y)
    rule = {"learning_rate": 0.02, "epochs": 10} | keys.pop("rule", {})
    data = {"file": '"d.npz"', "scaling": '"unit"'} | keys.pop("data", {})
    lines = ['name = "net"', "seed = 1", "[model]"]
    lines.append('layers = [{ name = "a", units = 8 }, { name = "o", units = 3 }]')
    for section, content in (("rule", rule), ("data", data), ("platform", {"name": '"host"'})):
        lines += [f"[{section}]", *(f"{key} = {value}" for key, value in content.items())]
    path = folder / "net.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def codes(path: Path) -> list[str]:
    return [doubt.code for doubt in simulate(load_spec(path)).warnings]


@pytest.mark.parametrize("name", ["digits", "diabetes", "custom_loss", "digits_onnx"])
def test_examples_have_no_doubts(name):
    if name == "digits_onnx":
        pytest.importorskip("onnx")
    spec = load_spec(EXAMPLES / f"{name}.toml", ["platform.name=host"])
    assert simulate(spec).warnings == ()


def test_a_good_training_of_a_small_net_has_no_doubts(tmp_path):
    assert codes(spec_file(tmp_path)) == []


def test_rows_far_from_all_others_are_found(tmp_path):
    """One such row is a glitch and does no harm; one in twenty is a part of the data."""
    far = np.full((1, 6), 65535.0)
    assert codes(spec_file(tmp_path, np.vstack([X, far]), np.append(Y, 0))) == []
    x, y = np.vstack([X, np.repeat(far, 20, axis=0)]), np.append(Y, np.zeros(20, int))
    found = codes(spec_file(tmp_path, x, y))
    assert found[0] == "inputs-lost"
    assert "class-never-answered" in found


def test_values_around_a_thousand_are_found(tmp_path):
    assert codes(spec_file(tmp_path, X + 1000))[0] == "inputs-lost"
    assert codes(spec_file(tmp_path, X + 1000, data={"scaling": '"standard"'})) == []


def test_values_beyond_their_type_are_found(tmp_path):
    far = X * np.where(RNG.random(X.shape) < 0.2, 100, 1)
    spec = load_spec(spec_file(tmp_path, far, data={"scaling": '"none"'}))
    model = prepare(spec).model
    data = dataset_from_arrays(spec, np.abs(far) * 1e3, Y)
    assert data_facts(model, data).clipped_inputs > 0.05


def test_labels_without_meaning_are_at_chance(tmp_path):
    y = np.where(RNG.random(400) < 0.1, RNG.integers(0, 3, 400), 0)
    assert "at-chance" in codes(spec_file(tmp_path, y=y, rule={"learning_rate": 1e-4}))


def test_a_rate_at_which_weights_saturate_is_found(tmp_path):
    found = codes(spec_file(tmp_path, rule={"learning_rate": 20, "schedule": '"constant"'}))
    assert {"weights-at-limits", "outputs-clipped"} & set(found)


def test_inputs_of_few_values_are_as_they_should_be(tmp_path):
    bits = (X > 0).astype(float)
    x = np.hstack([bits, np.zeros((400, 2)), X * (RNG.random(X.shape) < 0.02)])
    spec = load_spec(spec_file(tmp_path, x))
    facts = data_facts(prepare(spec).model, dataset_from_arrays(spec, x, Y))
    assert facts.lost_inputs == 0
    assert facts.inputs == 12


def trained_state(seed: int, **wanted: Any) -> Any:
    return random_model(np.random.default_rng(seed), **wanted)


def test_weights_at_their_ends_are_counted():
    model = trained_state(1, value_type="s8", hidden=[4])
    state = dict(Reference(model).state())
    for layer in model.trainable:
        values = np.zeros_like(state[f"{layer.name}.w"])
        values.flat[:2] = -(2**layer.numbers.weight_bits), 2**layer.numbers.weight_bits - 1
        state[f"{layer.name}.w"] = values
    found = dict(weights_at_limits(model, state_layout(model).write(state)))
    assert found == {la.name: pytest.approx(2 / la.n_weights) for la in model.trainable}


def test_outputs_at_the_end_of_their_range_are_counted():
    wanted: dict[str, Any] = {"activations": ["tanh", "linear"], "losses": ["l2", "l2"]}
    model = trained_state(2, value_type="s8", hidden=[4], label_count=3, **wanted)
    outputs = np.zeros((10, model.n_out), np.int16)
    assert clipped_outputs(model, outputs) == 0
    outputs[3, 0] = 32767
    assert clipped_outputs(model, outputs) == pytest.approx(0.1)


# ------------------------------------------------------------------ where it is said


@pytest.fixture
def doubtful(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return spec_file(tmp_path, X + 1000)


def test_the_terminal_says_what_was_found_and_what_to_try(doubtful, capsys):
    assert run(["simulate", str(doubtful)]) == 0
    said = capsys.readouterr()
    assert "warning: all 6 inputs use at most " in said.err
    assert 'help:  set data.scaling = "standard"' in said.err
    assert "warning" not in said.out


@pytest.mark.parametrize("command", ["build", "verify", "simulate", "report"])
def test_strict_makes_warnings_errors(doubtful, capsys, command):
    assert run([command, str(doubtful), "--strict"]) == 1
    said = capsys.readouterr()
    assert "error: all 6 inputs use at most " in said.err
    assert "warning:" not in said.err
    assert said.out


def test_strict_says_nothing_of_a_good_training(tmp_path, capsys):
    assert run(["simulate", str(spec_file(tmp_path)), "--strict"]) == 0
    assert capsys.readouterr().err == ""


def test_json_has_the_warnings(doubtful, capsys):
    for command in ("build", "simulate", "report"):
        assert run([command, str(doubtful), "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        first = document["warnings"][0]
        assert first["code"] == "inputs-lost"
        assert first.keys() == {"code", "message", "help"}


def test_json_of_a_good_training_has_none(tmp_path, capsys):
    assert run(["simulate", str(spec_file(tmp_path)), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["warnings"] == []


def test_both_reports_have_the_warnings(doubtful, capsys):
    assert run(["report", str(doubtful), "--markdown"]) == 0
    assert re.search(r"^> \*\*warning: all 6 inputs use", capsys.readouterr().out, re.MULTILINE)
    html = Path("net-host.html").read_text(encoding="utf-8")
    assert "all 6 inputs use at most" in html
    assert "set data.scaling = &#34;standard&#34;" in html


def test_a_classifier_warns_the_one_who_fits_it():
    with pytest.warns(TrainingWarning, match="no more than the share of the largest class") as seen:
        TPSGDClassifier((4,), epochs=1, learning_rate=1e-4, random_state=1).fit(
            X, (RNG.random(400) < 0.05).astype(int)
        )
    assert seen[0].filename == __file__


def test_a_classifier_that_learns_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TPSGDClassifier((8,), random_state=1).fit(X, Y)
