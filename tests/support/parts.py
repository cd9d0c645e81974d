"""Records that are made of parts, altered by the names of their fields alone."""

from dataclasses import fields, replace
from typing import Any

_PARTS = ("shape", "numbers", "learning", "steps")


def altered(record: Any, **values: Any) -> Any:
    """The record with these values, each in the part of it that has a field of that name.

    A layer with weights has its z in `numbers`, its learning rate in `learning.steps`, and so on.
    """
    own = {name: values.pop(name) for name in _field_names(record) if name in values}
    for part in _PARTS:
        if part in _field_names(record) and part not in own:
            inner = getattr(record, part)
            wanted = {name: values.pop(name) for name in _all_names(inner) if name in values}
            own |= {part: altered(inner, **wanted)} if wanted else {}
    assert not values, f"{type(record).__name__} has no {', '.join(values)}"
    return replace(record, **own)


def _field_names(record: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(record))


def _all_names(record: Any) -> tuple[str, ...]:
    inner = (getattr(record, part) for part in _PARTS if part in _field_names(record))
    return (*_field_names(record), *(name for part in inner for name in _all_names(part)))
