"""Real firmware of a board: its files in the project, and the program that is linked of them."""

from pathlib import Path

from tpsgd_edge.codegen.project import CProject
from tpsgd_edge.errors import BudgetError, SpecError, ToolError
from tpsgd_edge.memory import MemoryPlan
from tpsgd_edge.spec import Spec
from tpsgd_edge.toolchain.board import Board, BootingBoard, board_files, board_of
from tpsgd_edge.toolchain.build import OVERFLOW, Binary, compile_firmware
from tpsgd_edge.toolchain.compilers import find_compiler

# RAM of a board's program beside models, arena and stack: the wire's buffers and the UART's ring.
_BESIDE = 2048


def board_project_files(spec: Spec, plan: MemoryPlan) -> dict[str, str]:
    """The files of the spec's board, by path below the project; none of one that does not boot."""
    board = board_of(spec)
    if not isinstance(board, BootingBoard):
        return {}
    from tpsgd_edge.codegen.board import BoardView, board_main

    has_store = _has_store(spec, board)
    used = plan.n_bytes + plan.state.size + board.memory.stack + _BESIDE
    has_room = used <= board.memory.ram.size
    view = BoardView(spec.name, spec.source, has_store, spec.firmware.wire, has_room)
    return board_files(board, has_store=has_store) | {"board/main.c": board_main(view)}


def compile_board(spec: Spec, project: CProject, folder: Path) -> Binary | None:
    """The program of the spec's board, built in `folder`/build; None of one that does not boot.

    Raises:
        BudgetError: it does not fit into the board's memory.
        ToolError: there is no compiler, or it fails.
    """
    board = board_of(spec)
    if not isinstance(board, BootingBoard):
        return None
    try:
        return compile_firmware(
            folder,
            project.name,
            project.sources,
            board.platform,
            find_compiler(board.platform),
            build_dir=folder / "build",
            image=board.image(has_store=_has_store(spec, board)),
        )
    except ToolError as error:
        raise _too_large(error, board, spec) or error from None


def place_of(spec: Spec) -> str:
    """The name of the board, or else of the platform, that a spec is for."""
    board = board_of(spec)
    return spec.platform.name if board is None else board.name


def flashed_board(spec: Spec, program: Path | None) -> tuple[Board, Path]:
    """The board of a spec, and the program that goes onto it.

    Args:
        program: an ELF; that of `build` where not given.

    Raises:
        SpecError: the spec names no board, or the project has no firmware for it.
        ToolError: nothing was built yet.
    """
    board = board_of(spec)
    if board is None:
        raise SpecError(
            "the spec names no board",
            where=f"{spec.source}, [platform]",
            help='board = "pico"; tpsgd-edge platforms lists them all',
        )
    if program is not None:
        return board, program
    if not board.boots:
        raise SpecError(
            f"there is no firmware for the board '{board.name}' here",
            where=f"{spec.source}, [platform] board",
            found="a board without start-up code and drivers in the project",
            help="put the generated code into firmware of your own (tpsgd-edge package), and name "
            "its ELF: --program FILE",
        )
    built = Path("build") / f"{spec.name}-{board.name}" / "build" / f"{spec.name}.elf"
    if not built.is_file():
        raise ToolError(
            "there is no program yet", where=str(built), help=f"tpsgd-edge build {spec.source}"
        )
    return board, built


def _has_store(spec: Spec, board: BootingBoard) -> bool:
    return spec.firmware.store and board.storage is not None


def _too_large(error: ToolError, board: BootingBoard, spec: Spec) -> BudgetError | None:
    """Say in words what the linker means, where a memory is too small for it."""
    over = [int(found["bytes"]) for found in OVERFLOW.finditer(str(error.found or ""))]
    if not over:
        return None
    sizes = f"{board.memory.flash.size:,} bytes of flash and {board.memory.ram.size:,} of RAM"
    return BudgetError(
        f"the firmware does not fit into the board '{board.name}'",
        where=f"{spec.source}, [platform] board",
        found=f"{max(over):,} bytes too many; it has {sizes}",
        help='fewer units, weights = "s8", no store or wire, or a larger board',
    )
