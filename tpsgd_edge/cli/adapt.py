"""`tpsgd-edge adapt`."""

from pathlib import Path

import click

from tpsgd_edge.cli.options import load, spec_options
from tpsgd_edge.cli.outcome import Outcome, outcome


@click.command("adapt")
@spec_options
@click.option(
    "--rates",
    metavar="R,R",
    help="Learning rates to try.  [default: 0.3, 1 and 3 times the spec's]",
)
@click.option(
    "--folds",
    type=click.IntRange(min=2, max=100),
    default=3,
    show_default=True,
    metavar="N",
    help="Each sample is left out once: by parts of 1/N.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the best strategy as the sections [model] and [rule] of a spec.",
)
def adapt_command(
    *,
    spec_path: Path,
    platform: str | None,
    overrides: tuple[str, ...],
    as_json: bool,
    rates: str | None,
    folds: int,
    out: Path | None,
) -> Outcome:
    """Find out how a net that has learned before adapts best.

    Tries on this computer, with the generated code, which layers learn, towards what and how fast,
    and adaptors, from the training samples of the spec and within its RAM budget.
    """
    from tpsgd_edge.cli.adaptation import show_adaptation
    from tpsgd_edge.cli.comparison import parse_rates
    from tpsgd_edge.cli.progress import progress_bar
    from tpsgd_edge.pipeline import adapt

    spec = load(spec_path, platform, overrides)
    with progress_bar() as progress:
        result = adapt(
            spec,
            rates=None if rates is None else parse_rates(rates),
            folds=folds,
            out=out,
            progress=progress,
        )
    return outcome(
        result.to_json(),
        lambda: show_adaptation(result, out),
        as_json=as_json,
        data=result.tried.data,
    )
