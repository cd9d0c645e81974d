"""What a command hands back instead of printing it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tpsgd_edge.errors import visible

if TYPE_CHECKING:
    from tpsgd_edge.frontend.data import DataNotes


@dataclass(frozen=True, slots=True)
class Outcome:
    """Text for stdout, notes for stderr, and whether reference and device differ."""

    text: str
    is_mismatch: bool = False
    notes: tuple[str, ...] = ()


def outcome(
    document: Mapping[str, object],
    show: Callable[[], str],
    *,
    as_json: bool,
    is_mismatch: bool = False,
    data: "DataNotes | None" = None,
) -> Outcome:
    """One JSON document, or what `show` makes for people.

    Args:
        data: what is to be said of the data; a document has it already.
    """
    if as_json:
        return Outcome(json.dumps(document, indent=2, allow_nan=False) + "\n", is_mismatch)
    said = f"labels: {visible(data.labels)}\n" if data and data.labels else ""
    return Outcome(said + show(), is_mismatch, data.notes if data else ())
