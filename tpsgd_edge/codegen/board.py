"""The main program of a board: the line to a computer around a generated project."""

from dataclasses import dataclass

from tpsgd_edge.codegen.rendering import template


@dataclass(frozen=True, slots=True)
class BoardView:
    """The context of board_main.c.j2.

    Attributes:
        has_store: whether it loads and saves checkpoints.
        has_wire: whether a computer can talk to it; else it says what its self-test came to.
        has_scratch: whether there is RAM for a second model.
    """

    name: str
    spec_file: str
    has_store: bool
    has_wire: bool
    has_scratch: bool


def board_main(view: BoardView) -> str:
    """The text of board/main.c."""
    return template("board_main.c.j2").render(b=view)
