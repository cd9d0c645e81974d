"""Docstrings of the package: how they begin, what functions raise, which shapes arrays have."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.support.of_each import of_each

PACKAGE = Path(__file__).parents[1] / "tpsgd_edge"
SOURCES = sorted(PACKAGE.rglob("*.py"))
# A docstring begins with a verb or a noun.
OPENING = re.compile(
    r"(What|Of|Which|Whether|Where|How|When|Who|Whose|As|At|By|For|From|If|In|It|Not|So|Such|That"
    r"|Those|To|With)\b"
)
ARRAY = re.compile(r"NDArray|Tensor|ndarray|\b(Array|Real|Integers|Int64|F32)\b")
# (n, n_out), shape, shapes, scalar: in whatever words, the shape is said.
SHAPE = re.compile(r"\([\w* +]+,[\w* +,.]*\)|\bshapes?\b|\bscalar\b|\brows? of\b", re.IGNORECASE)
RAISES = re.compile(r"\bRaises:|\w+Error\b|\bBadParameter\b")
# The protocol says it.
ELSEWHERE = re.compile(r"See \w+\.$")
Function = ast.FunctionDef


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def documented(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Everything with a docstring, and the docstring."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            docstring = ast.get_docstring(node)
            if docstring:
                yield getattr(node, "name", "the module"), docstring


def public(tree: ast.Module) -> Iterator[tuple[Function, str]]:
    """Public functions and methods, with their docstrings."""
    for owner in (tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))):
        if getattr(owner, "name", "").startswith("_"):
            continue
        for node in owner.body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                yield node, ast.get_docstring(node) or ""


def raised(function: Function) -> list[str]:
    """What a function raises itself; not what functions inside of it raise, or it raises again."""
    found, nodes = [], list(ast.iter_child_nodes(function))
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(node, ast.Raise) and node.exc is not None:
            found.append(ast.unparse(node.exc))
        nodes.extend(ast.iter_child_nodes(node))
    return found


def takes_arrays(function: Function) -> bool:
    arguments = (*function.args.args, *function.args.kwonlyargs)
    annotations = [*(argument.annotation for argument in arguments), function.returns]
    return any(ARRAY.search(ast.unparse(one)) for one in annotations if one is not None)


@of_each(SOURCES, name_of)
def test_docstrings_begin_with_a_verb_or_a_noun(path: Path) -> None:
    found = [(name, text) for name, text in documented(parse(path)) if OPENING.match(text)]
    assert not found


@of_each(SOURCES, name_of)
def test_functions_say_what_they_raise(path: Path) -> None:
    silent = [
        function.name
        for function, docstring in public(parse(path))
        if raised(function) and not (RAISES.search(docstring) or ELSEWHERE.match(docstring))
    ]
    assert not silent, f"no Raises in {silent}"


@of_each(SOURCES, name_of)
def test_functions_say_the_shapes_of_arrays(path: Path) -> None:
    silent = [
        function.name
        for function, docstring in public(parse(path))
        if takes_arrays(function) and not (SHAPE.search(docstring) or ELSEWHERE.match(docstring))
    ]
    assert not silent, f"no shape in {silent}"


def test_the_tests_find_what_they_look_for() -> None:
    tree = ast.parse(
        'def f(x: NDArray) -> None:\n    """What f does."""\n    raise ValueError(x)\n'
        'def g(x: NDArray) -> None:\n    """Do x (n,).\n\n    Raises:\n        ValueError:."""\n'
        "    raise ValueError(x)\n"
    )
    (f, text_f), (g, text_g) = public(tree)
    assert [OPENING.match(text) is None for text in (text_f, text_g)] == [False, True]
    assert raised(f) == raised(g) == ["ValueError(x)"]
    assert [RAISES.search(text) is None for text in (text_f, text_g)] == [True, False]
    assert takes_arrays(f)
    assert [SHAPE.search(text) is None for text in (text_f, text_g)] == [True, False]
