"""The list of mutations: each still has its place, and its tests are there."""

import ast
import importlib.util
import sys
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


def test_each_names_tests_that_there_are_or_says_why_none_can():
    for one in ALL:
        assert one.tests or len(one.equivalent) > 20, str(one)
        for test in one.tests:
            path, _, name = test.partition("::")
            assert (ROOT / path).exists(), f"{one}: {path}"
            if name:
                tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
                names = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
                assert name in names, f"{one}: {test}"


def test_a_change_is_made_in_a_copy_and_only_where_its_text_is_once(tmp_path):
    (tmp_path / "a.c").write_text("one two two")
    once = mutate.Mutation("a.c", "one", "three", ("t",), "")
    mutate.apply(once, tmp_path)
    assert (tmp_path / "a.c").read_text() == "three two two"
    for old in ("two", "four"):
        with pytest.raises(ValueError, match=r"a\.c has [02] times"):
            mutate.apply(mutate.Mutation("a.c", old, "x", ("t",), ""), tmp_path)


def test_a_mutation_is_found_where_a_test_fails(tmp_path):
    (tmp_path / "a.py").write_text("VALUE = 1\n")
    (tmp_path / "test_a.py").write_text("import a\n\ndef test_a():\n    assert a.VALUE == 1\n")
    found = mutate.Mutation("a.py", "VALUE = 1", "VALUE = 2", ("test_a.py",), "")
    lives = mutate.Mutation("a.py", "VALUE = 1", "VALUE = 1.0", ("test_a.py",), "")
    assert mutate.is_found(found, tmp_path)
    assert not mutate.is_found(lives, tmp_path)
    assert (tmp_path / "a.py").read_text() == "VALUE = 1\n"
