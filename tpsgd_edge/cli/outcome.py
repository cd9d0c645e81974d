"""What a command hands back instead of printing it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """Text for stdout, and whether reference and device differ."""

    text: str
    is_mismatch: bool = False


def outcome(
    document: Mapping[str, object],
    show: Callable[[], str],
    *,
    as_json: bool,
    is_mismatch: bool = False,
) -> Outcome:
    """One JSON document, or what `show` makes for people."""
    if as_json:
        return Outcome(json.dumps(document, indent=2, allow_nan=False) + "\n", is_mismatch)
    return Outcome(show(), is_mismatch)
