"""Writes docs/SPEC.md and the JSON Schema of the spec, from the words under the keys.

    python tools/make_reference.py            write both
    python tools/make_reference.py --check    fail where one of them is not what the keys say

Each key has its words in its section's class below tpsgd_edge/spec/ (see tpsgd_edge/spec/keys.py).
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from tpsgd_edge.spec.keys import FIRST_VERSION, Key, KeyGroup, key_groups
from tpsgd_edge.spec.schema import SCHEMA_FILE, schema_json

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "SPEC.md"

_HEAD = """\
# Every key of a spec

Made by `python tools/make_reference.py` from `tpsgd_edge/spec/`; `tpsgd-edge explain KEY` says
the same. Any key can be set for one run: `--set rule.epochs=20`; layers go by name:
`--set model.layers.fc1.units=64`. An example shows a key as it stands in its section, with those
that must go with it. A key without a default is open: what it does says what follows. All keys are
there since {first}, unless a version is given.

For completion in an editor (Taplo, Even Better TOML): `tpsgd-edge schema > spec.schema.json`, and
`#:schema spec.schema.json` on the first line of the spec; `tpsgd-edge new` does both.
"""


def page() -> str:
    """The reference as Markdown."""
    parts = [_HEAD.format(first=FIRST_VERSION)]
    parts += ["\n".join(_section(group)) + "\n" for group in key_groups()]
    return "\n".join(parts)


def _section(group: KeyGroup) -> Iterator[str]:
    yield f"## {group.title}"
    yield ""
    yield group.words
    yield ""
    yield "| key | type and range | default | what it does | example |"
    yield "|---|---|---|---|---|"
    yield from (_row(key) for key in group.keys)


def _row(key: Key) -> str:
    kind = "; ".join(part for part in (key.type, key.range) if part)
    since = "" if key.since == FIRST_VERSION else f" Since {key.since}."
    default = key.default and (key.default if "given" in key.default else f"`{key.default}`")
    example = key.example and f"`{key.example}`"
    cells = (f"`{key.name}`", kind, default, key.words + since, example)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def outdated() -> list[Path]:
    """The files that are not what the keys say."""
    wanted = ((PAGE, page()), (SCHEMA_FILE, schema_json()))
    return [p for p, text in wanted if not p.is_file() or p.read_text(encoding="utf-8") != text]


def main() -> int:
    """Write or check; the exit code."""
    words = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=words[0],
        epilog=words[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--check", action="store_true", help="write nothing")
    if parser.parse_args().check:
        for path in outdated():
            print(f"{path.relative_to(ROOT)} is not up to date: python tools/make_reference.py")
        return 1 if outdated() else 0
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
    SCHEMA_FILE.write_text(schema_json(), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
