"""The reference of the spec: every key has words and an example, in the page, the schema and
`tpsgd-edge explain`."""

import contextlib
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from tests.support.json_schema import complaints
from tests.support.kinds import NETS
from tools import make_reference
from tpsgd_edge.cli import run
from tpsgd_edge.errors import SpecError
from tpsgd_edge.spec import LayerSpec, load_spec, spec_from_dict
from tpsgd_edge.spec import keys as keys_module
from tpsgd_edge.spec.base import Section
from tpsgd_edge.spec.keys import SHORT_FORMS, all_keys, find_keys, key_groups
from tpsgd_edge.spec.problems import fields_by_key, models_in
from tpsgd_edge.spec.schema import make_schema, schema_text
from tpsgd_edge.starter import create_project

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.toml"))
LAYERS = [{"name": "fc1", "units": 32}, {"name": "fc2", "units": 10}]
GATED = ("GruSpec", "LstmSpec")
# Keys of all layers with weights that these have, but refuse.
REFUSED = {
    ("AdaptorSpec", "negative_slope"),
    *((section, key) for section in GATED for key in ("negative_slope", "activation")),
    *((section, key) for section in ("AdaptorSpec", *GATED) for key in ("alpha", "beta")),
    *(("DetectorSpec", key) for key in ("train", "projection", "loss")),
    *(("DetectorSpec", key) for key in ("negative_slope", "alpha", "beta")),
}


def layer_sections() -> Iterator[tuple[type, str]]:
    """Yield the class of each kind of layer, and the kind."""
    for part in get_args(get_args(LayerSpec)[0]):
        section, tag = get_args(part)
        yield section, tag.tag


def shown(kind: str) -> dict[str, Any]:
    """The keys of a layer of a kind that have no default, as its net in NETS gives them."""
    (table, *_) = (t for t in NETS[kind][1] if t.get("kind", "dense") == kind)
    return {"name": "a", **{k: v for k, v in table.items() if k not in ("from", "projection")}}


# What a section needs beside the key of an example.
NEEDED: dict[str, dict[str, Any]] = {
    "Spec": {"name": "net", "model": {"layers": LAYERS}, "data": {"file": "samples.npz"}},
    "ModelSpec": {"layers": LAYERS},
    "LossSpec": {"kind": "l2"},
    "DataSpec": {"file": "samples.npz"},
    # A layer: what stands in the net that shows its kind.
    **{section.__name__: shown(kind) for section, kind in layer_sections()},
}


def subclasses(section: type) -> set[type]:
    """Sections of specs; other files, as those of platforms, are checked in the same way."""
    own = {c for c in section.__subclasses__() if c.__module__.startswith("tpsgd_edge.spec.")}
    return own.union(*(subclasses(inner) for inner in own))


def holders() -> list[tuple[type[Section], str, str]]:
    """Each key with an example in each class that has it: class, key, example."""
    concrete = [c for c in subclasses(Section) if not c.__subclasses__()]
    return [
        (section, key.name, key.example)
        for group in key_groups()
        for key in group.keys
        for section in sorted(concrete, key=lambda c: c.__name__)
        if issubclass(section, group.section)
        and key.example
        # What a class says of a key itself goes before what it inherits.
        and (section is group.section or key.name not in section.__annotations__)
    ]


HOLDERS = holders()
SCHEMA = make_schema()


def name_of(value: object) -> str:
    return value.__name__ if isinstance(value, type) else str(value)


def test_every_section_is_in_the_reference():
    assert {group.section for group in key_groups()} == subclasses(Section)


def test_every_key_is_in_the_reference_once():
    for group in key_groups():
        names = [key.name for key in group.keys]
        assert names == [name for name in fields_by_key(group.section) if name in names]
        own = [name for name in group.section.model_fields if name in group.section.__annotations__]
        assert names == [group.section.model_fields[name].alias or name for name in own]


@pytest.mark.parametrize("key", all_keys(), ids=lambda key: ".".join((*key.kinds[:1], key.path)))
def test_every_key_has_words_and_an_example(key):
    help_ = "write what the key does under it in its class: tpsgd_edge/spec/keys.py says how"
    assert key.words.endswith((".", "?")), help_
    assert key.words[0].isupper() or key.words.startswith("k:"), help_
    is_section = key.type.startswith("table") and key.name in (
        *("model", "numbers", "rule", "projection", "data", "platform", "firmware", "pretrain"),
        *("replay", "drift", "search"),
    )
    assert is_section or key.example, help_


@pytest.mark.parametrize(("section", "key", "example"), HOLDERS, ids=name_of)
def test_every_example_is_good_in_its_section(section, key, example):
    given = tomllib.loads(f"x = {{ {example} }}")["x"]
    assert next(iter(given)) == key
    needed = NEEDED.get(section.__name__, {})
    if "source" in given:
        needed = {}
    if (section.__name__, key) in REFUSED:
        with pytest.raises(ValidationError):
            section.model_validate({**needed, **given})
        return
    made = section.model_validate({**needed, **given})
    assert fields_by_key(section)[key] in [section.model_fields[f] for f in made.model_fields_set]
    schema = SCHEMA
    own = schema if section.__name__ == "Spec" else schema["$defs"][section.__name__]
    found = {**needed, **given}
    assert not list(complaints(found, {k: v for k, v in own.items() if k != "$defs"}, schema))


def test_an_example_shows_something_else_than_the_default():
    """An example that says what holds anyway would not be seen to work."""
    for group in key_groups():
        for key in group.keys:
            if key.example and key.name not in ("kind", "activation"):
                value = tomllib.loads(f"x = {{ {key.example} }}")["x"][key.name]
                assert json.dumps(value) != key.default, key.path


def test_versions_are_read():
    match = keys_module._TEXT.fullmatch("Does it. Since: 0.2.0. Example: `x = 1`")
    assert match is not None
    assert match.groupdict() == {"words": "Does it.", "since": "0.2.0", "example": "x = 1"}


def test_the_page_and_the_schema_are_up_to_date():
    assert make_reference.outdated() == [], "run: python tools/make_reference.py"


class TestSchema:
    @pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
    def test_the_examples_are_good(self, path):
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        schema = json.loads(schema_text())
        assert not list(complaints(content, schema, schema))

    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            ({"rule": {"epocs": 3}}, "unknown key 'epocs'"),
            ({"seed": "3"}, "'3' is no integer"),
            ({"rule": {"epochs": 0}}, "0 is too small"),
            ({"rule": {"schedule": "steep"}}, "'steep' is not in"),
            ({"rule": "backdrop"}, "none of the choices"),
            ({"model": {"layers": [{"name": "a"}]}}, "'units' is missing"),
            ({"seed": True}, "True is no integer"),
            ({"data": {}}, "'file' is missing"),
        ],
        ids=str,
    )
    def test_what_is_wrong_is_underlined(self, change, complaint):
        schema = json.loads(schema_text())
        content = NEEDED["Spec"] | change
        assert complaint in "; ".join(complaints(content, schema, schema))

    @pytest.mark.parametrize(
        ("section", "key", "values"),
        [
            ("Spec", "rule", ["tpsgd", {"kind": "backprop"}, "backprop"]),
            ("RuleSpec", "loss", ["l1", {"kind": "l1"}]),
            ("RuleSpec", "output_loss", ["l2", {"kind": "l2"}]),
            ("RuleSpec", "learning_rate", ["auto", 0.5, 1]),
            ("RuleSpec", "step_size", ["auto", 0.5, 1]),
            ("RuleSpec", "epochs", ["auto", 1, 500]),
            ("RuleSpec", "error_gate", ["none", 0.5, 1]),
            ("ReadingSpec", "from", ["conv1", ["conv1", "conv3"]]),
            ("WeightedSpec", "loss", ["l1", {"kind": "l1"}]),
            ("ConvSpec", "padding", ["same", 1, [1, 2]]),
            ("Conv2dSpec", "kernel", [3, [3, 5]]),
            ("Conv2dSpec", "stride", [2, [1, 2]]),
            ("Conv2dSpec", "dilation", [2, [1, 2]]),
            ("Conv1dSpec", "padding", ["causal", 1, [1, 2]]),
            ("DataSpec", "classes", [["up", "down"], [1, 2.0], ["up", 3]]),
            ("DataSpec", "drop", ["id", ["id", "time"]]),
            ("DataSpec", "raw", ["auto", "int16"]),
            ("DataSpec", "normal", ["ok", 0, ["ok", "idle"], [0, 1]]),
            ("PoolSpec", "padding", ["same", 1, [1, 2], [0, 1, 0, 1]]),
            ("RnnSpec", "leak", [1, 0.5, [1, 0.5]]),
            ("MemorySpec", "leak", [1, 0.5, [1, 0.5]]),
        ],
    )
    def test_short_forms_are_good(self, section, key, values):
        schema = SCHEMA
        concrete = {
            "WeightedSpec": "DenseSpec",
            "ConvSpec": "Conv2dSpec",
            "ReadingSpec": "DenseSpec",
        }
        concrete = concrete.get(section, section)
        models = {model.__name__: model for model in subclasses(Section)}
        for value in values:
            content = {**NEEDED.get(concrete, {}), key: value}
            models[concrete].model_validate(content)
            own = schema["$defs"].get(concrete, schema)
            assert not list(complaints(content, own, schema))

    @pytest.mark.parametrize(
        "section",
        [c for c in sorted(subclasses(Section), key=name_of) if not c.__subclasses__()],
        ids=name_of,
    )
    def test_what_a_section_accepts_no_editor_underlines(self, section):
        """A validator that lets another form in needs an entry in SHORT_FORMS."""
        needed = NEEDED.get(section.__name__, {})
        own = SCHEMA["$defs"].get(section.__name__, SCHEMA)
        forms = ("auto", "none", "l1", "backprop", 1, 0.5, [1], [1, 2], [1, 2, 3], [2, 2, 2, 2])
        for key in fields_by_key(section):
            for form in forms:
                content = {**needed, key: form}
                with contextlib.suppress(ValidationError):
                    section.model_validate(content)
                    assert not list(complaints(content, own, SCHEMA)), (key, form)

    def test_each_short_form_is_tried(self):
        (marker,) = self.test_short_forms_are_good.pytestmark
        assert {(section, key) for section, key, _ in marker.args[1]} == set(SHORT_FORMS)

    def test_the_command_prints_it(self, capsys):
        assert run(["schema"]) == 0
        assert json.loads(capsys.readouterr().out)["title"] == "tpsgd-edge spec"


class TestExplain:
    @pytest.mark.parametrize("key", all_keys(), ids=lambda key: key.path)
    def test_every_key_is_found_by_its_path(self, key):
        assert key in find_keys(key.path)
        assert key in find_keys(key.name)

    @pytest.mark.parametrize(
        ("asked", "paths"),
        [
            ("rule.epochs", {"rule.epochs"}),
            ("[rule]", {"rule", *(f"rule.{name}" for name in ("kind", "epochs", "loss"))}),
            ("model.layers.fc1.loss.delta", {"rule.loss.delta"}),
            ("gru.reset", {"model.layers.reset"}),
            ("--set model.layers.0.units=5", {"model.layers.units"}),
        ],
    )
    def test_what_people_type_is_understood(self, asked, paths):
        assert paths <= {key.path for key in find_keys(asked)}

    @pytest.mark.parametrize(
        ("asked", "offered"),
        [("rule.epoch", "rule.epochs"), ("lerning_rate", "rule.learning_rate")],
    )
    def test_near_misses_are_offered(self, asked, offered):
        with pytest.raises(SpecError, match=f"there is no key '{asked}'") as caught:
            find_keys(asked)
        assert offered in caught.value.help

    def test_what_is_like_nothing_gets_the_list(self):
        with pytest.raises(SpecError) as caught:
            find_keys("qqq")
        assert "lists them all" in caught.value.help

    def test_the_command_explains(self, capsys):
        assert run(["explain", "rule.final_rate"]) == 0
        out = capsys.readouterr().out
        assert out.startswith("rule.final_rate\n  number; above 0, at most 1; default 0.3; since")
        assert "example: final_rate = 0.1" in out
        assert run(["explain", "rule.final_rate", "--json"]) == 0
        (key,) = json.loads(capsys.readouterr().out)["keys"]
        assert (key["path"], key["default"]) == ("rule.final_rate", "0.3")
        assert run(["explain", "nonsense"]) == 2

    def test_the_command_lists(self, capsys):
        assert run(["explain"]) == 0
        out = capsys.readouterr().out
        assert all(key.path in out for key in all_keys())


class TestRuleByName:
    """`rule = "backprop"` and `[rule] kind = "backprop"` are one thing, wherever they are said."""

    @pytest.fixture
    def spec_file(self, tmp_path):
        def write(rule: str) -> Path:
            path = tmp_path / "net.toml"
            head = 'name = "net"\n'
            tail = f"[model]\nlayers = {json.dumps(LAYERS)}\n[data]\nfile = 'a.npz'\n"
            tail = tail.replace('"name":', "name =").replace('"units":', "units =")
            short = rule if not rule.startswith("[") else ""
            long = rule if rule.startswith("[") else ""
            path.write_text(f"{head}{short}\n{tail}{long}\n")
            return path

        return write

    @pytest.mark.parametrize("rule", ['rule = "tpsgd"', '[rule]\nkind = "tpsgd"', ""])
    @pytest.mark.parametrize("override", ["rule=backprop", "rule.kind=backprop"])
    def test_every_way_to_say_it(self, rule, override, spec_file):
        spec = load_spec(spec_file(rule), [override])
        assert spec.rule.kind == "backprop"
        assert spec.digest == load_spec(spec_file('rule = "backprop"')).digest

    def test_the_other_keys_stay(self, spec_file):
        path = spec_file("[rule]\nlearning_rate = 0.5")
        for override in ("rule=backprop", "rule.kind=backprop"):
            assert load_spec(path, [override]).rule.learning_rate == 0.5
        path = spec_file('rule = "backprop"')
        rule = load_spec(path, ["rule.learning_rate=0.5"]).rule
        assert (rule.kind, rule.learning_rate) == ("backprop", 0.5)

    def test_losses_by_name_have_keys_too(self, spec_file):
        path = spec_file('[rule]\noutput_loss = "huber"\nloss = "huber"')
        rule = load_spec(path, ["rule.loss.delta=0.1", "rule.output_loss.delta=0.2"]).rule
        assert (rule.loss.delta, rule.output_loss.delta) == (0.1, 0.2)

    def test_a_value_is_no_section_elsewhere(self, spec_file):
        with pytest.raises(SpecError, match="'seed' is a value"):
            load_spec(spec_file("seed = 3"), ["seed.kind=backprop"])

    def test_in_python_too(self):
        short = spec_from_dict(NEEDED["Spec"] | {"rule": "backprop"})
        assert short == spec_from_dict(NEEDED["Spec"] | {"rule": {"kind": "backprop"}})


def test_sections_are_found_in_any_type():
    assert [m.__name__ for m in models_in(list[int])] == []


def test_a_starter_is_completed_by_editors(tmp_path):
    files = create_project("first", tmp_path / "first")
    (spec,) = [path for path in files if path.suffix == ".toml"]
    text = spec.read_text(encoding="utf-8")
    directive = text.partition("\n")[0]
    assert directive.startswith("#:schema ")
    schema = json.loads((spec.parent / directive.removeprefix("#:schema ")).read_text("utf-8"))
    assert not list(complaints(tomllib.loads(text), schema, schema))
