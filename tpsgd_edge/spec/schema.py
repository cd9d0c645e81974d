"""The keys of a spec as JSON Schema, for editors that complete and check TOML."""

import json
import tomllib
from pathlib import Path
from typing import Any

from tpsgd_edge.spec.keys import SHORT_FORMS, Key, key_groups
from tpsgd_edge.spec.sections import Spec

# Made by tools/make_reference.py and shipped with the package.
SCHEMA_FILE = Path(__file__).with_name("schema.json")

Json = dict[str, Any]


def schema_text() -> str:
    """The schema that is shipped, as JSON."""
    return SCHEMA_FILE.read_text(encoding="utf-8")


def make_schema() -> Json:
    """The schema of a whole spec (JSON Schema 2020-12), with the words of every key.

    It says what a single key may be; what keys must not be together only reading a spec tells.
    """
    schema = Spec.model_json_schema()
    definitions = schema["$defs"]
    inherited: dict[str, Json] = {}
    for group in key_groups():
        name = group.section.__name__
        inherited[name] = {key.name: _described(name, key) for key in group.keys}
    for section in {group.section for group in key_groups()}:
        definition = schema if section is Spec else definitions.get(section.__name__)
        if definition is not None:
            lineage = [inherited.get(base.__name__, {}) for base in reversed(section.__mro__)]
            _describe(definition, {k: v for keys in lineage for k, v in keys.items()})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tpsgd-edge spec",
        **_clean(schema),
    }


def schema_json() -> str:
    """`make_schema` as the text of the file."""
    return json.dumps(make_schema(), indent=1) + "\n"


def _described(section: str, key: Key) -> Json:
    said: Json = {"description": key.words}
    if key.example:
        said["examples"] = [tomllib.loads(f"x = {{ {key.example} }}")["x"][key.name]]
    if (section, key.name) in SHORT_FORMS:
        said["anyOf"] = [SHORT_FORMS[section, key.name][1]]
    return said


def _describe(definition: Json, keys: Json) -> None:
    for name, said in keys.items():
        own = definition["properties"][name]
        more = said.get("anyOf", [])
        forms = own.pop("anyOf", None) or own.pop("oneOf", None) or [_form(own)]
        rest = {k: v for k, v in own.items() if k == "default"}
        own.clear()
        own |= {k: v for k, v in said.items() if k != "anyOf"} | rest
        forms = [form for form in [*forms, *more] if form != {"type": "null"}]
        own |= forms[0] if len(forms) == 1 else {"anyOf": forms}


def _form(own: Json) -> Json:
    return {k: v for k, v in own.items() if k not in ("title", "default", "description")}


def _clean(node: Any) -> Any:
    """Without pydantic's titles, without null, which TOML has not, and each choice once."""
    if isinstance(node, list):
        return [_clean(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    cleaned: Json = {}
    for name, value in node.items():
        if (name == "title" and isinstance(value, str)) or (name == "default" and value is None):
            continue
        # Editors take the first that fits, and a kind of two names stands there twice.
        is_choice = name in ("oneOf", "anyOf") and isinstance(value, list)
        chosen = [v for i, v in enumerate(value) if v not in value[:i]] if is_choice else value
        cleaned["anyOf" if is_choice else name] = _clean(chosen)
    return cleaned
