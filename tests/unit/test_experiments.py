"""tools/experiments.py: results stay, are made once, and whole files take each other's place."""

import json
from pathlib import Path

import pytest

from tools.experiments import Results, results_parser


def never() -> float:
    raise AssertionError("made again")


def test_a_result_is_made_once_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / "r.json"
    results = Results(path, may_train=True)
    assert [results.get("b", lambda: 2.5), results.get("a", lambda: {"x": 1})] == [2.5, {"x": 1}]
    assert results.get("b", never) == 2.5
    assert Results(path, may_train=True).get("b", never) == 2.5
    assert path.read_text() == '{\n "a": {\n  "x": 1\n },\n "b": 2.5\n}\n'
    assert capsys.readouterr() == ("", "b: 2.5\na: {'x': 1}\n")
    assert [*path.parent.iterdir()] == [path]


def test_nothing_is_made_that_is_only_to_be_printed(tmp_path: Path) -> None:
    results = Results(tmp_path / "r.json", may_train=False)
    assert results.get("a", never) is None
    assert not results.path.exists()


def test_what_was_there_stays_where_a_run_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps({"old": 1}))
    with pytest.raises(AssertionError, match="made again"):
        Results(path, may_train=True).get("new", never)
    assert json.loads(path.read_text()) == {"old": 1}


def test_the_parser_has_the_first_line_of_a_docstring() -> None:
    parser = results_parser("Tables.\n\n    more")
    assert parser.description == "Tables."
    asked = parser.parse_args(["r.json", "--print"])
    assert (asked.results, asked.only_print) == (Path("r.json"), True)
