"""The scripts in tools/: each starts, and does its work on something small."""

import json
import re
import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.documents import results_pages
from tools import (
    bench_host,
    bench_start,
    check_ram,
    conv_in_torch,
    platform_table,
    plot_layers,
    results_conv,
    results_dense,
    results_examples,
    results_readouts,
    results_rnn,
)
from tpsgd_edge.errors import ToolError
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.spec import load_spec
from tpsgd_edge.stages import prepare
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.open_device import find_emulator
from tpsgd_edge.toolchain.platforms import load_platform
from tpsgd_edge.toolchain.sizes import Ram

ROOT = Path(__file__).parent.parent.parent
SCRIPTS = sorted(path.name for path in (ROOT / "tools").glob("*.py"))
# One takes no arguments, others are modules of the others.
# Others import these, or the documentation site does.
NO_HELP = (
    "conv_in_torch.py",
    "experiments.py",
    "make_digits.py",
    "of_seeds.py",
    "open_data.py",
    "docs_docstrings.py",
    "docs_hooks.py",
    "docs_text.py",
)
DIGITS = ROOT / "examples" / "digits.toml"
DENSE = ROOT / "docs" / "results" / "dense.json"
CONV = ROOT / "docs" / "results" / "conv.json"
RNN = ROOT / "docs" / "results" / "rnn.json"
READOUTS = ROOT / "docs" / "results" / "readouts.json"


@pytest.fixture
def host_compiler() -> None:
    try:
        find_compiler(load_platform("host"))
    except ToolError as error:
        pytest.skip(str(error))


@pytest.mark.series(2)
@pytest.mark.parametrize("script", [name for name in SCRIPTS if name not in NO_HELP])
def test_help(
    script: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [script, "--help"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_path(str(ROOT / "tools" / script), run_name="__main__")
    assert capsys.readouterr().out.startswith(f"usage: {script}")


def test_a_script_starts_where_only_the_package_is_known(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "results_dense.py"), "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith("usage: results_dense.py")


def test_start_times_are_ratios_to_the_libraries() -> None:
    rows = [("libraries alone", 0.5, 0.25), ("tpsgd-edge --help", 0.1, 0.05)]
    assert bench_start.table(rows).splitlines()[2:] == [
        "| libraries alone | 0.50 | 0.25 | 1.0 |",
        "| tpsgd-edge --help | 0.10 | 0.05 | 0.2 |",
    ]


class TestDense:
    run = results_dense.Run(64, "s16", "tpsgd", 0.0)

    def table(self, path: Path, accuracies: dict[float, float]) -> results_dense.Table:
        """Results of trials by learning rate, and nothing else."""
        results = {
            trial.key: {"accuracy": accuracy, "samples_per_second": 1.0}
            for rate, accuracy in accuracies.items()
            for trial in self.run.trials(rate)
        }
        path.write_text(json.dumps(results))
        return results_dense.Table(path, may_train=False)

    def test_the_best_held_out_rate_is_chosen(self, tmp_path: Path) -> None:
        table = self.table(tmp_path / "r.json", {0.001: 0.7, 0.003: 0.9, 0.01: 0.8})
        assert table.tuned(self.run).rate == 0.003

    def test_nothing_is_trained_that_is_not_asked_for(self, tmp_path: Path) -> None:
        table = self.table(tmp_path / "r.json", {})
        assert table.result(self.run) is None
        assert "| 784-64-10 |" not in "\n".join(results_dense.accuracy_table(table))

    def test_what_is_there_is_not_trained_again(self, tmp_path: Path) -> None:
        self.table(tmp_path / "r.json", {0.003: 0.9})
        table = results_dense.Table(tmp_path / "r.json", may_train=True)
        assert table.result(self.run.trials(0.003)[0]) == {
            "accuracy": 0.9,
            "samples_per_second": 1.0,
        }

    def test_runs_differ_in_their_keys(self) -> None:
        rows = [run for _, _, run in results_dense.accuracy_rows()]
        keys = {run.key for run in rows} | {replace(run, seed=2).key for run in rows}
        assert len(keys) == 2 * len(rows)

    @pytest.mark.slow
    @pytest.mark.parametrize("rule", ["tpsgd", "random", "torch tpsgd", "torch backprop"])
    def test_one_run(self, rule: str, monkeypatch: pytest.MonkeyPatch, host_compiler: None) -> None:
        if rule.startswith("torch"):
            pytest.importorskip("torch")
        rng = np.random.default_rng(1)
        y = np.arange(400) % 10
        x = np.repeat(np.eye(10), 78, axis=1)[y] + 0.1 * rng.random((400, 780))
        x = np.hstack([x, np.zeros((400, 4))])
        run = results_dense.Run(8, "s16", rule, 0.1, epochs=8)
        data = dataset_from_arrays(results_dense.spec_of(run), x, y)
        monkeypatch.setattr(results_dense, "_whole_data", lambda seed: data)
        result = results_dense.execute(run)
        assert result["accuracy"] > 0.5
        assert result["samples_per_second"] > 0

    def test_the_tables_in_the_documentation_are_those_of_the_results(self) -> None:
        text = results_pages()
        table = results_dense.Table(DENSE, may_train=False)
        for name in ("accuracy", "losses", "projections", "rates"):
            assert "\n".join(results_dense.TABLES[name](table)) in text, name


class TestConv:
    run = results_conv.Run("fashion_cnn", "tpsgd")
    row = results_conv.Row("about", run, ((0.1, 0.2), (0.3, 0.4)), (1, 2))

    def table(self, path: Path, accuracies: list[float]) -> results_conv.Table:
        """Results of the trials of two rates by two seeds, and nothing else."""
        trials = [
            replace(run, rates=r, held_out=True) for r in self.row.tries for run in self.row.trials
        ]
        results = {run.key: {"accuracy": a} for run, a in zip(trials, accuracies, strict=True)}
        path.write_text(json.dumps(results))
        return results_conv.Table(path, may_train=False)

    def test_the_best_held_out_rates_are_chosen(self, tmp_path: Path) -> None:
        table = self.table(tmp_path / "r.json", [0.9, 0.5, 0.8, 0.8])
        assert table.tuned(self.row).rates == (0.3, 0.4)

    def test_nothing_is_trained_that_is_not_asked_for(self, tmp_path: Path) -> None:
        table = self.table(tmp_path / "r.json", [0.9, 0.5, 0.8, 0.8])
        assert table.result(self.run) is None
        assert len(list(results_conv.table_of([self.row], table, seeds=(1,)))) == 2

    def test_runs_differ_in_their_keys(self) -> None:
        rows = [*results_conv.CNN_ROWS, *results_conv.HAR_ROWS, *results_conv.depth_rows()]
        keys = {row.run.key for row in rows} | {replace(row.run, seed=2).key for row in rows}
        assert len(keys) == 2 * len(rows)

    def test_convolutions_have_a_rate_of_their_own(self) -> None:
        run = results_conv.Run("vgg_small", "tpsgd", (0.5, 0.25))
        data = dataset_from_arrays(
            results_conv.spec_of(run), np.zeros((20, 28, 28)), np.arange(20) % 10
        )
        graph = conv_in_torch.build_graph(results_conv.spec_of(run), data)
        assert conv_in_torch._rates_of(graph, run.rates) == [*[0.5] * 6, 0.25, 0.25]

    @pytest.mark.slow
    @pytest.mark.parametrize("rule", ["tpsgd", "random", "backprop", "code", "code random"])
    def test_one_run(self, rule: str, monkeypatch: pytest.MonkeyPatch, host_compiler: None) -> None:
        if not rule.startswith("code"):
            pytest.importorskip("torch")
        rng = np.random.default_rng(1)
        y = np.arange(200) % 10
        x = np.kron(np.eye(10)[y].reshape(-1, 2, 5), np.ones((14, 5)))
        x = np.pad(x, ((0, 0), (0, 0), (1, 2))) + 0.1 * rng.random((200, 28, 28))
        rates = (0.001, 0.1) if rule.startswith("code") else (0.1, 0.3)
        run = results_conv.Run("fashion_cnn", rule, rates, weights="s16")
        data = dataset_from_arrays(results_conv.spec_of(run), x, y)
        monkeypatch.setattr(results_conv, "data_of", lambda run: data)
        assert results_conv.execute(run) > 0.5

    def test_the_tables_in_the_documentation_are_those_of_the_results(self) -> None:
        text = results_pages()
        table = results_conv.Table(CONV, may_train=False)
        for name, lines in results_conv.TABLES.items():
            assert "\n".join(lines(table)) in text, name

    def test_the_plot_shows_the_table(self, tmp_path: Path) -> None:
        points, levels = plot_layers.read_points(results_pages())
        assert list(points) == list(range(results_conv.CONVOLUTIONS + 1))
        assert list(levels) == ["backpropagation"]
        pytest.importorskip("matplotlib")
        plot_layers.draw(points, levels, tmp_path / "plot.png")
        assert (tmp_path / "plot.png").read_bytes()[:4] == b"\x89PNG"
        with pytest.raises(ValueError, match="no table of vgg_small"):
            plot_layers.read_points("text")


class TestRnn:
    rows = tuple(row for rows in results_rnn.ROWS.values() for row in rows)

    def table(self, path: Path, row: results_rnn.Row) -> results_rnn.Table:
        """Results of the trials of a row, its last rates the best, and nothing else."""
        trials = [replace(row.run, rates=rates, held_out=True) for rates in row.tries]
        results = {run.key: {"accuracy": 0.1 * (i + 1)} for i, run in enumerate(trials)}
        path.write_text(json.dumps(results))
        return results_rnn.Table(path, may_train=False)

    def test_the_best_held_out_rates_are_chosen(self, tmp_path: Path) -> None:
        for row in self.rows:
            assert self.table(tmp_path / "r.json", row).tuned(row).rates == row.tries[-1]

    def test_nothing_is_trained_that_is_not_asked_for(self, tmp_path: Path) -> None:
        table = self.table(tmp_path / "r.json", self.rows[0])
        assert len(list(results_rnn.table_of(self.rows, table))) == 2

    def test_the_lowest_stands_beside_the_mean(self, tmp_path: Path) -> None:
        row = self.rows[0]
        table = self.table(tmp_path / "r.json", row)
        run = table.tuned(row)
        for seed in results_rnn.SEEDS:
            table.results[replace(run, seed=seed).key] = {"accuracy": 0.5 + 0.1 * seed}
        cells = [cell.strip() for cell in [*results_rnn.table_of([row], table)][-1].split("|")]
        assert cells[5] == "60.00"
        assert cells[6].startswith("60.00, 70.00")

    def test_runs_differ_in_their_keys(self) -> None:
        keys = {row.run.key for row in self.rows}
        keys |= {replace(row.run, seed=2).key for row in self.rows}
        assert len(keys) == 2 * len(self.rows)

    @pytest.mark.parametrize("net", ["fashion_rows_rnn", "har_rnn"])
    def test_a_second_layer_goes_behind_the_first(self, net: str) -> None:
        one = results_rnn.spec_of(results_rnn.Run(net, 1, "code", (0.001, 0.01)))
        two = results_rnn.spec_of(results_rnn.Run(net, 2, "code", (0.001, 0.01)))
        first, second, last = two.model.layers
        assert (first, last) == one.model.layers
        assert second.kind == "rnn"

    def test_without_hapt_it_says_what_to_do(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr(results_rnn, "EXAMPLES", tmp_path)
        monkeypatch.setattr(sys, "argv", ["r", str(tmp_path / "r.json"), "--part", "har_rnn 1"])
        results_rnn.main()
        assert "no hapt_train.npz and hapt_test.npz: make them with tools/make_hapt.py" in (
            capsys.readouterr().err
        )
        assert not (tmp_path / "r.json").exists()

    @pytest.mark.slow
    @pytest.mark.parametrize("rule", ["backprop", "code", "code random"])
    def test_one_run(self, rule: str, monkeypatch: pytest.MonkeyPatch, host_compiler: None) -> None:
        if rule == "backprop":
            pytest.importorskip("torch")
        rng = np.random.default_rng(1)
        y = np.arange(300) % 10
        x = np.repeat(np.eye(10)[y][:, None], 28, axis=1).repeat(2, axis=2)
        x = np.pad(x, ((0, 0), (0, 0), (4, 4))) + 0.1 * rng.random((300, 28, 28))
        rates = (0.3, 0.3) if rule == "backprop" else (0.001, 0.01)
        run = results_rnn.Run("fashion_rows_rnn", 1, rule, rates, weights="s16")
        data = dataset_from_arrays(results_rnn.spec_of(run), x, y)
        monkeypatch.setattr(results_rnn, "data_of", lambda run: data)
        assert results_rnn.execute(run) > 0.5

    def test_the_tables_in_the_documentation_are_those_of_the_results(self) -> None:
        text = results_pages()
        table = results_rnn.Table(RNN, may_train=False)
        for name, rows in results_rnn.ROWS.items():
            assert "\n".join(results_rnn.table_of(rows, table)) in text, name


class TestReadouts:
    def test_runs_differ_in_their_keys_and_read_outs(self) -> None:
        every = list(results_readouts.runs())
        assert len({run.key for run in every}) == len(every) == 36
        kinds = {(run.learned, run.spec.projection.kind) for run in every}
        assert kinds == {(True, "learned"), (False, "hadamard"), (False, "fitted")}

    def test_the_table_in_the_documentation_is_that_of_the_results(self) -> None:
        results = json.loads(READOUTS.read_text(encoding="utf-8"))
        rows = list(results_readouts.table(results))
        assert len(rows) == 14
        assert "\n".join(rows) in results_pages()


class TestHost:
    @pytest.mark.slow
    def test_a_short_contest(self, capsys: pytest.CaptureFixture[str], host_compiler: None) -> None:
        prepared = prepare(load_spec(DIGITS, ["platform.name=host"]))
        bench_host.contest(prepared, 240, 2, None)
        said = capsys.readouterr().out
        assert re.search(r"^generated code, .*: [\d,]+ samples/s \(240 samples in", said)
        assert re.search(r"^numpy reference: [\d,]+ samples/s \(2 samples in", said, re.MULTILINE)

    @pytest.mark.slow
    def test_without_torch_it_says_so(
        self,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        host_compiler: None,
    ) -> None:
        monkeypatch.setitem(sys.modules, "torch", None)
        prepared = prepare(load_spec(DIGITS, ["platform.name=host"]))
        bench_host.contest(prepared, 240, 2, None)
        assert "torch is not installed: no ratio" in capsys.readouterr().out


class TestRam:
    def test_what_is_allowed(self) -> None:
        net = check_ram.Net((64, 32, 10))
        assert net.allowed(1000) == 4 * 32 + 64
        assert check_ram.Net(example="fashion_cnn").allowed(1000) == 100
        inference = Ram(weights=100, arena=10, stack=20)
        fits = check_ram.Cost(net, "m", inference, Ram(100, 10 + 128, 20 + 64))
        assert fits.fits
        assert not replace(fits, training=Ram(100, 10 + 128, 20 + 65)).fits

    def test_titles_tell_networks_apart(self) -> None:
        titles = [net.title for net in check_ram.NETS]
        assert len(set(titles)) == len(titles)

    @pytest.mark.slow
    @pytest.mark.emulator
    @pytest.mark.parametrize("platform", ["cortex-m0plus", "rv32imc"])
    @pytest.mark.parametrize("weights", ["s16", "s8", "f32"])
    def test_digits_train_in_the_ram_that_is_allowed(
        self, platform: str, weights: str, request: pytest.FixtureRequest
    ) -> None:
        if (platform, weights) == ("cortex-m0plus", "s8"):
            reason = "8 bytes of stack too many since the work is an argument: 200 of 192"
            request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
        try:
            find_compiler(load_platform(platform))
            find_emulator(load_platform(platform))
        except ToolError as error:
            pytest.skip(str(error))
        cost = check_ram.cost_of(check_ram.Net((64, 32, 10), weights), platform)
        assert cost.inference.stack > 0
        assert 0 < cost.added <= cost.allowed

    @pytest.mark.slow
    @pytest.mark.emulator
    def test_convolutions_train_in_the_ram_of_inference_and_a_tenth(self) -> None:
        try:
            find_compiler(load_platform("cortex-m4f"))
            find_emulator(load_platform("cortex-m4f"))
        except ToolError as error:
            pytest.skip(str(error))
        cost = check_ram.cost_of(check_ram.Net(example="fashion_cnn"), "cortex-m4f")
        assert cost.training.arena == cost.inference.arena
        assert cost.fits


@pytest.mark.slow
def test_platform_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, host_compiler: None
) -> None:
    arguments = ["platform_table.py", str(DIGITS), "--platform", "host", "--steps", "20"]
    monkeypatch.setattr(sys, "argv", arguments)
    assert platform_table.main() == 0
    assert "| this computer |  |  |  |  |  |  |  |  |  | equal, 20 steps, in-process |" in (
        capsys.readouterr().out
    )


@pytest.mark.slow
def test_integers_cost_an_example_less_than_a_hundredth(
    tmp_path: Path, host_compiler: None
) -> None:
    pytest.importorskip("torch")
    cells = results_examples.row("diabetes", tmp_path).split("|")[2:-1]
    real, s16, _, s8, _ = cells
    assert float(real) > 0.4
    assert abs(float(s16) - float(real)) < 0.01
    assert abs(float(s8) - float(real)) < 0.01
