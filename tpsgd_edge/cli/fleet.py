"""`tpsgd-edge fleet`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tpsgd_edge.cli.options import load, spec_options
from tpsgd_edge.cli.outcome import Outcome, outcome

if TYPE_CHECKING:
    from tpsgd_edge.fleet.averaging import Average
    from tpsgd_edge.fleet.plan import Fleet

_SHARE = click.FloatRange(0, 1)
_CUT = click.FloatRange(0, 0.5, max_open=True)


@click.command("fleet")
@spec_options
@click.option(
    "--devices",
    type=click.IntRange(1, 16_384),
    default=10,
    show_default=True,
    metavar="N",
    help="Devices; by a column as many as it has values, and at most so many.",
)
@click.option(
    "--gateways",
    type=click.IntRange(0, 16_384),
    default=0,
    show_default=True,
    metavar="N",
    help="Gateways, each of which averages its share of the devices for the server.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1, 100_000),
    default=20,
    show_default=True,
    metavar="N",
    help="Rounds of averaging.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    metavar="N",
    help="Passes of a device over its samples in a round.",
)
@click.option(
    "--partition",
    default="even",
    show_default=True,
    metavar="P",
    help="Who has which samples: even, classes:2, dirichlet:0.3 or by:COLUMN.",
)
@click.option(
    "--average",
    type=click.Choice(["mean", "median", "trimmed", "krum"]),
    default="mean",
    show_default=True,
    help="How updates become one: weighted by samples, or by a way that bears liars.",
)
@click.option(
    "--cut",
    type=_CUT,
    default=0.2,
    show_default=True,
    metavar="SHARE",
    help="Share that a trimmed mean leaves out at each end, or of liars for krum.",
)
@click.option(
    "--personal",
    multiple=True,
    metavar="LAYER",
    help="A layer that stays at home, neither sent nor averaged. Repeatable.",
)
@click.option(
    "--drop", type=_SHARE, default=0, metavar="SHARE", help="Devices that a round does not reach."
)
@click.option(
    "--slow",
    type=_SHARE,
    default=0,
    metavar="SHARE",
    help="Devices whose update is a round late.",
)
@click.option(
    "--lie",
    type=_SHARE,
    default=0,
    metavar="SHARE",
    help="Devices that send the opposite tenfold.",
)
@click.option(
    "--emulate",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="So many devices run on an emulated core of the platform too, and are compared.",
)
@click.option(
    "--baselines", is_flag=True, help="Also the devices alone, and one net with all samples."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the state that came about, as `export --weights` and `migrate` take it.",
)
@click.option(
    "--gateway",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write the C of a server or gateway for these devices.",
)
def fleet_command(
    *,
    spec_path: Path,
    platform: str | None,
    overrides: tuple[str, ...],
    as_json: bool,
    out: Path | None,
    gateway: Path | None,
    **terms: Any,
) -> Outcome:
    """Let many devices learn together.

    Each device learns its own samples with the generated code; a server averages, in integers,
    what has changed, and sends it back. Bytes on the way are counted.
    """
    from tpsgd_edge.cli.fleet_tables import show_fleet
    from tpsgd_edge.cli.progress import progress_bar
    from tpsgd_edge.files import check_output, write_whole
    from tpsgd_edge.fleet.gateway import gateway_of
    from tpsgd_edge.fleet.simulation import simulate_fleet
    from tpsgd_edge.fleet.tree import check_written
    from tpsgd_edge.frontend.inputs import input_files
    from tpsgd_edge.toolchain.folder import write_project

    spec = load(spec_path, platform, overrides)
    if out is not None:
        check_output(out, "the state", inputs=input_files(spec))
    fleet = _fleet_of(**terms)
    if gateway is not None:
        check_written(fleet.averaging.average)
    with progress_bar() as progress:
        result = simulate_fleet(spec, fleet, progress)
    if out is not None:
        write_whole(result.state, out, what="the state")
    if gateway is not None:
        write_project(gateway_of(result.model, result.shared), gateway)
    written = [path for path in (out, gateway) if path is not None]
    return outcome(
        result.to_json(), lambda: show_fleet(result, written), as_json=as_json, data=result.data
    )


def _fleet_of(
    *,
    partition: str,
    average: "Average",
    cut: float,
    drop: float,
    slow: float,
    lie: float,
    emulate: int,
    baselines: bool,
    **counts: Any,
) -> "Fleet":
    """The fleet that the options name; counts and personal go as they are."""
    from tpsgd_edge.fleet.accidents import Accidents
    from tpsgd_edge.fleet.partition import parse_partition
    from tpsgd_edge.fleet.plan import Fleet
    from tpsgd_edge.fleet.server import Averaging

    return Fleet(
        partition=parse_partition(partition),
        accidents=Accidents(drop, slow, lie),
        averaging=Averaging(average, cut),
        emulated=emulate,
        has_baselines=baselines,
        **counts,
    )
