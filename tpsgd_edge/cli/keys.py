"""Terminal output of `tpsgd-edge explain`."""

import re
import textwrap
from collections.abc import Sequence

from tpsgd_edge.cli.tables import make_table, render
from tpsgd_edge.spec.keys import Key

_WIDTH = 96


def show_names(keys: Sequence[Key]) -> str:
    """One row for each key: where it is, and its first words."""
    table = make_table("key", "what it does")
    for key in keys:
        table.add_row(_path(key), re.split(r"[;:.] ", key.words)[0].removesuffix("."))
    return render(table)


def show_keys(keys: Sequence[Key]) -> str:
    """All about some keys."""
    return "\n".join(_paragraph(key) for key in keys)


def _paragraph(key: Key) -> str:
    facts = [key.type, key.range, f"default {key.default}" if key.default else "", ""]
    if key.default == "must be given":
        facts[2] = key.default
    facts[3] = f"since {key.since}"
    lines = [_path(key), *_indented("; ".join(fact for fact in facts if fact))]
    lines += _indented(key.words)
    if key.example:
        lines += _indented(f"example: {key.example}")
    return "\n".join(lines) + "\n"


def _indented(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="  ")


def _path(key: Key) -> str:
    return f"{key.path} ({', '.join(key.kinds)})" if key.kinds else key.path
