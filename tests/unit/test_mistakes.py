"""Mistakes that people make with spec, data, labels and options, and what each of them is told.

Each case makes its files, runs one command, and asks for the exit code, for words of the message,
and that nothing is left behind.
"""

import json
from pathlib import Path

import pytest

from tests.support.mistakes import MISTAKES, Mistake
from tpsgd_edge.cli import run


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(place: Path, mistake: Mistake) -> None:
    raw = mistake.spec.encode() if isinstance(mistake.spec, str) else mistake.spec
    (place / "mine.toml").write_bytes(raw)
    for name, content in mistake.files.items():
        if callable(content):
            content(place / name)
        else:
            raw = content.encode() if isinstance(content, str) else content
            (place / name).write_bytes(raw)


def everything(place: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() if p.is_file() else b"" for p in place.rglob("*")}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_met_with_words(
    place: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    mistake = MISTAKES[name]
    make(place, mistake)
    before = everything(place)
    code = run(mistake.command)
    out, err = capfd.readouterr()
    assert (code, out) == (mistake.code, ""), err
    for words in mistake.words:
        assert words in err
    assert ("help: " in err) == mistake.has_help, err
    assert "Traceback" not in err
    assert not any(ord(c) < 32 for c in err.replace("\n", ""))
    assert everything(place) == before


def test_there_are_many() -> None:
    assert len(MISTAKES) >= 45


def test_what_they_are_mistakes_of_is_right(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    make(place, Mistake(()))
    assert run(("simulate", "mine.toml", "--json")) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["labels"] == "3 classes (0, 1, 2) from column 5 'label'"
    assert document["notes"] == []
