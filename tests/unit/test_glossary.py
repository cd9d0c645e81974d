"""docs/GLOSSARY.md: what it names exists, and no term stands there twice."""

import re

import pytest

from tests.support.documents import DOCS

ROOT = DOCS.parent
SOURCES = [
    path
    for folder in ("tpsgd_edge", "codegen_templates", "firmware")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".py", ".j2", ".h", ".c")
]
WORDS = {
    word
    for path in SOURCES
    for word in re.findall(r"\w+", path.read_text(encoding="utf-8") + " " + path.stem)
}
ROWS = [
    [cell.strip() for cell in line.strip("|\n ").split(" |")]
    for line in (DOCS / "GLOSSARY.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| term ")
]
SECTIONS = set(
    re.findall(
        r"^##+ (\d+(?:\.\d+)?)", (DOCS / "ARITHMETIC.md").read_text(encoding="utf-8"), re.MULTILINE
    )
)


def test_terms_are_explained_once() -> None:
    terms = [row[0] for row in ROWS]
    assert len(terms) > 50
    assert len(set(terms)) == len(terms)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_what_a_row_names_exists(row: list[str]) -> None:
    assert len(row) == 5, row
    _, meaning, sections, code, elsewhere = row
    assert meaning
    assert elsewhere
    assert {s for s in re.split(r", ", sections) if s} <= SECTIONS
    names = re.findall(r"`(\w+)`", code)
    assert names
    assert not set(names) - WORDS
