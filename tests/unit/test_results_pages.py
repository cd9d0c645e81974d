"""docs/RESULTS.md, the front page: its figures are those of the pages that it names."""

import re
from pathlib import Path

import pytest

from tests.support.documents import DOCS, FRONT_PAGE

TEXT = FRONT_PAGE.read_text(encoding="utf-8")
LINK = re.compile(r"\]\(([^)#]+)(?:#([^)]+))?\)")
# Rows that end in a link to a page, and the figures in them.
ROW = re.compile(r"^\| .*\| \[[^]]*\]\((results/\w+\.md)\) \|$", re.MULTILINE)
FIGURE = re.compile(r"(?<=\| )[\d,]+\.?\d*(?: ± [\d.]+)?(?= \|)")
ROWS = [(row[0], row[1]) for row in ROW.finditer(TEXT)]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_there_are_rows() -> None:
    assert len(ROWS) == 18
    assert all(len(FIGURE.findall(row)) >= 2 for row, _ in ROWS)


@pytest.mark.parametrize(("row", "page"), ROWS, ids=[row.split(" |")[0][2:] for row, _ in ROWS])
def test_each_figure_stands_on_its_page(row: str, page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    missing = [figure for figure in FIGURE.findall(row) if f" {figure} " not in text]
    assert not missing, f"not in docs/{page}: {missing}"


PAGES = [DOCS.parent / "README.md", *sorted(DOCS.rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        if target.startswith("http"):
            continue
        path = page.parent / target
        assert path.exists(), f"{page.name}: there is no {target}"
        assert not anchor or anchor in anchors(path), f"{page.name}: {target} has no #{anchor}"


def test_each_page_of_results_is_named_on_the_front_page() -> None:
    named = {target for target, _ in LINK.findall(TEXT)}
    assert {f"results/{page.name}" for page in DOCS.glob("results/*.md")} <= named


def test_the_front_page_is_short() -> None:
    assert len(TEXT.splitlines()) <= 100
