"""`tpsgd-edge replay`."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tpsgd_edge.cli.export import weights_in_option
from tpsgd_edge.cli.options import load, spec_options
from tpsgd_edge.cli.outcome import Outcome, outcome

if TYPE_CHECKING:
    from tpsgd_edge.reports.replay import ReplayResult


@click.command("replay")
@spec_options
@click.argument("log", metavar="LOG", type=click.Path(path_type=Path))
@weights_in_option
@click.option(
    "--weights-out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the state at the end, as a debugger would dump it.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the score on the test set along the log: .svg, .png or .pdf.",
)
def replay_command(
    *,
    spec_path: Path,
    platform: str | None,
    overrides: tuple[str, ...],
    as_json: bool,
    log: Path,
    weights_in: Path | None,
    weights_out: Path | None,
    plot: Path | None,
) -> Outcome:
    """Train again on what a device wrote down.

    LOG is what firmware with `[firmware] log` passed to the function in its NAME_log. Generated
    code on this computer learns from the same samples; each digest that the device wrote is
    compared, and the first that differs names the steps it lies between. Tells how well the model
    did on the test set along the way, and which steps changed that most.
    """
    from tpsgd_edge.cli.progress import progress_bar
    from tpsgd_edge.replaying import replay

    spec = load(spec_path, platform, overrides)
    with progress_bar() as progress:
        result = replay(
            spec, log, weights_in=weights_in, weights_out=weights_out, progress=progress
        )
    if plot is not None and result.replay.curve:
        from tpsgd_edge.reports.replay import plot_replay

        plot_replay(result, plot)
    return outcome(
        result.to_json(),
        lambda: "\n".join(show_replay(result)) + "\n",
        as_json=as_json,
        is_mismatch=not result.is_equal,
    )


def show_replay(result: "ReplayResult") -> Iterator[str]:
    """The verdict, then what the model knew along the way."""
    from tpsgd_edge.reports.text import count_text, metric_name, metric_text, plural

    told, metric = result.replay, result.metric
    yield (
        f"{result.spec.name}: {count_text(told.steps)} samples in "
        f"{plural(told.sessions, 'session')} of {result.log.name}"
    )
    yield from (f"  the log: {words}" for words in told.damage)
    if told.difference is None:
        yield f"equal: {plural(told.compared, 'digest')} of the device came out again"
    else:
        gap = told.difference
        steps = (
            f"step {gap.first:,}"
            if gap.first == gap.last
            else f"steps {gap.first:,} to {gap.last:,}"
        )
        yield (
            f"mismatch in {steps}: the device's digest is 0x{gap.device:08x}, the replay's "
            f"0x{gap.replay:08x}; {plural(told.compared, 'digest')} before: equal"
        )
    if told.unchecked:
        yield f"{plural(told.unchecked, 'sample')} behind the last digest, not checked"
    if told.curve:
        first, last = told.curve[0][1], told.curve[-1][1]
        name = metric_name(metric)
        yield f"{name} on the test set: {metric_text(metric, first)} -> {metric_text(metric, last)}"
    for turn in told.turns:
        names = (result.class_names[int(k)] if result.class_names else f"{k:g}" for k in turn.label)
        before, after = (metric_text(metric, value) for value in (turn.before, turn.after))
        yield f"  step {turn.step:,}, label {', '.join(names)}: {before} -> {after}"
