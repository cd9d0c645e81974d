"""What tools/results_attention.py trains, and its estimates, against numbers counted by hand."""

from dataclasses import replace

import pytest

from tests.support.attention import CHANNELS, CLASSES, HEADS, STEPS, WIDTH, block_graph
from tests.support.documents import DOCS
from tools import results_attention as tool
from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.data import load_dataset
from tpsgd_edge.frontend.network import build_graph


def test_the_estimate_of_a_block():
    made = tool.estimate(block_graph())
    each_step = CHANNELS * WIDTH + 4 * WIDTH**2 + 2 * 2 * WIDTH**2
    last, values = STEPS * WIDTH * CLASSES, STEPS * WIDTH
    assert made.weights == each_step + last
    assert made.macs == STEPS * each_step + last + 2 * STEPS**2 * WIDTH
    assert made.exponentials == HEADS * STEPS**2
    assert made.read_instructions == round(1.44 * made.macs)
    learned = STEPS * each_step + last
    assert made.trained_instructions == round(1.44 * made.macs + 7.56 * learned)
    biases = 6 * WIDTH + 2 * WIDTH + CLASSES
    ram = 2 * (made.weights + biases) + STEPS * CHANNELS + 5 * values + 2 * STEPS
    assert made.read_bytes == ram
    assert made.trained_bytes == ram + values + 2 * 4 * values


@pytest.mark.parametrize("net", tool.NETS)
def test_the_page_has_the_tables_of_the_file(net):
    table = tool.Table(DOCS / "results" / "attention.json", may_train=False)
    page = (DOCS / "results" / "attention.md").read_text(encoding="utf-8")
    made = "\n".join(tool.accuracy_table(net, table))
    assert made.count("\n") == 1 + len(tool.rows_of(net))
    assert made in page


@pytest.mark.parametrize("net", tool.NETS)
def test_each_line_is_a_spec_that_can_be_compared(net):
    for row in tool.rows_of(net):
        spec = tool.spec_of(net, () if row is tool.MEMORY else row.settings)
        try:
            dataset = load_dataset(spec)
        except DataError as error:
            pytest.skip(error.what)
        graph = build_graph(spec, dataset)
        assert bool(graph.blocks) == (row.settings != tool.OWN and "own" not in str(row.settings))


def test_a_table_has_the_mean_of_the_seeds_at_the_best_rate(tmp_path, monkeypatch):
    row = replace(tool.ROWS[0], about="row")
    monkeypatch.setattr(tool, "rows_of", lambda net: (row,))
    scores = {0.3: 0.5, 1.0: 0.7, 3.0: 0.6, 6.0: 0.4}
    made = []

    def trained(net, row, run):
        made.append(run)
        return {"score": scores[run.ratio] + run.seed / 100, "macs": 1000}

    monkeypatch.setattr(tool, "trained", trained)
    monkeypatch.setattr(tool, "missing", lambda net: False)
    table = tool.Table(tmp_path / "r.json", may_train=True)
    *_, line = tool.accuracy_table("har_attention", table)
    assert line == (
        "| row | the spec's | 71.00 | 72.00 ± 1.00 | 71.00 | 71.00, 72.00, 73.00 | 1,000 |"
    )
    assert [run.ratio for run in made if not run.is_trial] == [1.0] * 3
    before = len(made)
    list(tool.accuracy_table("har_attention", table))
    assert len(made) == before
