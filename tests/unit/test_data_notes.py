"""Every command says what it took the labels for, and what is odd about the data."""

import json
from pathlib import Path

import numpy as np
import pytest

from tpsgd_edge.cli import run
from tpsgd_edge.toolchain.compilers import find_zig

SPEC = """
name = "mine"
[model]
layers = [{ name = "fc1", units = 4 }, { name = "out", units = 2 }]
[model.pretrain]
epochs = 1
[rule]
epochs = 1
[data]
file = "d.csv"
"""
LABELS = "2 classes (left, ri\\x1bght) from column 4 'move'"
NOTE = "'d.csv': column 1 has no name (0 to 199), so it is taken for an index and left out"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(2).normal(size=(200, 2))
    x[1::2] += 4
    moves = ("left", "ri\x1bght")
    rows = (f"{i},{a:.3f},{b:.3f},{moves[i % 2]}" for i, (a, b) in enumerate(x))
    (tmp_path / "d.csv").write_text("\n".join([",a,b,move", *rows]))
    (tmp_path / "s.toml").write_text(SPEC)
    return tmp_path


COMMANDS = {
    "build": "build s.toml --no-compile --out made",
    "verify": "verify s.toml --steps 9",
    "simulate": "simulate s.toml",
    "quantization": "quantization s.toml",
    "report": "report s.toml --steps 9 --out r.html",
    "adapt": "adapt s.toml --rates 0.01",
    "compare": "compare s.toml --seeds 1 --epochs 1 --rules tpsgd --jobs 1 --out c.sqlite",
}


@pytest.mark.skipif(find_zig() is None, reason="zig is not installed")
@pytest.mark.series(1)
@pytest.mark.parametrize("name", COMMANDS)
def test_text_and_documents_say_it(
    place: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    command = COMMANDS[name].split()
    if name in ("adapt", "compare"):
        pytest.importorskip("torch")
    assert run(command) == 0
    out, err = capfd.readouterr()
    assert out.startswith(f"labels: {LABELS}\n")
    assert f"note: {NOTE}" in err
    assert "\x1b" not in err
    assert run([*command, "--json"]) == 0
    out, err = capfd.readouterr()
    document = json.loads(out)
    assert err == ""
    assert document["labels"] == LABELS
    assert document["notes"][0].startswith(NOTE)


@pytest.mark.slow
@pytest.mark.skipif(find_zig() is None, reason="zig is not installed")
def test_the_page_says_it_and_markdown_stays_markdown(
    place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(("report", "s.toml", "--steps", "9", "--out", "r.html", "--markdown")) == 0
    out, err = capfd.readouterr()
    assert out.startswith("## mine on host\n")
    assert f"note: {NOTE}" in err
    page = (place / "r.html").read_text()
    assert LABELS.replace("'", "&#39;") in page
    assert "is taken for an index and left out" in page


def test_an_exported_net_says_it(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnx")
    assert run(("simulate", "s.toml", "--weights-out", "w.bin")) == 0
    capfd.readouterr()
    assert run(("export", "s.toml", "--weights", "w.bin")) == 0
    out, err = capfd.readouterr()
    assert out.startswith(f"labels: {LABELS}\n")
    assert f"note: {NOTE}" in err
