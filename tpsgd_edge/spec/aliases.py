"""Names that have changed: a spec that has an old one is read, and a note says the new one.

How long an old name is read is a promise of docs/VERSIONS.md. To rename a key or one of its values,
change it in its section's class and add an entry to `ALIASES`; the note, `tpsgd-edge explain` and
docs/SPEC.md follow from that.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tpsgd_edge.errors import SpecError

_LAYERS, _SETTINGS = "model.layers.*", "model.settings.*"


@dataclass(frozen=True, slots=True)
class KeyAlias:
    """An old name of a key.

    Attributes:
        place: dotted sections above the key, empty at the top; layers are `model.layers.*`.
        since: the first version with the new name.
    """

    place: str
    old: str
    new: str
    since: str


@dataclass(frozen=True, slots=True)
class ValueAlias:
    """An old name of a value.

    Attributes:
        keys: dotted paths of the keys that can have the value, or a table of this `kind`.
        since: the first version with the new name.
    """

    keys: tuple[str, ...]
    old: str
    new: str
    since: str


Alias = KeyAlias | ValueAlias
ALIASES: tuple[Alias, ...] = (
    ValueAlias(
        ("rule.loss", "rule.output_loss", "model.layers.*.loss"),
        "dead_zone",
        "epsilon_insensitive",
        since="0.2.0",
    ),
)


@dataclass(frozen=True, slots=True)
class Renamed:
    """Something with its old names replaced by the new ones, and a note for each."""

    content: dict[str, Any]
    notes: tuple[str, ...]


def with_new_names(content: Mapping[str, Any], aliases: Sequence[Alias] | None = None) -> Renamed:
    """Copy the content of a spec, with all old names replaced.

    Args:
        content: sections and keys, not checked yet.
        aliases: those to replace; `ALIASES` where not given.

    Raises:
        SpecError: a table has the same key by its old and by its new name.
    """
    copy: dict[str, Any] = _copied(content)
    notes: list[str] = []
    for alias in ALIASES if aliases is None else aliases:
        if isinstance(alias, KeyAlias):
            notes += _rename_key(copy, alias)
        else:
            notes += _rename_value(copy, alias)
    return Renamed(copy, tuple(dict.fromkeys(notes)))


def with_new_path(
    path: Sequence[str], aliases: Sequence[Alias] | None = None
) -> tuple[list[str], list[str]]:
    """Replace old names in the path of a key, such as an override has.

    Returns:
        The path by its new names, and a note for each of them.
    """
    steps, notes = list(path), []
    for alias in ALIASES if aliases is None else aliases:
        if isinstance(alias, KeyAlias):
            for place in _places(alias.place):
                depth = len(place)
                if _fits(place, steps[:depth]) and steps[depth : depth + 1] == [alias.old]:
                    steps[depth] = alias.new
                    notes.append(_note(alias, ".".join(path[: depth + 1])))
    return steps, notes


def old_names(path: str, aliases: Sequence[Alias] | None = None) -> Iterator[str]:
    """Say in a sentence each what the key of this path, or a value of it, was called before."""
    for alias in ALIASES if aliases is None else aliases:
        if isinstance(alias, KeyAlias):
            if path == _joined(alias.place.removesuffix(".*"), alias.new):
                yield f"It was called `{alias.old}` before {alias.since}."
        elif path in {form for key in alias.keys for form in (key, f"{key}.kind")}:
            yield f'"{alias.new}" was called "{alias.old}" before {alias.since}.'


def new_key_name(name: str, aliases: Sequence[Alias] | None = None) -> str:
    """Return the new name of a key; the name itself where it is no old one."""
    known = ALIASES if aliases is None else aliases
    names = {alias.old: alias.new for alias in known if isinstance(alias, KeyAlias)}
    return names.get(name, name)


def _rename_key(content: dict[str, Any], alias: KeyAlias) -> Iterator[str]:
    for table, where in _tables(content, alias.place):
        if alias.old not in table:
            continue
        if alias.new in table:
            raise SpecError(
                f"'{alias.old}' is the old name of '{alias.new}', and both are given",
                where=f"[{where}]" if where else "at the top",
                help=f"keep '{alias.new}'",
            )
        table[alias.new] = table.pop(alias.old)
        yield _note(alias, _joined(where, alias.old))


def _rename_value(content: dict[str, Any], alias: ValueAlias) -> Iterator[str]:
    for path in alias.keys:
        place, _, key = path.rpartition(".")
        for table, where in _tables(content, place):
            value = table.get(key)
            if isinstance(value, dict) and value.get("kind") == alias.old:
                value["kind"] = alias.new
            elif value == alias.old:
                table[key] = alias.new
            else:
                continue
            yield _note(alias, _joined(where, key))


def _note(alias: Alias, path: str) -> str:
    what = path if isinstance(alias, KeyAlias) else f'"{alias.old}" of {path}'
    new = alias.new if isinstance(alias, KeyAlias) else f'"{alias.new}"'
    return f"{what} is an old name: it is called {new} since {alias.since}"


def _tables(content: Any, place: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Find the tables at a place, each with its path; layers of a list go by name or by index."""
    for steps in _places(place):
        yield from _below(content, steps, "")


def _below(content: Any, steps: Sequence[str], above: str) -> Iterator[tuple[dict[str, Any], str]]:
    if not steps:
        if isinstance(content, dict):
            yield content, above
        return
    first, *rest = steps
    if first != "*":
        if isinstance(content, dict) and first in content:
            yield from _below(content[first], rest, _joined(above, first))
    elif isinstance(content, dict):
        for name, entry in content.items():
            yield from _below(entry, rest, _joined(above, name))
    elif isinstance(content, list):
        for index, entry in enumerate(content):
            name = entry.get("name") if isinstance(entry, dict) else None
            yield from _below(entry, rest, _joined(above, str(name or index)))


def _places(place: str) -> Iterator[tuple[str, ...]]:
    """Part a place by its dots; what layers have, `model.settings` of a source has too."""
    yield tuple(place.split(".")) if place else ()
    if f"{place}.".startswith(f"{_LAYERS}."):
        yield tuple(place.replace(_LAYERS, _SETTINGS, 1).split("."))


def _fits(place: Sequence[str], steps: Sequence[str]) -> bool:
    return len(place) == len(steps) and all(
        part in ("*", step) for part, step in zip(place, steps, strict=True)
    )


def _joined(above: str, name: str) -> str:
    return f"{above}.{name}" if above else name


def _copied(content: Any) -> Any:
    """Copy tables and lists, so that the caller's own are left as they are."""
    if isinstance(content, Mapping):
        return {key: _copied(value) for key, value in content.items()}
    return [_copied(entry) for entry in content] if isinstance(content, list) else content
