"""`tpsgd-edge compare`."""

from pathlib import Path
from typing import Literal

import click

from tpsgd_edge.cli.options import epochs_option, load, order_option, spec_options
from tpsgd_edge.cli.outcome import Outcome, outcome


@click.command("compare")
@spec_options
@click.option(
    "--rules",
    metavar="R,R",
    help="Of tpsgd, backprop, fa, dfa, sdfa, drtp, pepita, tpsgd_learned, tpsgd_carried, random. "
    " [default: all there are for the network]",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1, max=1000),
    default=3,
    show_default=True,
    metavar="N",
    help="Runs of each rule, from the spec's seed on.",
)
@epochs_option
@order_option
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    metavar="N",
    help="Samples a step.",
)
@click.option(
    "--rates",
    metavar="R,R",
    help="Learning rates of a sample to choose from, for all rules but tpsgd.",
)
@click.option(
    "--ratios",
    metavar="R,R",
    help="Of hidden layers' rates to the last layer's, chosen along with these.  [default: 1]",
)
@click.option(
    "--trial-seeds",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    metavar="N",
    help="With how many seeds each rate is tried; what is steady over them is chosen.",
)
@click.option(
    "--tune-tpsgd",
    is_flag=True,
    help="Choose tpsgd's learning rates too, from the spec's times 0.3 to 3.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The results, SQLite.  [default: NAME-rules.sqlite beside the spec]",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Plot the learning curves: .svg, .png or .pdf.",
)
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="Processes.  [default: cores]"
)
def compare_command(
    *,
    spec_path: Path,
    platform: str | None,
    overrides: tuple[str, ...],
    as_json: bool,
    rules: str | None,
    seeds: int,
    epochs: int | None,
    order: Literal["shuffled", "recorded", "sorted", "classes"],
    batch: int,
    rates: str | None,
    ratios: str | None,
    tune_tpsgd: bool,
    trial_seeds: int,
    out: Path | None,
    plot: Path | None,
    jobs: int | None,
) -> Outcome:
    """Compare tpSGD with backpropagation and other rules.

    Trains the network in floating point (torch) by each rule with each seed, on all cores, and
    keeps every run in one file: run again after an interruption, and nothing is computed twice.
    """
    from tpsgd_edge.cli.comparison import parse_rates, parse_ratios, show_comparison
    from tpsgd_edge.cli.progress import progress_bar
    from tpsgd_edge.comparison.compare import compare_rules

    spec = load(spec_path, platform, overrides)
    with progress_bar() as progress:
        result = compare_rules(
            spec,
            rules=None if rules is None else [rule.strip() for rule in rules.split(",")],
            seeds=seeds,
            epochs=epochs,
            order=order,
            batch=batch,
            rates=parse_rates(rates),
            ratios=parse_ratios(ratios),
            tune_tpsgd=tune_tpsgd,
            trial_seeds=trial_seeds,
            out=out,
            jobs=jobs,
            progress=progress,
        )
    if plot is not None:
        from tpsgd_edge.reports.comparison import plot_comparison

        plot_comparison(result, plot)
    return outcome(
        result.to_json(),
        lambda: show_comparison(result, plot),
        as_json=as_json,
        data=result.data,
    )
