"""`tpsgd-edge migrate`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tpsgd_edge.cli.options import debug_option, json_option, load
from tpsgd_edge.cli.outcome import Outcome, outcome

if TYPE_CHECKING:
    from tpsgd_edge.reports.migration import MigrateResult


@click.command("migrate")
@click.argument("old_path", metavar="OLD", type=click.Path(path_type=Path))
@click.argument("new_path", metavar="NEW", type=click.Path(path_type=Path))
@click.argument("weights", metavar="DUMP", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The checkpoint.  [default: NAME.checkpoint]",
)
@json_option
@debug_option
def migrate_command(
    *, old_path: Path, new_path: Path, weights: Path, out: Path | None, as_json: bool
) -> Outcome:
    """Carry what was learned over to another spec.

    DUMP is of firmware of the spec OLD: a dump, a checkpoint, or a copy of a storage. What comes
    out is a checkpoint for firmware of the spec NEW: the same weights in its scales, with room for
    the classes that only NEW knows; or the reasons why not, by layer. Where the firmware saves,
    it lies at the begin of the storage's first block, all others erased.
    """
    from tpsgd_edge.migration import migrate

    result = migrate(load(old_path, None, ()), load(new_path, None, ()), weights=weights, out=out)
    return outcome(result.to_json(), lambda: show_migration(result), as_json=as_json)


def show_migration(result: "MigrateResult") -> str:
    """The file, and a row for each layer."""
    from tpsgd_edge.cli.tables import make_table, render
    from tpsgd_edge.reports.text import bytes_text, count_text

    table = make_table("layer", "carried over", "weights", "beyond the range")
    for column in table.columns[2:]:
        column.justify = "right"
    for layer in result.layers:
        table.add_row(layer.layer, layer.words, count_text(layer.count), count_text(layer.clipped))
    head = (
        f"{result.old.name} 0x{result.before:08X} to {result.new.name} 0x{result.after:08X}: "
        f"{count_text(result.steps)} steps, digest 0x{result.crc:08x}\n"
        f"{bytes_text(result.bytes)} in {result.path}\n\n"
    )
    return head + render(table)
