"""The version, the sections of the CHANGELOG and the versions that keys name agree."""

import re
from datetime import date
from pathlib import Path

from tpsgd_edge import __version__
from tpsgd_edge.spec.aliases import ALIASES
from tpsgd_edge.spec.keys import all_keys

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"
_SECTION = re.compile(r"^## \[(?P<name>[^]]+)\](?: - (?P<date>\S+))?$", re.MULTILINE)
_NAME = re.compile(r"(\d+)\.(\d+)\.(\d+)(\.dev0)?")


def parts(version: str) -> tuple[int, ...]:
    """Major, minor and patch number."""
    match = _NAME.fullmatch(version)
    assert match is not None, f"{version} does not look like 0.2.0"
    return tuple(int(part) for part in match.groups()[:3])


def sections() -> list[tuple[str, str | None]]:
    """Name and date of each section, the newest first."""
    return [(m["name"], m["date"]) for m in _SECTION.finditer(CHANGELOG.read_text("utf-8"))]


def test_the_newest_section_is_the_unreleased_one_and_has_no_date():
    names = [name for name, _ in sections()]
    assert names[0] == "Unreleased"
    assert sections()[0][1] is None
    assert names.count("Unreleased") == 1


def test_each_release_has_a_date_and_is_older_than_the_one_above():
    released = [(parts(name), date.fromisoformat(day)) for name, day in sections()[1:]]
    assert released
    assert released == sorted(released, reverse=True)


def test_the_version_is_the_newest_release_or_comes_after_it():
    newest = sections()[1][0]
    is_released = __version__ == newest
    assert is_released or (parts(__version__) > parts(newest) and __version__.endswith(".dev0"))


def test_keys_and_aliases_name_versions_that_are_there():
    known = {parts(name) for name, _ in sections()[1:]} | {parts(__version__)}
    named = {key.since for key in all_keys()} | {alias.since for alias in ALIASES}
    assert {parts(version) for version in named} <= known
