"""The result of a command, which the command returns instead of printing it."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tpsgd_edge.errors import visible

if TYPE_CHECKING:
    from tpsgd_edge.frontend.data import DataNotes


@dataclass(frozen=True, slots=True)
class Outcome:
    """Text for stdout, whether reference and device differ, notes and warnings for stderr."""

    text: str
    is_mismatch: bool = False
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def outcome(
    document: Mapping[str, Any],
    show: Callable[[], str],
    *,
    as_json: bool,
    is_mismatch: bool = False,
    data: "DataNotes | None" = None,
) -> Outcome:
    """One JSON document, or what `show` makes for people; warnings as the document has them.

    Args:
        data: what is to be said of the data; a document has it already.
    """
    warnings = tuple(_words(warning) for warning in document.get("warnings", ()))
    if as_json:
        text = json.dumps(document, indent=2, allow_nan=False) + "\n"
        return Outcome(text, is_mismatch, warnings=warnings)
    said = "" if data is None else "".join(f"{visible(line)}\n" for line in _understood(data))
    return Outcome(said + show(), is_mismatch, data.notes if data else (), warnings)


def _understood(data: "DataNotes") -> Iterator[str]:
    if data.labels:
        yield f"labels: {data.labels}"
    for choice in data.chosen:
        yield f"{choice.key}: {choice.value} ({choice.reason})"


def _words(warning: Mapping[str, str]) -> str:
    return f"{warning['message']}\n  help:  {warning['help']}"
