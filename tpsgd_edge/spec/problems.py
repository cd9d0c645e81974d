"""Problems of a spec, in the house's words instead of pydantic's."""

import difflib
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from tpsgd_edge.errors import SpecError


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; the parts are those of `TpsgdError`."""

    what: str
    where: str | None = None
    found: str | None = None
    help: str | None = None


def raise_problems(problems: Sequence[Problem], *, source: str) -> None:
    """Raise one error with all problems, or none if there are no problems.

    Raises:
        SpecError: at least one problem.
    """
    if not problems:
        return
    first = problems[0]
    if len(problems) == 1:
        where = f"{source}, {first.where}" if first.where else source
        raise SpecError(first.what, where=where, found=first.found, help=first.help)
    lines = [f"{len(problems)} things are wrong in {source}"]
    for number, problem in enumerate(problems, 1):
        lines.append(f"  {number}. {problem.what}")
        parts = (("where", problem.where), ("found", problem.found), ("help", problem.help))
        lines += [f"     {label + ':':<6} {text}" for label, text in parts if text]
    raise SpecError("\n".join(lines))


_Model = TypeVar("_Model", bound=BaseModel)


def validated(root: type[_Model], content: Mapping[str, Any], *, source: str) -> _Model:
    """Check keys and their values against the class that says what they may be.

    Args:
        source: what messages call the file.

    Raises:
        SpecError: everything that is wrong with them.
    """
    try:
        return root.model_validate(content)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise_problems(problems_of(details, root, content), source=source)
        raise


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Help for a word that is not among the known ones: the nearest, or all of them.

    >>> did_you_mean("learing_rate", ["learning_rate", "loss"])
    "did you mean 'learning_rate'?"
    >>> did_you_mean("?", ["tanh", "relu"])
    'known: tanh, relu'
    """
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(names)}"


def problems_of(
    errors: Sequence[ErrorDetails], root: type[BaseModel], content: Mapping[str, Any]
) -> list[Problem]:
    """Pydantic's errors as problems. `content` is what was validated, to name layers."""
    # A list whose entries are wrong counts as too short, because only good entries count.
    wrong = {error["loc"][:-n] for error in errors for n in range(1, len(error["loc"]))}
    return [
        _problem(error, root, content)
        for error in errors
        if not (error["type"] == "too_short" and error["loc"] in wrong)
    ]


def _problem(error: ErrorDetails, root: type[BaseModel], content: Mapping[str, Any]) -> Problem:
    path, kind = _without_tags(error["loc"]), error["type"]
    where = _place(path, content)
    key = str(path[-1]) if path else ""
    if path and isinstance(path[-1], int):
        key = f"{path[-2]}[{path[-1]}]"
    found = f"{key} = {_shown(error['input'])}" if key else None
    context = error.get("ctx", {})
    section = _section_at(root, error["loc"][:-1])
    # An entry of a list may be what the list says of all.
    field = key.partition("[")[0]
    if kind == "union_tag_invalid":
        return _unknown_kind(context["tag"], context["expected_tags"], where)
    if kind == "extra_forbidden":
        return Problem(
            f"unknown key '{key}'", where, None, did_you_mean(key, list(fields_by_key(section)))
        )
    if kind == "missing" and isinstance(path[-1], int):
        kind, key = "too_short", str(path[-2])
    if kind == "missing":
        return Problem(f"'{key}' is missing", where, None, _example(path))
    if kind == "value_error":
        return Problem(str(context["error"]), where, None if "name" in key else _short(found))
    if kind == "literal_error":
        values = [str(value) for value in _literals(section, field)]
        help_text = _allowed(str(error["input"]), values)
        return Problem(f"unknown value of '{key}'", where, found, help_text)
    if kind in _RANGE_ERRORS:
        return Problem(f"'{key}' is out of range", where, found, range_text(section, field))
    if kind in ("too_short", "too_long"):
        return Problem(
            f"'{key}' has too few or too many entries", where, None, range_text(section, key)
        )
    expected = _TYPE_WORDS.get(kind)
    if expected is None:
        return Problem(f"'{key}' is not valid: {error['msg']}", where, found)
    what = f"'{key}' must be {expected}" if key else f"a spec must be {expected}"
    return Problem(what, where, found, _type_help(kind, key, error["input"]))


def _unknown_kind(kind: str, known: str, where: str | None) -> Problem:
    kinds = known.replace("'", "").split(", ")
    return Problem("unknown value of 'kind'", where, f'kind = "{kind}"', _allowed(kind, kinds))


def _allowed(word: str, values: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, values, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}allowed: {', '.join(values)}"


_RANGE_ERRORS = frozenset(
    ("greater_than", "greater_than_equal", "less_than", "less_than_equal", "finite_number")
)
_TYPE_WORDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "model_type": "a table of keys",
    "model_attributes_type": "a table of keys",
    "dict_type": "a table of keys",
    "tuple_type": "a list",
    "list_type": "a list",
}


def _type_help(kind: str, key: str, value: object) -> str | None:
    number = kind.startswith(("int", "float"))
    if number and isinstance(value, str) and value.replace(".", "", 1).isdigit():
        return f"write {key} = {value}, without quotes"
    if kind == "string_type" and not isinstance(value, list | dict):
        return f'write {key} = "{_shown(value)}", in quotes'
    return None


def _place(path: tuple[int | str, ...], content: Mapping[str, Any]) -> str | None:
    """`[section], layer 'name'` around the last key of a path, which the problem names itself."""
    parts: list[str] = []
    around = path if path and isinstance(path[-1], int) else path[:-1]
    for depth, step in enumerate(around):
        if isinstance(step, int):
            parts[-1] = _entry(content, path[: depth + 1])
        else:
            parts.append(f"[{step}]" if depth == 0 else step)
    return ", ".join(parts) or None


def _entry(content: Mapping[str, Any], path: tuple[int | str, ...]) -> str:
    entry: Any = content
    try:
        for step in path:
            entry = entry[step]
        name = entry["name"]
    except (KeyError, IndexError, TypeError):
        name = None
    if isinstance(name, str):
        return f"layer '{name[:40]}'"
    return f"{path[-2]}[{path[-1]}]"


def _shown(value: object) -> str:
    """A value as TOML writes it, cut short."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if isinstance(value, int) and value.bit_length() > 200:
        return f"a number of {value.bit_length()} bits"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _short(found: str | None) -> str | None:
    return found if found is not None and not found.endswith(("a table", "a list")) else None


def _without_tags(path: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """The path as the user wrote it: pydantic adds the kind of an entry after its index."""
    before = ("", *path)
    return tuple(step for i, step in enumerate(path) if not isinstance(before[i], int))


def _section_at(root: type[BaseModel], path: Sequence[int | str]) -> type[BaseModel]:
    section, models = root, [root]
    for step in path:
        if isinstance(step, str) and step in fields_by_key(section):
            models = models_in(fields_by_key(section)[step].annotation)
            section = models[0] if models else section
        elif isinstance(step, str):
            section = next((model for model in models if step in _kinds(model)), section)
    return section


def _kinds(model: type[BaseModel]) -> list[object]:
    return _literals(model, "kind") if "kind" in model.model_fields else []


def fields_by_key(section: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a section, by what they are called in TOML."""
    return {field.alias or name: field for name, field in section.model_fields.items()}


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The sections that a type speaks of, in its order."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    parts = [part for part in get_args(annotation) if part is not Ellipsis]
    return [model for part in parts for model in models_in(part)]


def _metadata(section: type[BaseModel], key: str) -> dict[str, Any]:
    """The bounds of a field: ge, gt, le, lt, min_length, max_length."""
    field = fields_by_key(section)[key]
    bounds: dict[str, Any] = {}
    for item in [*field.metadata, *_annotations(field.annotation)]:
        for name in ("ge", "gt", "le", "lt", "min_length", "max_length"):
            if getattr(item, name, None) is not None:
                bounds[name] = getattr(item, name)
    return bounds


def _annotations(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Annotated:
        metadata: list[Any] = []
        for item in annotation.__metadata__:
            metadata += getattr(item, "metadata", [item])
        return metadata
    if get_origin(annotation) in (Union, types.UnionType, tuple):
        return [item for part in get_args(annotation) for item in _annotations(part)]
    return []


def range_text(section: type[BaseModel], key: str) -> str:
    """The bounds of a key in words; nothing behind "allowed:" where it has none."""
    bounds = _metadata(section, key)
    if "min_length" in bounds:
        most = f" to {bounds['max_length']}" if "max_length" in bounds else " or more"
        return f"allowed: {bounds['min_length']}{most} entries"
    words = [
        f"{word} {_plain(bounds[name]):,}"
        for name, word in (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below"))
        if name in bounds
    ]
    return f"allowed: {', '.join(words)}"


def _plain(bound: float) -> float:
    return int(bound) if bound == int(bound) else bound


def _literals(section: type[BaseModel], key: str) -> list[object]:
    def values(annotation: Any) -> list[object]:
        if get_origin(annotation) is Literal:
            return list(get_args(annotation))
        return [value for part in get_args(annotation) for value in values(part)]

    return values(fields_by_key(section)[key].annotation)


_EXAMPLES = {
    ("name",): 'add name = "my_model" at the top',
    ("model",): "add a [model] section with layers",
    (
        "model",
        "layers",
    ): 'add layers = [{ name = "fc1", units = 32 }, { name = "fc2", units = 10 }]',
    ("data",): 'add [data] with file = "my_data.npz"',
    ("data", "file"): 'add file = "my_data.npz"',
}


def _example(path: tuple[int | str, ...]) -> str:
    names = tuple(str(step) for step in path)
    if names in _EXAMPLES:
        return _EXAMPLES[names]
    return f"add {names[-1]} = {'32' if names[-1] in ('units', 'filters') else '...'}"
