"""Workflow, hooks before a commit, Makefile and package say the same."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def target(name: str) -> list[str]:
    """The commands of a target of the Makefile."""
    match = re.search(rf"^{name}:.*\n((?:\t.*\n)+)", text("Makefile"), re.MULTILINE)
    assert match is not None
    return [line.strip() for line in match[1].splitlines()]


def test_the_workflow_runs_each_python_that_the_package_names():
    named = re.findall(r"Python :: (3\.\d+)", text("pyproject.toml"))
    (matrix,) = re.findall(r"python: \[(.*)\]", text(".github/workflows/checks.yml"))
    assert re.findall(r'"(.*?)"', matrix) == named
    assert re.search(r'requires-python = ">=(.*)"', text("pyproject.toml"))[1] == named[0]


def test_the_workflow_runs_what_ci_runs():
    commands = re.findall(r"- run: (.*)", text(".github/workflows/checks.yml"))
    targets = [command.split()[1] for command in commands if command.startswith("make ")]
    assert all(target(name) for name in targets)
    assert {"lint", "docs"} <= set(targets)
    assert all(f"make {name}" in text(".ci/run") for name in ("lint", "docs", "test"))
    assert commands[-1].endswith(" .ci/run")


@pytest.mark.parametrize("tool", ["ruff check", "ruff format", "mypy", "clang-format"])
def test_the_hooks_before_a_commit_are_what_lint_does(tool):
    assert any(f"$(BIN)/{tool}" in command for command in target("lint"))
    assert re.search(rf"entry: \.venv/bin/{tool}\b", text(".pre-commit-config.yaml"))
    assert len(re.findall("entry:", text(".pre-commit-config.yaml"))) == len(target("lint"))


CLOCKS = {"monotonic", "perf_counter", "process_time", "time", "time_ns", "monotonic_ns"}


def reads_a_clock(node: ast.AST) -> bool:
    """Whether a clock is read somewhere in an expression."""
    return any(
        isinstance(part, ast.Call)
        and isinstance(part.func, ast.Attribute)
        and isinstance(part.func.value, ast.Name)
        and (part.func.value.id, part.func.attr) in {("time", clock) for clock in CLOCKS}
        for part in ast.walk(node)
    )


def test_no_test_asserts_a_time():
    """A machine that does something else besides is no fault of the code."""
    asserted = [
        f"{path.name}, line {node.lineno}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assert) and reads_a_clock(node.test)
    ]
    assert not asserted


def test_a_test_that_asserts_a_time_would_be_found():
    for text in ("assert time.monotonic() - start < 20", "assert 3 > time.time()"):
        assert reads_a_clock(ast.parse(text))
    assert not reads_a_clock(ast.parse("assert timer.time() == seconds"))


def test_packages_of_an_extra_have_exact_versions():
    pinned = set(re.findall(r"^([\w-]+)==", text("constraints.txt"), re.MULTILINE))
    extras = re.search(
        r"\[project.optional-dependencies\]\n(.*?)\n\n", text("pyproject.toml"), re.S
    )
    names = re.findall(r'"([\w-]+)(?:\[\w+\])?>=', extras[1])
    assert len(names) > 10
    assert [name for name in names if name.lower() not in pinned] == []
