"""`tpsgd-edge flash`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tpsgd_edge.cli.options import load, spec_options
from tpsgd_edge.cli.outcome import Outcome, outcome

if TYPE_CHECKING:
    from tpsgd_edge.toolchain.flashing import Flashed, Way


@click.command("flash")
@spec_options
@click.option(
    "--program",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The ELF.  [default: that of build, where the board boots one]",
)
@click.option(
    "--by",
    "way",
    type=click.Choice(["drive", "bossac", "esptool", "probe-rs"]),
    help="The tool; drive: a copy to its USB drive.  [default: the board's first]",
)
@click.option(
    "--drive",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The folder of the board's drive.  [default: looked for by its name]",
)
@click.option("--port", metavar="PORT", help="The serial port, for bossac and esptool.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
def flash_command(
    *,
    spec_path: Path,
    platform: str | None,
    overrides: tuple[str, ...],
    as_json: bool,
    program: Path | None,
    way: "Way | None",
    drive: Path | None,
    port: str | None,
    dry_run: bool,
) -> Outcome:
    """Bring firmware onto the board of the spec.

    Copies it to the drive that the board is, in the format that it takes (UF2, HEX), or runs the
    board's tool. The firmware is that of `build` where `platforms` says that a board boots, or your
    own with the generated code in it: --program.
    """
    from tpsgd_edge.stages.boards import flashed_board
    from tpsgd_edge.toolchain.flashing import flash

    board, elf = flashed_board(load(spec_path, platform, overrides), program)
    done = flash(board, elf, way=way, drive=drive, port=port, dry_run=dry_run)
    return outcome(done.to_json(), lambda: _text(done), as_json=as_json)


def _text(done: "Flashed") -> str:
    return "".join(f"{step}\n" for step in done.steps)
