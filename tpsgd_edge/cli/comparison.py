"""Options and terminal output of `tpsgd-edge compare`."""

from pathlib import Path

from rich.console import RenderableType
from rich.table import Table

from tpsgd_edge.cli.tables import make_table, render
from tpsgd_edge.comparison.runs import GRID, RANDOM, TITLES, Metric, rate_text
from tpsgd_edge.comparison.summary import Comparison, RuleSummary
from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.order import IN_WORDS
from tpsgd_edge.reports.text import bytes_text, count_text, metric_name


def parse_rates(text: str | None) -> tuple[float, ...]:
    """Learning rates in the form 0.001,0.01; those that are always tried where there is no text.

    >>> parse_rates("0.001, 0.01")
    (0.001, 0.01)
    """
    return GRID if text is None else _numbers(text, "learning rates", "--rates 0.001,0.003,0.01")


def parse_ratios(text: str | None) -> tuple[float, ...]:
    """Ratios of rates in the form 1,0.1; 1 alone where there is no text."""
    return (1.0,) if text is None else _numbers(text, "ratios of rates", "--ratios 1,0.1")


def _numbers(text: str, what: str, example: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or not all(0 < number < 1e6 for number in numbers):
        raise SpecError(
            f"{what} are positive numbers",
            where=example.partition(" ")[0],
            found=text,
            help=f"as in {example}",
        )
    return numbers


def show_comparison(result: Comparison, plot: Path | None) -> str:
    """One row for each rule, and how it came about."""
    plan = result.plan
    seeds = f"{len(plan.seeds)} seeds" if len(plan.seeds) > 1 else f"seed {plan.seeds[0]}"
    items: list[RenderableType] = [
        f"{result.spec.name}: {metric_name(result.metric)} on the test set, {seeds}, "
        f"{plan.epochs} epochs of {count_text(result.samples)} samples, batches of {plan.batch}, "
        f"floating point{IN_WORDS[plan.order]}",
        _table(result),
        f"{result.rate_note}; one sample's, as in the spec",
        "memory: the most bytes of tensors alive in a training step, weights included",
    ]
    if result.at_the_edge:
        titles = ", ".join(TITLES[rule] for rule in result.at_the_edge)
        items.append(
            "best at an end of the range, so others (--rates; tpSGD: the spec's) may serve better: "
            f"{titles}"
        )
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
            rate_text(rule.rate, rule.ratio),
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
