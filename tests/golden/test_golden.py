"""Generated projects as a person would read them: each change shows in a diff and is typed in."""

import difflib
import shutil
from collections.abc import Mapping

import pytest

from tests.golden.projects import FOLDER, NAMES, golden_project, prepared, stored_files
from tests.random.running import PLAIN, host_binary, written
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.reference import trace
from tpsgd_edge.toolchain.folder import write_scratch
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import open_device
from tpsgd_edge.verdict import compare

_MOST_LINES = 120


def difference(stored: Mapping[str, str], rendered: Mapping[str, str]) -> str:
    """What changed, as a unified diff; empty where nothing did."""
    lines: list[str] = []
    for path in sorted(set(stored) | set(rendered)):
        before, after = stored.get(path), rendered.get(path)
        if before != after:
            lines += difflib.unified_diff(
                _lines(before),
                _lines(after),
                path if before is not None else "(no such file)",
                path if after is not None else "(no such file)",
                lineterm="",
                n=2,
            )
    if len(lines) > _MOST_LINES:
        lines[_MOST_LINES:] = [f"... and {len(lines) - _MOST_LINES} lines more"]
    return "\n".join(lines)


def _lines(text: str | None) -> list[str]:
    """Lines with a last empty one, which tells whether the text ends with a line end."""
    return [] if text is None else text.split("\n")


@pytest.mark.parametrize("name", NAMES)
def test_golden(name, update_golden):
    rendered = golden_project(name).files
    if update_golden:
        # A merge of two changes leaves files that no manifest knows.
        shutil.rmtree(FOLDER / name)
        write_scratch(rendered, FOLDER / name)
    if found := difference(stored_files(name), rendered):
        hint = "if this is meant: python -m pytest tests/golden --update-golden"
        pytest.fail(f"{found}\n\n{hint}", pytrace=False)


@pytest.mark.parametrize("name", NAMES)
def test_golden_code_trains_as_the_reference_does(name):
    ready, project = prepared(name), golden_project(name)
    model = ready.model
    x = quantize_inputs(model, ready.dataset.x_train)
    labels = quantize_labels(model, ready.dataset.y_train)
    with written(project) as folder:
        binary = host_binary(project, folder, PLAIN)
        with open_device(binary, interface_of(model)) as device:
            assert device.selftest()
            verdict = compare(trace(model, x, labels), device.trace(x, labels))
    assert verdict.verdict == "equal", verdict.describe()


def test_a_difference_is_readable():
    stored = {"a.c": "int a;\nint b;\n", "old.c": "int old;\n", "same.c": "int same;\n"}
    rendered = {"a.c": "int a;\nint c;\n", "new.c": "int new;\n", "same.c": "int same;\n"}
    assert difference(stored, rendered).splitlines() == [
        "--- a.c",
        "+++ a.c",
        "@@ -1,3 +1,3 @@",
        " int a;",
        "-int b;",
        "+int c;",
        " ",
        "--- (no such file)",
        "+++ new.c",
        "@@ -0,0 +1,2 @@",
        "+int new;",
        "+",
        "--- old.c",
        "+++ (no such file)",
        "@@ -1,2 +0,0 @@",
        "-int old;",
        "-",
    ]
    assert difference(stored, stored) == ""


def test_a_long_difference_is_cut():
    assert difference({"a": "x\n" * 500}, {}).endswith("x\n... and 384 lines more")


def test_a_missing_line_end_is_a_difference():
    assert difference({"a.c": "int a;"}, {"a.c": "int a;\n"}) != ""
