"""`tpsgd-edge link ... watch`: a device that learns, in the terminal or on a page."""

import itertools
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from tpsgd_edge.cli.link import reopen
from tpsgd_edge.cli.options import debug_option
from tpsgd_edge.cli.outcome import Outcome

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tpsgd_edge.link import View
    from tpsgd_edge.link.live import Live, Seen
    from tpsgd_edge.stages import Prepared

# Terminals have no room for a table of more classes, nor for a longer curve.
_MOST_CLASSES = 16
_CURVE_WIDTH = 60
_BLOCKS = "▁▂▃▄▅▆▇█"


@click.command("watch")
@click.option("--web", is_flag=True, help="Show it as a page, at http://localhost:8000.")
@click.option("--port", "web_port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option(
    "--latest",
    type=click.IntRange(1, 1_000_000),
    default=200,
    show_default=True,
    metavar="N",
    help="How many of the latest labelled samples count.",
)
@click.option(
    "--interval",
    type=click.FloatRange(0.02, 3600),
    default=0.5,
    show_default=True,
    help="Seconds between two looks.",
)
@click.option("--train", is_flag=True, help="Train on the samples of the spec meanwhile.")
@click.option("--looks", type=click.IntRange(1), metavar="N", help="End after N looks.")
@debug_option
@click.pass_context
def watch_command(
    ctx: click.Context,
    *,
    web: bool,
    web_port: int,
    latest: int,
    interval: float,
    train: bool,
    looks: int | None,
) -> Outcome:
    """Watch the device learn, until Ctrl-C: accuracy, confidence, confusion, pace.

    What counts are samples whose label the device was told: by this computer, or by its firmware
    through NAME_wire_note.
    """
    from tpsgd_edge.link.live import Live
    from tpsgd_edge.link.page import serve
    from tpsgd_edge.stages.drift import detector_of

    opener, prepared = reopen(ctx)
    samples = _samples(prepared) if train else None
    drift = detector_of(prepared.spec, prepared.model)
    live = Live(opener, interval=interval, latest=latest, samples=samples, drift=drift)
    with suppress(KeyboardInterrupt), live:
        if web:
            click.echo(f"http://localhost:{web_port}; Ctrl-C ends it", err=True)
            serve(live, web_port)
        else:
            _show(live, interval, looks)
    return Outcome("")


def _samples(prepared: "Prepared") -> Iterator[tuple[Any, Any]]:
    """The training samples, epoch by epoch."""
    data = prepared.dataset
    for _ in range(prepared.spec.rule.passes):
        yield from zip(data.x_train, data.y_train, strict=True)


def _show(live: "Live", interval: float, looks: int | None) -> None:
    from rich.console import Console
    from rich.live import Live as Shown

    console = Console()
    numbers = itertools.count() if looks is None else range(looks)
    if not sys.stdout.isatty():
        for _ in numbers:
            time.sleep(interval)
            click.echo(_line(live.seen))
        return
    with Shown(console=console, auto_refresh=False, screen=False) as shown:
        for _ in numbers:
            shown.update(render_seen(live.seen), refresh=True)
            time.sleep(interval)


def _line(seen: "Seen") -> str:
    """A look in one line, for pipes and logs."""
    if seen.problem or seen.view is None:
        return seen.problem.replace("\n", ";") or "no look yet"
    view = seen.view
    accuracy = "–" if view.accuracy is None else f"{view.accuracy:.1%}"
    confidence = "–" if view.confidence is None else f"{view.confidence:.1%}"
    return (
        f"step {view.statistics.step:,}, {view.rate:,.1f} a second, accuracy {accuracy} of the "
        f"latest {view.labelled}, confidence {confidence}{_drift(view)}"
    )


def _drift(view: "View") -> str:
    """Words about drift, of a spec that watches for it."""
    if view.drift is None:
        return ""
    if view.drift.step is None:
        return ", no drift"
    return f", drift {view.drift.found} times, latest at step {view.drift.step:,}"


def render_seen(seen: "Seen") -> "RenderableType":
    """A look for a terminal: numbers, the curve, and the confusion."""
    from rich.console import Group
    from rich.panel import Panel
    from rich.text import Text

    parts: list[RenderableType] = []
    if seen.problem:
        parts.append(Text(seen.problem, "red"))
    if seen.view is not None:
        parts += [Text(_line(seen).replace(seen.problem, "")) if not seen.problem else Text("")]
        parts += list(_curve_and_confusion(seen.view))
    title = "no device yet" if seen.view is None else seen.view.name
    return Panel(Group(*parts), title=title, title_align="left")


def _curve_and_confusion(view: "View") -> Iterator["RenderableType"]:
    from rich.text import Text

    if view.curve:
        points = view.curve[-_CURVE_WIDTH:]
        bars = "".join(_BLOCKS[round(share * (len(_BLOCKS) - 1))] for _, share in points)
        yield Text(f"\naccuracy, step {points[0][0]:,} to {points[-1][0]:,}\n{bars}\n", "cyan")
    if 0 < len(view.classes) <= _MOST_CLASSES:
        yield _confusion(view)
    counts = view.statistics
    yield Text(
        f"\n{counts.repeated:,} requests answered again, {counts.dropped:,} damaged frames, "
        f"{view.missed:,} samples not seen, {view.resets:,} resets",
        "dim",
    )


def _confusion(view: "View") -> "RenderableType":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table("label \\ answer", *view.classes, box=SIMPLE_HEAD)
    for label, row in enumerate(view.confusion):
        cells = [
            Text(str(n) if n else "", "green" if label == answer else "red")
            for answer, n in enumerate(row)
        ]
        table.add_row(view.classes[label], *cells)
    return table
