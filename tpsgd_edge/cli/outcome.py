"""What a command hands back instead of printing it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """Text for stdout, whether reference and device differ, and what is doubtful, in words."""

    text: str
    is_mismatch: bool = False
    warnings: tuple[str, ...] = ()


def outcome(
    document: Mapping[str, Any],
    show: Callable[[], str],
    *,
    as_json: bool,
    is_mismatch: bool = False,
) -> Outcome:
    """One JSON document, or what `show` makes for people; warnings as the document has them."""
    warnings = tuple(_words(warning) for warning in document.get("warnings", ()))
    if as_json:
        text = json.dumps(document, indent=2, allow_nan=False) + "\n"
        return Outcome(text, is_mismatch, warnings)
    return Outcome(show(), is_mismatch, warnings)


def _words(warning: Mapping[str, str]) -> str:
    return f"{warning['message']}\n  help:  {warning['help']}"
