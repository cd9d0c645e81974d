"""Old names of keys and values: they are read, a note says the new name, both is an error."""

import json
from pathlib import Path

import numpy as np
import pytest

from tpsgd_edge.cli.running import run
from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.data import load_dataset
from tpsgd_edge.spec import aliases, load_spec, spec_from_dict
from tpsgd_edge.spec.aliases import ALIASES, KeyAlias, ValueAlias, with_new_names, with_new_path
from tpsgd_edge.spec.keys import all_keys, find_keys, key_groups

# Names that no spec has ever had, for keys and values of every sort.
OLD = (
    KeyAlias("rule", "old_rate", "learning_rate", "0.9.0"),
    KeyAlias("", "maths", "numbers", "0.9.0"),
    KeyAlias("model.layers.*", "neurons", "units", "0.9.0"),
    ValueAlias(("rule.loss", "model.layers.*.loss"), "absolute", "l1", "0.9.0"),
    ValueAlias(("model.layers.*.kind",), "full", "dense", "0.9.0"),
)
SPEC = """\
name = "old"
[model]
layers = [{ kind = "full", name = "fc1", neurons = 5 }, { name = "fc2", units = 3 }]
[maths]
weights = "s8"
[rule]
old_rate = 0.25
loss = "absolute"
[data]
file = "samples.npz"
"""
NOTES = (
    "rule.old_rate is an old name: it is called learning_rate since 0.9.0",
    "maths is an old name: it is called numbers since 0.9.0",
    "model.layers.fc1.neurons is an old name: it is called units since 0.9.0",
    '"absolute" of rule.loss is an old name: it is called "l1" since 0.9.0',
    '"full" of model.layers.fc1.kind is an old name: it is called "dense" since 0.9.0',
)


@pytest.fixture
def with_old_names(monkeypatch):
    """The names of `OLD` in place of those that the product has."""
    monkeypatch.setattr(aliases, "ALIASES", OLD)
    key_groups.cache_clear()
    yield
    key_groups.cache_clear()


@pytest.fixture
def path(tmp_path, with_old_names):
    """A spec with an old name of every sort, and its data."""
    rng = np.random.default_rng(1)
    np.savez(tmp_path / "samples.npz", x=rng.normal(size=(60, 4)), y=np.arange(60) % 3)
    file = tmp_path / "old.toml"
    file.write_text(SPEC, encoding="utf-8")
    return file


def test_a_spec_with_old_names_is_the_spec_with_new_ones(path):
    spec = load_spec(path)
    assert spec.notes == NOTES
    new = SPEC.replace("old_rate", "learning_rate").replace("maths", "numbers")
    new = new.replace("neurons", "units").replace("absolute", "l1").replace("full", "dense")
    path.write_text(new, encoding="utf-8")
    assert load_spec(path).notes == ()
    assert load_spec(path).digest == spec.digest


def test_the_commands_print_the_notes(path, capsys):
    assert load_dataset(load_spec(path)).said.notes[: len(NOTES)] == NOTES
    assert run(["build", str(path), "--no-compile", "--out", str(path.parent / "out")]) == 0
    said = capsys.readouterr().err
    assert [line for line in said.splitlines() if "old name" in line] == [
        f"note: {note}" for note in NOTES
    ]
    assert run(["build", str(path), "--no-compile", "--out", str(path.parent / "b"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["notes"][: len(NOTES)] == list(NOTES)


def test_both_names_are_an_error(path):
    path.write_text(SPEC.replace("[rule]", "[rule]\nlearning_rate = 0.5"), encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert caught.value.what == (
        "'old_rate' is the old name of 'learning_rate', and both are given"
    )
    assert (caught.value.where, caught.value.help) == ("[rule]", "keep 'learning_rate'")


def test_an_override_goes_over_the_other_name(path):
    assert load_spec(path, ["rule.learning_rate=0.5"]).rule.learning_rate == 0.5
    path.write_text(SPEC.replace("old_rate", "learning_rate"), encoding="utf-8")
    spec = load_spec(path, ["rule.old_rate=0.5", "model.layers.fc2.neurons=3", "rule.loss=l2"])
    assert spec.rule.learning_rate == 0.5
    assert spec.model.layers[1].units == 3
    assert spec.rule.loss.kind == "l2"
    assert spec.notes == (
        *NOTES[1:4],
        NOTES[4],
        "rule.old_rate is an old name: it is called learning_rate since 0.9.0",
        "model.layers.fc2.neurons is an old name: it is called units since 0.9.0",
    )


def test_an_override_may_have_an_old_value(path):
    spec = load_spec(path, ['rule.loss={ kind = "absolute" }', "model.layers.0.loss=absolute"])
    assert spec.rule.loss.kind == spec.model.layers[0].loss.kind == "l1"
    assert '"absolute" of model.layers.fc1.loss is an old name' in " ".join(spec.notes)


def test_settings_of_a_source_are_as_layers_are():
    content = {"model": {"source": "n.onnx", "settings": {"a": {"neurons": 3, "loss": "absolute"}}}}
    renamed = with_new_names(content, OLD)
    assert renamed.content["model"]["settings"] == {"a": {"units": 3, "loss": "l1"}}
    assert content["model"]["settings"] == {"a": {"neurons": 3, "loss": "absolute"}}
    assert with_new_path(["model", "settings", "a", "neurons"], OLD)[0][-1] == "units"


@pytest.mark.parametrize("content", [3, [], {"model": 1}, {"model": {"layers": [1, "x"]}}])
def test_content_that_is_no_spec_is_told_as_before(content, with_old_names):
    with pytest.raises(SpecError, match=r"must be|missing"):
        spec_from_dict(content)


def test_explain_knows_old_names(with_old_names):
    (key,) = find_keys("rule.old_rate")
    assert key.path == "rule.learning_rate"
    assert key.words.endswith("It was called `old_rate` before 0.9.0.")
    (kind,) = (key for key in find_keys("rule.loss.kind") if key.place == "rule.loss")
    assert kind.words.endswith('"l1" was called "absolute" before 0.9.0.')
    units = [key for key in find_keys("neurons") if key.kinds == ("dense",)]
    assert [key.name for key in units] == ["units"]


def test_the_names_that_specs_have_today_are_new_ones():
    keys = {key.path for key in all_keys()}
    for alias in ALIASES:
        if isinstance(alias, KeyAlias):
            place = f"{alias.place.removesuffix('.*')}." if alias.place else ""
            assert f"{place}{alias.new}" in keys, alias
            assert f"{place}{alias.old}" not in keys, alias
        else:
            assert all(path.replace(".*", "") in keys for path in alias.keys), alias


def test_an_old_value_is_read_wherever_the_new_one_is():
    for alias in ALIASES:
        if isinstance(alias, ValueAlias):
            texts = [key.type for key in all_keys() if f'"{alias.new}"' in key.type]
            assert texts, alias
            assert not any(f'"{alias.old}"' in text for text in texts), alias


def test_estimators_warn_of_old_names(with_old_names):
    pytest.importorskip("sklearn")
    from tpsgd_edge import TPSGDRegressor

    x = np.linspace(-1, 1, 40).reshape(20, 2)
    with pytest.warns(FutureWarning, match="absolute.* is an old name") as caught:
        TPSGDRegressor((3,), loss="absolute", epochs=1, random_state=0).fit(x, x.sum(axis=1))
    told = [w for w in caught if w.category is FutureWarning]
    assert [Path(w.filename).name for w in told] == [Path(__file__).name]
