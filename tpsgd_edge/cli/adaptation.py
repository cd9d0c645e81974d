"""Terminal output of `tpsgd-edge adapt`."""

from pathlib import Path

from rich.console import RenderableType

from tpsgd_edge.cli.tables import make_table, render
from tpsgd_edge.reports.adaptation import AdaptResult, strategy_text
from tpsgd_edge.reports.text import bytes_text, metric_text
from tpsgd_edge.stages.adapting import Trial


def show_adaptation(result: AdaptResult, out: Path | None) -> str:
    """One row for each strategy at its best rate, and what the best of all looks like in a spec."""
    tried = result.tried
    has_source_domain = tried.source_before is not None
    table = make_table("what learns", "rate", "RAM", "here", *["origin"] * has_source_domain)
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("nothing", "", "", _percent(tried.before), _percent(tried.source_before))
    for trial in _best_of_each(tried.trials):
        scores = [_percent(trial.score), _percent(trial.source_domain)]
        if trial.refused is not None:
            scores = [trial.refused.splitlines()[0], ""]
        ram = "" if trial.ram is None else bytes_text(trial.ram)
        table.add_row(strategy_text(trial.strategy), f"{trial.strategy.rate:g}", ram, *scores)
    items: list[RenderableType] = [
        f"{tried.spec.name}: {tried.samples} samples; here: right answers for samples that were "
        "left out of training; RAM without the stack",
        table,
    ]
    if has_source_domain:
        items.append("origin: right answers where the net comes from, after learning all samples")
    items.append(result.fragment if out is None else f"written: {out}")
    return render(*items)


def _best_of_each(trials: tuple[Trial, ...]) -> list[Trial]:
    """The trials at the rate that served each strategy best, in the order of the first ones."""
    best: dict[str, Trial] = {}
    for trial in trials:
        name = strategy_text(trial.strategy)
        if name not in best or best[name].refused or trial.score > best[name].score:
            best[name] = trial
    return list(best.values())


def _percent(share: float | None) -> str:
    return "" if share is None else metric_text("accuracy", share)
