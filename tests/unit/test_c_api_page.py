"""docs/C_API.md: it names whatever generated headers offer, and nothing else."""

import re

import pytest

from tests.support.documents import DOCS

ROOT = DOCS.parent
PAGE = (DOCS / "C_API.md").read_text(encoding="utf-8")
TEMPLATES = sorted((ROOT / "codegen_templates").glob("model*.h.j2"))
HEADERS = "\n".join(path.read_text(encoding="utf-8") for path in TEMPLATES)
GOLDEN = sorted((ROOT / "tests/golden").glob("*/*.h"))
SHARED = [ROOT / "firmware/runtime" / f"tps_{name}.h" for name in ("status", "storage", "line")]


def named(pattern: str) -> set[str]:
    """What stands behind NAME_ on the page, where the rest of the pattern fits."""
    return set(re.findall(rf"\bNAME_{pattern}", PAGE))


def offered(pattern: str) -> set[str]:
    """What stands behind a model's name in the headers' templates."""
    return set(re.findall(rf"\{{\{{ [mc]\.(?:name|upper) \}}\}}_{pattern}", HEADERS))


FUNCTION = r"([a-z]\w*)(?=\()"
MACRO = r"([A-Z][A-Z_]*[A-Z])\b"
GUARD = re.compile(r"(?:\w+_)?H")


def test_each_function_has_its_place():
    assert len(offered(FUNCTION)) > 60
    # Where only the one with a work is spelled out, its row names the other as well.
    assert sorted(offered(FUNCTION) - named(FUNCTION)) == []


def test_no_function_is_made_up():
    assert sorted(named(FUNCTION) - offered(FUNCTION)) == []


def test_macros_are_those_of_the_headers():
    macros = {name for name in offered(MACRO) if not GUARD.fullmatch(name)}
    assert len(macros) > 20
    assert sorted(macros ^ named(MACRO)) == []


@pytest.mark.parametrize("path", SHARED, ids=lambda path: path.name)
def test_each_status_is_explained(path):
    statuses = re.findall(r"^    (TPS_\w+) = \d+,", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(statuses) >= 5
    assert [status for status in statuses if f"`{status}`" not in PAGE] == []


@pytest.mark.parametrize("name", ["petals", "plane"])
def test_a_project_offers_no_function_that_the_page_lacks(name):
    headers = [path for path in GOLDEN if path.name in (f"{name}.h", f"{name}_raw.h")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in headers)
    functions = set(re.findall(rf"\b{name}_([a-z_]+)\(", text))
    assert len(headers) == 2
    assert len(functions) > 15
    assert sorted(functions - named(FUNCTION)) == []
