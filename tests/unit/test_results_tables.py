"""The scripts that make tables of results: what they train, what they choose, what they print."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.documents import results_pages
from tools import (
    conv_in_torch,
    plot_layers,
    results_conv,
    results_dense,
    results_readouts,
    results_rnn,
)
from tpsgd_edge.frontend.data import dataset_from_arrays

RESULTS = Path(__file__).parent.parent.parent / "docs" / "results"
DENSE = RESULTS / "dense.json"
CONV = RESULTS / "conv.json"
RNN = RESULTS / "rnn.json"
READOUTS = RESULTS / "readouts.json"


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
