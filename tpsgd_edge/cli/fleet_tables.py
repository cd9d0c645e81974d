"""Terminal output of `tpsgd-edge fleet`."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import RenderableType
from rich.table import Table

from tpsgd_edge.cli.tables import make_table, render
from tpsgd_edge.fleet.result import FleetResult, Scores
from tpsgd_edge.reports.text import bytes_text, metric_text, plural

# Rounds that the table shows, with the first and the last.
_SHOWN = 10


def show_fleet(result: FleetResult, written: Sequence[Path]) -> str:
    """Scores and bytes of some rounds, and what the same samples come to without a fleet."""
    fleet = result.fleet
    personal = f", personal: {', '.join(fleet.personal)}" if fleet.personal else ""
    learned = len(result.rounds) - 1
    gateways = f" at {plural(fleet.gateways, 'gateway')}" if fleet.gateways else ""
    head = (
        f"{result.spec.name}: {plural(result.devices, 'device')}{gateways}, "
        f"{fleet.partition.words}, "
        f"{plural(learned, 'round')} of {plural(fleet.epochs, 'epoch')}, "
        f"{fleet.averaging.average}{personal}"
    )
    each = bytes_text(result.up // max(1, result.updates))
    sent = (
        f"{bytes_text(result.up)} came from devices, {each} an update; "
        f"{bytes_text(result.down)} went to them"
    )
    same = "the server's net" if not fleet.personal else "the nets of the devices, their mean"
    note = f"test set: {same}; own test samples: mean over devices, and the worst of them"
    lines: list[RenderableType] = [head, _table(result), sent, *_of_gateways(result), note]
    if fleet.emulated:
        lines.append(
            f"{plural(min(fleet.emulated, result.devices), 'device')} on an emulated "
            f"{result.spec.platform.name} too: every update equal, bit for bit"
        )
    return render(*lines, *(f"written: {path}" for path in written))


def _of_gateways(result: FleetResult) -> Iterator[str]:
    """Bytes above the gateways, and whether C does the same."""
    fleet, above = result.fleet, result.above
    if not fleet.gateways:
        return
    yield (
        f"{bytes_text(above.up)} came from gateways to the server (server up); "
        f"{bytes_text(above.down)} went to them (server down)"
    )
    if fleet.averaging.average == "mean":
        yield "every gateway ran in C too: every update of it equal, bit for bit"
    else:
        yield (
            f"gateways take the {fleet.averaging.average} of their devices, in Python only; "
            f"the server takes the mean of gateways"
        )


def _table(result: FleetResult) -> Table:
    names = ["round", "updates", "late", "refused", "bytes up", "bytes down"]
    names += ["server up", "server down"] if result.fleet.gateways else []
    table = make_table(*names, "test set", "own test samples", "worst")
    for column in table.columns:
        column.justify = "right"
    for place in _shown(len(result.rounds)):
        one = result.rounds[place]
        counts = [one.taken, one.late, one.refused, one.up, one.down]
        counts += [one.above.up, one.above.down] if result.fleet.gateways else []
        table.add_row(str(place), *(f"{n:,}" for n in counts), *_scores(result, one.scores))
    for other in result.baselines:
        table.add_row(other.name, *[""] * (len(names) - 1), *_scores(result, other.scores))
    return table


def _scores(result: FleetResult, scores: Scores) -> Iterator[str]:
    for value in (scores.whole, scores.mean_own, scores.worst_own):
        yield metric_text(result.metric, value)


def _shown(count: int) -> list[int]:
    """Places of about ten rounds, the first and the last among them.

    >>> _shown(4), _shown(31)
    ([0, 1, 2, 3], [0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30])
    """
    step = -(-(count - 1) // _SHOWN)
    return sorted({*range(0, count, max(1, step)), count - 1})
