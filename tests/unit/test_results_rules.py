"""tools/results_rules.py: the grid of networks and rules, in small."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tools import results_rates, results_rules
from tpsgd_edge.comparison import compare
from tpsgd_edge.comparison.runs import TITLES
from tpsgd_edge.errors import ToolError
from tpsgd_edge.spec import load_spec
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.platforms import load_platform


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["results_rules.py", *arguments])
    results_rules.main()


def test_each_network_of_the_grid_has_a_name_and_a_spec(tmp_path: Path) -> None:
    nets = list(results_rules.grid(tmp_path))
    assert len({net.key for net in nets}) == len(nets)
    assert {net.part for net in nets} <= set(results_rules.PARTS)
    for net in nets:
        load_spec(results_rules.EXAMPLES / f"{net.example}.toml", list(net.settings))
    widths = [net.title for net in nets if net.part == "MNIST"]
    assert widths[:4] == ["1 x 16", "1 x 64", "1 x 256", "2 x 16"]


@pytest.mark.slow
def test_a_small_net_by_all_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    results = tmp_path / "rules.json"
    arguments = [str(results), "--smoke", "--runs", str(tmp_path)]
    run(monkeypatch, *arguments)
    told = capsys.readouterr().out
    (document,) = json.loads(results.read_text()).values()
    assert [rule["rule"] for rule in document["rules"]] == list(TITLES)
    share = next(rule["mean"] for rule in document["rules"] if rule["rule"] == "backprop")
    assert f"| smoke | {100 * document['rules'][0]['mean']:.1f} | {100 * share:.1f} |" in told
    # Nothing is trained twice, and the tables are the same.
    monkeypatch.setattr(compare, "_execute", None)
    run(monkeypatch, *arguments)
    assert capsys.readouterr().out == told
    run(monkeypatch, *arguments, "--print")
    assert capsys.readouterr().out in told


@pytest.mark.slow
def test_learning_rates_of_a_small_net(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        find_compiler(load_platform("host"))
    except ToolError as error:
        pytest.skip(str(error))
    net = next(iter(results_rates.nets(None)))
    assert (net.part, net.title) == ("digits", "1 x 16")
    monkeypatch.setattr(results_rates, "nets", lambda mnist: [replace(net, epochs=1)])
    monkeypatch.setattr(results_rates, "SEEDS", (1,))
    monkeypatch.setattr(sys, "argv", ["results_rates.py"])
    results_rates.main()
    _, _, s16, s8 = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"\| s16 \| digits \| 1 x 16 \|( \d\d\.\d \|){4}", s16)
    assert re.fullmatch(r"\| s8 \| digits \| 1 x 16 \|( \d\d\.\d \|){4}", s8)
