"""As much of JSON Schema as the spec's schema uses, to see what an editor would say of a spec."""

from collections.abc import Iterator
from typing import Any

TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}
KNOWN = {
    *("$defs", "$schema", "$ref", "title", "description", "examples", "default"),
    *("type", "enum", "const", "anyOf", "properties", "required", "additionalProperties"),
    *("items", "prefixItems", "minItems", "maxItems"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
}


def complaints(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> Iterator[str]:
    """What an editor underlines in a value; nothing where it is as the schema wants it."""
    assert schema.keys() <= KNOWN, schema.keys() - KNOWN
    if "$ref" in schema:
        yield from complaints(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "anyOf" in schema:
        tried = [list(complaints(value, choice, root)) for choice in schema["anyOf"]]
        if all(tried):
            yield f"{value!r} is none of the choices: {tried}"
    if "type" in schema:
        is_bool = isinstance(value, bool) and schema["type"] in ("integer", "number")
        if is_bool or not isinstance(value, TYPES[schema["type"]]):
            yield f"{value!r} is no {schema['type']}"
            return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{value!r} is not in {schema['enum']}"
    if "const" in schema and value != schema["const"]:
        yield f"{value!r} is not {schema['const']!r}"
    if isinstance(value, int | float):
        yield from _bounds(value, schema)
    if isinstance(value, dict):
        yield from _keys(value, schema, root)
    if isinstance(value, list):
        yield from _entries(value, schema, root)


def _bounds(value: float, schema: dict[str, Any]) -> Iterator[str]:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if (low is not None and value < low) or (above is not None and value <= above):
        yield f"{value} is too small"
    if (high is not None and value > high) or (below is not None and value >= below):
        yield f"{value} is too large"


def _keys(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any]) -> Iterator[str]:
    known = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"'{name}' is missing"
    for name, entry in value.items():
        more = schema.get("additionalProperties", True)
        if name in known:
            yield from complaints(entry, known[name], root)
        elif more is False:
            yield f"unknown key '{name}'"
        elif isinstance(more, dict):
            yield from complaints(entry, more, root)


def _entries(value: list[Any], schema: dict[str, Any], root: dict[str, Any]) -> Iterator[str]:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        yield f"{len(value)} entries"
    first = schema.get("prefixItems", [])
    for i, entry in enumerate(value):
        if i < len(first):
            yield from complaints(entry, first[i], root)
        elif isinstance(schema.get("items"), dict):
            yield from complaints(entry, schema["items"], root)
