"""`tpsgd-edge platforms`."""

from typing import TYPE_CHECKING

import click

from tpsgd_edge.cli.options import debug_option, json_option
from tpsgd_edge.cli.outcome import Outcome, outcome

if TYPE_CHECKING:
    from tpsgd_edge.toolchain.board import Board
    from tpsgd_edge.toolchain.platforms import Platform


@click.command("platforms")
@json_option
@debug_option
def platforms_command(*, as_json: bool) -> Outcome:
    """The platforms: what builds and runs them; and the boards."""
    from tpsgd_edge.cli.tables import show_platforms
    from tpsgd_edge.toolchain.board import all_boards
    from tpsgd_edge.toolchain.platforms import all_platforms

    platforms, boards = all_platforms(), all_boards()
    document = {
        "platforms": [_platform_json(platform) for platform in platforms],
        "boards": [_board_json(board) for board in boards],
    }
    return outcome(document, lambda: show_platforms(platforms, boards), as_json=as_json)


def _platform_json(platform: "Platform") -> dict[str, object]:
    return {
        "name": platform.name,
        "title": platform.title,
        "compilers": list(platform.flags),
        "emulators": list(platform.emulators),
        "notes": platform.notes,
    }


def _board_json(board: "Board") -> dict[str, object]:
    from tpsgd_edge.toolchain.flashing import ways_of

    erase = board.erase
    return {
        "name": board.name,
        "title": board.title,
        "platform": board.platform.name,
        "flash": board.memory.flash.size,
        "ram": board.memory.ram.size,
        "clock": board.clock,
        "boots": board.boots,
        "erase": None if erase is None else {"block": erase.block, "write": erase.write},
        "flashing": list(ways_of(board)),
        "notes": board.notes,
        "sources": list(board.sources),
    }
