"""`tpsgd-edge search`."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tpsgd_edge.cli.options import load, spec_options
from tpsgd_edge.cli.outcome import Outcome, outcome

if TYPE_CHECKING:
    from tpsgd_edge.search.engines import Engine

_TIME = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*([smh]?)", re.ASCII)
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


class _Seconds(click.ParamType[float]):
    """A length of time, as 90, 90s, 10m or 2h."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        match = _TIME.fullmatch(str(value).strip())
        if match is None:
            self.fail(f"a time looks like 90s, 10m or 2h, not {str(value)[:40]!r}", param, ctx)
        return float(match[1]) * _UNITS[match[2]]


@click.command("search")
@spec_options
@click.option("--ram", metavar="SIZE", help="Budget of RAM instead of the spec's, such as 4K.")
@click.option("--flash", metavar="SIZE", help="Budget of flash instead of the spec's.")
@click.option(
    "--instructions",
    type=click.IntRange(min=1),
    metavar="N",
    help="Budget of instructions of a training step.",
)
@click.option(
    "--trials",
    type=click.IntRange(min=1, max=100_000),
    default=20,
    show_default=True,
    metavar="N",
    help="Nets to try, those of earlier calls among them.",
)
@click.option(
    "--time", "seconds", type=_Seconds(), metavar="T", help="Begin no trial after it: 10m."
)
@click.option(
    "--batch",
    type=click.IntRange(min=1, max=1000),
    default=4,
    show_default=True,
    metavar="N",
    help="Nets chosen at a time; so many processes at most have work.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the best net as a spec.",
)
@click.option(
    "--front",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write each net of the front as a spec.",
)
@click.option(
    "--plot", type=click.Path(path_type=Path), metavar="FILE", help="Plot: .svg, .png or .pdf."
)
@click.option(
    "--store",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The trials, SQLite.  [default: NAME-search.sqlite beside the spec]",
)
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="Processes.  [default: cores]"
)
@click.option(
    "--engine",
    type=click.Choice(["processes", "ray"]),
    default="processes",
    show_default=True,
    help="Where trials run: on this computer, or on the Ray cluster of RAY_ADDRESS.",
)
def search_command(
    *,
    spec_path: Path,
    platform: str | None,
    overrides: tuple[str, ...],
    as_json: bool,
    ram: str | None,
    flash: str | None,
    instructions: int | None,
    trials: int,
    seconds: float | None,
    batch: int,
    out: Path | None,
    front: Path | None,
    plot: Path | None,
    store: Path | None,
    jobs: int | None,
    engine: "Engine",
) -> Outcome:
    """Find the net that suits data and budget.

    Trains nets of a space ([search] of the spec) with their generated code, scores them on samples
    that are held out of the training set, and keeps those that none beats in score, RAM and work.
    Stopped and started again, it goes on; the same seed gives the same front.
    """
    from tpsgd_edge.cli.progress import progress_bar
    from tpsgd_edge.cli.searched import show_search
    from tpsgd_edge.search.result import check_spec_file, write_specs
    from tpsgd_edge.search.search import search

    sizes = {"ram": ram, "flash": flash}
    named = [f"platform.{key}={json.dumps(size)}" for key, size in sizes.items() if size]
    spec = load(spec_path, platform, (*overrides, *named))
    if out is not None:
        check_spec_file(out, spec)
    with progress_bar() as progress:
        result = search(
            spec,
            trials=trials,
            batch=batch,
            instructions=instructions,
            seconds=seconds,
            store=store,
            jobs=jobs,
            engine=engine,
            progress=progress,
        )
    written = write_specs(result, out, front)
    if plot is not None:
        from tpsgd_edge.reports.front import plot_front

        plot_front(result.points, plot, metric=result.metric, budget=result.budget.ram)
    return outcome(
        result.to_json(),
        lambda: show_search(result, [*written, *([] if plot is None else [plot])]),
        as_json=as_json,
        data=result.data,
    )
