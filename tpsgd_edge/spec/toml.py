"""Specs as TOML: what is read, written down again."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tpsgd_edge.spec.sections import Spec

_LONGEST_LINE = 100


def spec_content(spec: Spec) -> dict[str, Any]:
    """Keys and values of a spec as TOML has them, of those alone that somebody set."""
    content: dict[str, Any] = spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    said: dict[str, Any] = _without_none(content)
    if "error_gate" in spec.rule.model_fields_set and spec.rule.error_gate is None:
        said["rule"]["error_gate"] = "none"
    return said


def toml_text(content: Mapping[str, Any]) -> str:
    """The text of a TOML file: keys first, then a section for each table, layers one a line.

    >>> print(toml_text({"name": "a", "rule": {"epochs": 3}, "model": {"layers": [{"units": 2}]}}))
    name = "a"
    <BLANKLINE>
    [rule]
    epochs = 3
    <BLANKLINE>
    [model]
    layers = [
        { units = 2 },
    ]
    <BLANKLINE>
    """
    plain = {key: value for key, value in content.items() if not isinstance(value, Mapping)}
    lines = [line for key, value in plain.items() for line in _pair(key, value)]
    for name, table in content.items():
        if isinstance(table, Mapping) and table:
            lines += ["", f"[{_key(name)}]"]
            lines += [line for key, value in table.items() for line in _pair(key, value)]
    return "\n".join(lines) + "\n"


def toml_value(value: Any) -> str:
    """A value as TOML writes it in one line.

    >>> toml_value({"name": "fc1", "train": False, "kernel": [3, 3], "rate": 1e-05})
    '{ name = "fc1", train = false, kernel = [3, 3], rate = 1e-05 }'
    """
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {toml_value(entry)}" for key, entry in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    return _plain(value)


def _pair(key: str, value: Any) -> Iterator[str]:
    line = f"{_key(key)} = {toml_value(value)}"
    is_long = len(line) > _LONGEST_LINE or (isinstance(value, list) and value and _is_table(value))
    if not (is_long and isinstance(value, list)):
        yield line
        return
    yield f"{_key(key)} = ["
    yield from (f"    {toml_value(entry)}," for entry in value)
    yield "]"


def _is_table(value: list[Any]) -> bool:
    return isinstance(value[0], Mapping)


def _key(name: str) -> str:
    is_bare = name.replace("_", "").replace("-", "").isalnum() and name.isascii()
    return name if is_bare else _plain(name)


def _plain(value: Any) -> str:
    """A text, number or truth value; JSON's are TOML's too, but for one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(entry) for key, entry in value.items() if entry is not None}
    return [_without_none(entry) for entry in value] if isinstance(value, list) else value
