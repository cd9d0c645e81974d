"""The pages of the documentation, as tests read them."""

from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
FRONT_PAGE = DOCS / "RESULTS.md"


def results_pages() -> str:
    """The text of all pages of measured results, one after the other."""
    pages = sorted((DOCS / "results").glob("*.md"))
    return "\n".join(page.read_text(encoding="utf-8") for page in pages)
