"""Terminal output of `tpsgd-edge search`."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import RenderableType
from rich.table import Table

from tpsgd_edge.cli.tables import make_table, render
from tpsgd_edge.reports.text import bytes_text, count_text, metric_name, metric_text, plural
from tpsgd_edge.search.result import SearchResult


def show_search(result: SearchResult, written: Sequence[Path]) -> str:
    """One row for each net of the front, the best marked, and how they were found."""
    tried = plural(len(result.tried), "net")
    items: list[RenderableType] = [
        f"{result.spec.name} on {result.spec.platform.name}: {tried} tried, {result.stopped} of "
        f"them stopped early; {plural(result.refused, 'point')} refused before training",
        _table(result),
        "held out: samples of the training set that were not learned; the test set was asked at "
        "the end, once for each net of the front",
        f"*: the best on held-out samples. trials: {result.path}",
    ]
    return render(*items, *(f"written: {path}" for path in written))


def _table(result: SearchResult) -> Table:
    has_flash = result.front[0].size.flash is not None
    measured = ["flash", "instructions a step"] if has_flash else ["MACs an answer"]
    name = metric_name(result.metric)
    table = make_table("", "net", "rate", "RAM", *measured, f"{name}, held out", "test set")
    for column in table.columns[3:]:
        column.justify = "right"
    for found in result.front:
        size, trial = found.size, found.trial
        costs = [bytes_text(size.flash), count_text(size.instructions)]
        table.add_row(
            "*" if found == result.best else "",
            found.words,
            f"{trial.params['rate']:g} x",
            bytes_text(size.ram),
            *(costs if has_flash else [count_text(found.outcome.cost.work)]),
            metric_text(result.metric, found.outcome.score),
            metric_text(result.metric, trial.test_score),
        )
    return table
