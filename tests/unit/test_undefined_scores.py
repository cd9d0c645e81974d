"""Scores that are not defined: a dash for people, null for programs, and never a crash."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.results import report_result, simulate_result
from tpsgd_edge.cli import run
from tpsgd_edge.cli.tables import show_simulate
from tpsgd_edge.reports.curve import CurvePoint
from tpsgd_edge.reports.html import write_html
from tpsgd_edge.toolchain.compilers import find_zig

SPEC = """
name = "flat"
[model]
layers = [{ name = "a", units = 4 }, { name = "o", units = 1 }]
[rule]
epochs = 2
[data]
file = "d.npz"
scaling = "standard"
"""
NAN = re.compile(r"(?<![a-z])nan(?![a-z])", re.IGNORECASE)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A regression whose only test sample has nothing to differ from."""
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).normal(size=(7, 3))
    np.savez(tmp_path / "d.npz", x=x, y=x[:, :1])
    (tmp_path / "s.toml").write_text(SPEC)
    return tmp_path


@pytest.mark.skipif(find_zig() is None, reason="zig is not installed")
@pytest.mark.parametrize(
    "command", ["simulate", "quantization", "report --markdown --out r.html", "report --out r.html"]
)
def test_commands_print_dashes(
    place: Path, capfd: pytest.CaptureFixture[str], command: str
) -> None:
    verb, *options = command.split()
    assert run((verb, "s.toml", *options)) == 0
    out, err = capfd.readouterr()
    page = (place / "r.html").read_text() if options else ""
    # Letters in code that is written in base64 mean nothing.
    page = re.sub(r"[A-Za-z0-9+/=]{200,}", "", page)
    for text in (out, err, page):
        assert not NAN.search(text)
    assert "–" in out
    assert "note: the labels of the test set are all the same value, so R² is not defined" in err
    if "--markdown" not in options:
        assert run((verb, "s.toml", *options, "--json")) == 0
        document = json.loads(capfd.readouterr().out)
        assert document["metric"] == "r2"
        assert "R² is not defined" in document["notes"][0]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_no_curve_of_any_number_crashes(tmp_path: Path, value: float) -> None:
    curve = (CurvePoint(0, 0, value, value), CurvePoint(1, 9, 0.5, value), CurvePoint(2, 18, value))
    result = replace(
        simulate_result(),
        accuracy_before=value,
        accuracy_after=value,
        curve=curve,
        baselines={"hidden layers at random": value},
    )
    text = show_simulate(result)
    assert not NAN.search(text)
    assert "inf" not in text
    page = write_html(replace(report_result(), simulate=result), tmp_path / "r.html").read_text()
    assert not NAN.search(page)
    json.dumps(result.to_json(), allow_nan=False)
