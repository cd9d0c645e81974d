"""What `tpsgd-edge compare` takes and shows."""

from pathlib import Path

from rich.console import RenderableType
from rich.table import Table

from tpsgd_edge.cli.tables import make_table, render
from tpsgd_edge.comparison.runs import GRID, RANDOM, TITLES, Metric
from tpsgd_edge.comparison.summary import Comparison, RuleSummary
from tpsgd_edge.errors import SpecError
from tpsgd_edge.report.text import bytes_text, count_text, metric_name

_HELP = "as in --rates 0.001,0.003,0.01"


def parse_rates(text: str | None) -> tuple[float, ...]:
    """Learning rates in the form 0.001,0.01; those that are always tried where there is no text.

    >>> parse_rates("0.001, 0.01")
    (0.001, 0.01)
    """
    if text is None:
        return GRID
    try:
        rates = tuple(float(part) for part in text.split(","))
    except ValueError:
        rates = ()
    if not rates or not all(0 < rate < 1e6 for rate in rates):
        raise SpecError(
            "learning rates are positive numbers", where="--rates", found=text, help=_HELP
        )
    return rates


def show_comparison(result: Comparison, plot: Path | None) -> str:
    """One row for each rule, and how it came about."""
    plan = result.plan
    seeds = f"{len(plan.seeds)} seeds" if len(plan.seeds) > 1 else f"seed {plan.seeds[0]}"
    items: list[RenderableType] = [
        f"{result.spec.name}: {metric_name(result.metric)} on the test set, {seeds}, "
        f"{plan.epochs} epochs of {count_text(result.samples)} samples, batches of {plan.batch}, "
        "floating point",
        _table(result),
        f"{result.rate_note}; one sample's, as in the spec",
        "memory: the most bytes of tensors alive in a training step, weights included",
    ]
    if result.at_the_edge:
        titles = ", ".join(TITLES[rule] for rule in result.at_the_edge)
        items.append(f"best at an end of the range, so wider --rates may serve better: {titles}")
    items.append(f"results: {result.path}")
    return render(*items, *([] if plot is None else [f"plot: {plot}"]))


def _table(result: Comparison) -> Table:
    table = make_table(
        "rule",
        "rate",
        "mean",
        "±",
        "lowest",
        "over random",
        "MACs a sample",
        "s an epoch",
        "memory",
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for rule in result.rules:
        table.add_row(
            TITLES[rule.rule],
            "the spec's" if rule.rate is None else f"{rule.rate:g}",
            *_scores(result.metric, rule),
            count_text(round(rule.macs)),
            f"{rule.seconds:.3g}",
            bytes_text(rule.step_bytes),
        )
    return table


def _scores(metric: Metric, rule: RuleSummary) -> tuple[str, str, str, str]:
    """Mean, spread, lowest, and distance to random layers; distances in points."""
    if rule.mean is None:
        return "diverged", "", "", ""
    scale, digits = (100, 2) if metric == "accuracy" else (1, 3)
    unit = " %" if metric == "accuracy" else ""
    spread = "" if rule.deviation is None else f"{scale * rule.deviation:.{digits}f}"
    is_learned = rule.rule != RANDOM and rule.over_random is not None
    over = f"{scale * (rule.over_random or 0):+.{digits}f}" if is_learned else ""
    mean, lowest = (f"{scale * (v or 0):.{digits}f}{unit}" for v in (rule.mean, rule.lowest))
    return mean, spread, lowest, over
