"""Every key of a spec in words, read from the sections themselves.

What a key does is the text under it in its section's class, with an example in TOML at the end, and
before that `Since: VERSION.` where the first version had no such key. Type, range and default come
from the field.
"""

import ast
import difflib
import inspect
import json
import re
import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tpsgd_edge.errors import SpecError
from tpsgd_edge.spec.aliases import new_key_name, old_names
from tpsgd_edge.spec.base import Section
from tpsgd_edge.spec.loss import LossKind
from tpsgd_edge.spec.problems import models_in, range_text
from tpsgd_edge.spec.sections import Spec

FIRST_VERSION = "0.1.0"
_LAYERS = "model.layers"
_TEXT = re.compile(r"(?P<words>.*?)( Since: (?P<since>\S+)\.)?( Example: `(?P<example>.*)`)?")

# Class and key -> other ways to write a value, in words and as JSON Schema.
SHORT_FORMS: Mapping[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("Spec", "rule"): ("its kind", {"enum": ["tpsgd", "backprop"]}),
    ("RuleSpec", "loss"): ("its kind", {"enum": list(get_args(LossKind))}),
    ("RuleSpec", "output_loss"): ("its kind", {"enum": list(get_args(LossKind))}),
    ("RuleSpec", "learning_rate"): ('"auto"', {"const": "auto"}),
    ("RuleSpec", "step_size"): ('"auto"', {"const": "auto"}),
    ("RuleSpec", "epochs"): ('"auto"', {"const": "auto"}),
    ("RuleSpec", "error_gate"): ('"none"', {"const": "none"}),
    ("DataSpec", "raw"): ('"auto"', {"const": "auto"}),
    ("ReadingSpec", "from"): ("one name", {"type": "string"}),
    ("WeightedSpec", "loss"): ("its kind", {"enum": list(get_args(LossKind))}),
    ("ConvSpec", "padding"): (
        "one to four whole numbers",
        {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}]},
    ),
    ("Conv1dSpec", "padding"): (
        "one number, or two",
        {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}]},
    ),
    ("DataSpec", "classes"): (
        "numbers among them",
        {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "number"}]}},
    ),
    ("DataSpec", "normal"): (
        "one name; numbers among them",
        {
            "anyOf": [
                {"type": "string"},
                {"type": "integer"},
                {
                    "type": "array",
                    "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
                },
            ]
        },
    ),
    ("MemorySpec", "leak"): ("one number", {"type": "number"}),
    ("DataSpec", "drop"): ("one name", {"type": "string"}),
    ("PoolSpec", "padding"): ("whole number", {"type": "integer"}),
    ("Conv2dSpec", "dilation"): ("whole number", {"type": "integer"}),
    ("Conv2dSpec", "kernel"): ("whole number", {"type": "integer"}),
    ("Conv2dSpec", "stride"): ("whole number", {"type": "integer"}),
    ("RnnSpec", "leak"): ("number", {"type": "number"}),
}


@dataclass(frozen=True, slots=True)
class Key:
    """One key.

    Attributes:
        place: dotted sections above it; of layers `model.layers`.
        kinds: of the layers that have it; empty elsewhere.
        type, range, default: in words; range and default empty where there is none.
        since: the first version with it.
        words: what it does.
        example: TOML, keys that must go with it behind commas; empty for sections.
    """

    place: str
    name: str
    kinds: tuple[str, ...]
    type: str
    range: str
    default: str
    since: str
    words: str
    example: str

    @property
    def path(self) -> str:
        """Sections and name, parted by dots."""
        return f"{self.place}.{self.name}" if self.place else self.name


@dataclass(frozen=True, slots=True)
class KeyGroup:
    """The keys of one section, or of the layers of some kinds."""

    title: str
    words: str
    section: type[Section]
    keys: tuple[Key, ...]


@cache
def key_groups() -> tuple[KeyGroup, ...]:
    """All keys of a spec, the sections in the order of the spec."""
    return tuple(_group(section, place) for section, place in _sections())


def all_keys() -> tuple[Key, ...]:
    """All keys, in the order of `key_groups`."""
    return tuple(key for group in key_groups() for key in group.keys)


def find_keys(text: str) -> tuple[Key, ...]:
    """The keys that somebody means: by name, by name and section, or a whole section.

    >>> [key.path for key in find_keys("epochs")]
    ['model.pretrain.epochs', 'rule.epochs', 'search.epochs']
    >>> [key.path for key in find_keys("--set rule.epochs=3")]
    ['rule.epochs']
    >>> [key.kinds for key in find_keys("model.layers.fc1.reset")]
    [('gru',)]

    Raises:
        SpecError: there is none; its help names the nearest ones.
    """
    asked = text.removeprefix("--set").partition("=")[0].strip(" []")
    *above, name = [step.strip() for step in asked.split(".")]
    place = _place(above)
    named = [key for key in all_keys() if key.name in (name, new_key_name(name))]
    found = [key for key in named if place in ("", key.place, *key.kinds)]
    inside = [key for key in all_keys() if key.place == asked]
    # [rule] is asked for more often than the key of this name that every spec may have.
    found = [*found, *(key for key in inside if key not in found)]
    if not found:
        raise _unknown(asked, name)
    return tuple(found)


def _place(above: list[str]) -> str:
    """Path under which a key below these names is documented."""
    if above and above[-1] in ("loss", "output_loss"):
        return "rule.loss"
    # A layer's own name or its index may follow.
    return _LAYERS if above[:2] == _LAYERS.split(".") else ".".join(above)


def _unknown(asked: str, name: str) -> SpecError:
    keys = all_keys()
    near = difflib.get_close_matches(name, [key.name for key in keys], n=3)
    paths = sorted({key.path for key in keys if key.name in near})
    near_paths = difflib.get_close_matches(asked, [key.path for key in keys], n=3)
    offered = list(dict.fromkeys([*near_paths, *paths]))
    return SpecError(
        f"there is no key '{asked[:60]}'",
        where=f"tpsgd-edge explain {asked[:60]}",
        help=f"did you mean {', '.join(offered)}?"
        if offered
        else "tpsgd-edge explain, without a key, lists them all",
    )


def _sections() -> Iterator[tuple[type[Section], str]]:
    """Each section's class once, with its place; what classes share before the classes.

    What layers hold inside of them, losses, [rule] holds too.
    """
    seen: set[type[BaseModel]] = set()

    def visit(model: type[BaseModel], place: str) -> Iterator[tuple[type[Section], str]]:
        lineage = [base for base in reversed(model.__mro__) if _is_section(base)]
        for section in lineage:
            if section not in seen:
                seen.add(section)
                yield section, place
                for name in () if place == _LAYERS else _own_keys(section):
                    for inner in models_in(section.model_fields[name].annotation):
                        yield from visit(inner, f"{place}.{name}" if place else name)

    yield from visit(Spec, "")


def _is_section(base: type) -> TypeGuard[type[Section]]:
    return issubclass(base, Section) and base is not Section


def _own_keys(section: type[Section]) -> list[str]:
    return [name for name in section.model_fields if name in section.__annotations__]


def _group(section: type[Section], place: str) -> KeyGroup:
    words = " ".join((inspect.getdoc(section) or "").partition("\n\n")[0].split())
    kinds = _kinds(section) if place == _LAYERS else ()
    keys = tuple(_key(section, name, place, kinds) for name in _own_keys(section))
    if place == _LAYERS:
        title = f"layers: {', '.join(kinds)}"
    elif place == "rule.loss":
        title = "loss: rule.loss, rule.output_loss, loss of a layer"
    else:
        title = f"[{place}]" if place else "at the top"
    return KeyGroup(title, words, section, keys)


def _kinds(section: type[Section]) -> tuple[str, ...]:
    """The kinds of the layers that a class stands for, its own or those of all that share it."""
    classes = [model for model in _layer_classes() if issubclass(model, section)]
    return tuple(kind for model in classes for kind in get_args(_bare(model, "kind")))


def _layer_classes() -> list[type[BaseModel]]:
    annotation = models_in(Spec.model_fields["model"].annotation)[0].model_fields["layers"]
    return list(dict.fromkeys(models_in(annotation.annotation)))


def _bare(model: type[BaseModel], name: str) -> Any:
    return model.model_fields[name].annotation


def _key(section: type[Section], name: str, place: str, kinds: tuple[str, ...]) -> Key:
    field, text = section.model_fields[name], _texts(section.__module__)[section.__name__]
    match = _TEXT.fullmatch(" ".join(text.get(name, "").split()))
    assert match is not None
    key = field.alias or name
    short = SHORT_FORMS.get((section.__name__, key))
    type_ = type_words(field.annotation)
    before = old_names(f"{place}.{name}" if place else name)
    return Key(
        place=place,
        name=key,
        kinds=kinds,
        type=type_ if short is None else f"{type_}, or {short[0]}",
        range=range_text(section, key).removeprefix("allowed: "),
        default=_default(field),
        since=match["since"] or FIRST_VERSION,
        words=" ".join((match["words"], *before)),
        example=match["example"] or "",
    )


@cache
def _texts(module: str) -> Mapping[str, Mapping[str, str]]:
    """Class and key -> the text under the key, of one module."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return {node.name: dict(_texts_of(node)) for node in classes}


def _texts_of(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, text in zip(node.body, node.body[1:], strict=False):
        is_text = isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and is_text:
            yield field.target.id, str(text.value.value)  # type: ignore[attr-defined]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    value = field.get_default(call_default_factory=True)
    if value is None or isinstance(value, BaseModel) or value in ((), {}):
        return ""
    return json.dumps(value)


_WORDS = {int: "whole number", float: "number", str: "text", bool: "true or false", Any: "any"}


def type_words(annotation: Any) -> str:
    """A type as people say it.

    >>> type_words(Literal["s8", "s16"] | None)
    '"s8", "s16"'
    >>> type_words(tuple[int, int]), type_words(tuple[float, ...]), type_words(int | None)
    ('2 whole numbers', 'list of numbers', 'whole number')
    """
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_words(parts[0])
    if models_in(annotation):
        return "list of tables" if origin is tuple else "table"
    if origin is Literal:
        return ", ".join(json.dumps(part) for part in parts)
    if origin in (Union, types.UnionType):
        return " or ".join(type_words(part) for part in parts if part is not type(None))
    if origin is tuple:
        inner = type_words(parts[0])
        plural = inner if inner == "text" else f"{inner}s"
        return f"list of {plural}" if Ellipsis in parts else f"{len(parts)} {plural}"
    return "table" if origin is dict else _WORDS[annotation]
