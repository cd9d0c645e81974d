"""What the documentation site makes of Markdown and docstrings; all pages are in its navigation."""

import re
from pathlib import Path

from tools.docs_text import apart, fenced, with_gaps

ROOT = Path(__file__).parents[2]


def test_examples_are_fenced():
    text = "One.\n\n    >>> 1 + 1\n    2\n\nTwo.\n\n>>> 3\n3"
    assert fenced(text).split("\n") == [
        *("One.", "", "    ```pycon", "    >>> 1 + 1", "    2", "    ```", "", "Two.", ""),
        *("```pycon", ">>> 3", "3", "```"),
    ]


def test_names_that_share_a_description_get_it_each():
    assert apart("Args:\n    x, y: samples,\n        and labels.\n    z: more.").split("\n") == [
        *("Args:", "    x: samples,", "        and labels."),
        *("    y: samples,", "        and labels.", "    z: more."),
    ]


def test_a_list_is_parted_from_what_stands_above():
    lines = ["Some:", "- one", "  more", "- two", "", "Others:", "```", "a", "- b", "```"]
    assert with_gaps(lines) == ["Some:", "", *lines[1:]]


def test_every_document_has_its_place_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.md")]
    assert [page for page in pages if not re.search(rf"[ -]{page}$", navigation, re.M)] == []
