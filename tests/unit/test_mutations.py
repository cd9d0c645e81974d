"""The list of mutations: each still has its place, and its tests are there."""

import ast
import importlib.util
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def load():
    spec = importlib.util.spec_from_file_location("mutate", ROOT / "tools" / "mutate.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutate"] = module
    spec.loader.exec_module(module)
    return module


mutate = load()
ALL = mutate.mutations()


def test_there_are_as_many_as_promised():
    assert sum(not one.equivalent for one in ALL) >= 150
    assert len({(one.path, one.old, one.new) for one in ALL}) == len(ALL)


@pytest.mark.parametrize("path", sorted({one.path for one in ALL}))
def test_each_has_its_place_exactly_once(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    for one in ALL:
        if one.path == path:
            assert text.count(one.old) == 1, f"{path} has {text.count(one.old)} times {one.old!r}"
            assert one.old != one.new


@cache
def _functions(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_each_names_tests_that_there_are_or_says_why_none_can():
    for one in ALL:
        assert one.tests or len(one.equivalent) > 20, str(one)
        for test in one.tests:
            path, _, name = test.partition("[")[0].partition("::")
            assert (ROOT / path).exists(), f"{one}: {path}"
            if name:
                assert name in _functions(ROOT / path), f"{one}: {test}"


def test_a_change_is_made_in_a_copy_and_only_where_its_text_is_once(tmp_path):
    (tmp_path / "a.c").write_text("one two two")
    once = mutate.Mutation("a.c", "one", "three", ("t",), "")
    mutate.apply(once, tmp_path)
    assert (tmp_path / "a.c").read_text() == "three two two"
    for old in ("two", "four"):
        with pytest.raises(ValueError, match=r"a\.c has [02] times"):
            mutate.apply(mutate.Mutation("a.c", old, "x", ("t",), ""), tmp_path)


def _small_checkout(folder):
    (folder / "a.py").write_text("VALUE = 1\n")
    (folder / "test_a.py").write_text("import a\n\ndef test_a():\n    assert a.VALUE == 1\n")


@pytest.mark.series(2)
@pytest.mark.parametrize(
    ("old", "new", "tests", "outcome"),
    [
        ("VALUE = 1", "VALUE = 2", "test_a.py", "found"),
        ("VALUE = 1", "VALUE = 1.0", "test_a.py", "lives"),
        ("VALUE = 1", "VALUE =", "test_a.py::test_a", "found"),  # pytest: no such test
        ("VALUE = 1", "VALUE = 2", "test_a.py::test_b", "mistake"),
        ("VALUE = 1", "VALUE = 2", "a.py", "mistake"),  # no test there
        ("VALUE = 3", "VALUE = 2", "test_a.py", "mistake"),  # no such text
    ],
)
def test_a_mutation_is_found_where_a_test_fails(tmp_path, old, new, tests, outcome):
    _small_checkout(tmp_path)
    assert mutate.outcome(mutate.Mutation("a.py", old, new, (tests,), ""), tmp_path) == outcome
    assert (tmp_path / "a.py").read_text() == "VALUE = 1\n"


def test_a_run_that_was_stopped_goes_on_from_its_log(tmp_path, monkeypatch, capsys):
    one, two, three = (mutate.Mutation("a.py", "1", new, ("t",), "") for new in "234")
    log = mutate.Log(tmp_path / "log")
    log.add(one, mutate.FOUND, 1.5)
    log.add(two, mutate.LIVES, 0.5)
    assert log.found() == {one.key}
    assert mutate.Log(tmp_path / "none").found() == mutate.Log(None).found() == set()
    ran = []

    def outcomes(chosen, jobs):
        ran.extend(chosen)
        return ((mutation, mutate.FOUND, 1.0) for mutation in chosen)

    monkeypatch.setattr(mutate, "outcomes", outcomes)
    assert mutate.run([one, two, three], 1, log, log.found()) == 0
    assert ran == [two, three]
    assert log.found() == {one.key, two.key, three.key}
    assert "score 100.0 %: 3 of 3 found" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("lives", "mistakes", "code"), [(0, 0, 0), (1, 0, 0), (2, 0, 1), (0, 1, 1)]
)
def test_a_low_score_and_a_wrong_list_end_with_1(monkeypatch, lives, mistakes, code):
    all_outcomes = [mutate.LIVES] * lives + [mutate.MISTAKE] * mistakes
    all_outcomes += [mutate.FOUND] * (20 - len(all_outcomes))
    chosen = [mutate.Mutation("a.py", "1", str(i), ("t",), "") for i in range(20)]
    monkeypatch.setattr(
        mutate,
        "outcomes",
        lambda chosen, jobs: ((*pair, 1.0) for pair in zip(chosen, all_outcomes, strict=True)),
    )
    assert mutate.run(chosen, 1, mutate.Log(None), set()) == code
