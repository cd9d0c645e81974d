"""docs/ARITHMETIC.md, section 1: each letter of a formula is in the table of symbols, once."""

import re
from collections import Counter

from tests.support.documents import DOCS

TEXT = (DOCS / "ARITHMETIC.md").read_text(encoding="utf-8")
TABLE = TEXT.partition("### Symbols")[2].partition("## 2. Formats")[0]
SYMBOLS = Counter(
    name.strip(" '*`")
    for row in re.findall(r"^\| ([^|]+) \|", TABLE, re.MULTILINE)
    for name in row.split(",")
    if not name.strip().endswith("'")
)
# Blocks of formulas, without the words that stand beside them.
FORMULAS = re.findall(r"^ {4}\S.*$", TEXT, re.MULTILINE)
# A letter, or two, with or without a subscript; not behind or before other letters or digits.
SHORT = re.compile(r"(?<![\w.])([A-Za-z]{1,2})(?:_[a-z]{1,2})?(?![\w'])")
# English words that stand in formulas.
WORDS = {"as", "at", "be", "by", "if", "in", "is", "it", "ln", "no", "of", "on", "or", "so", "to"}


def test_no_symbol_has_two_rows() -> None:
    assert len(SYMBOLS) > 80
    assert [name for name, count in SYMBOLS.items() if count > 1] == []


def test_each_short_name_in_a_formula_is_a_symbol() -> None:
    found = {name for line in FORMULAS for name in SHORT.findall(line)}
    assert {"w", "wb", "us", "gx"} <= found
    assert sorted(found - set(SYMBOLS) - WORDS) == []
