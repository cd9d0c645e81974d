"""Tables and lines for the terminal."""

import math
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from tpsgd_edge.reports.curve import CurvePoint
from tpsgd_edge.reports.results import (
    BuildResult,
    ExportResult,
    ReportResult,
    SimulateResult,
    VerifyResult,
)
from tpsgd_edge.reports.summary import (
    Line,
    accuracy_line,
    detection_lines,
    instruction_lines,
    planned_ram_line,
    summary,
    verdict_line,
)
from tpsgd_edge.reports.text import (
    UNKNOWN,
    bytes_text,
    clock_text,
    count_text,
    metric_text,
    percent_text,
    short_bytes,
)

if TYPE_CHECKING:
    from tpsgd_edge.packaging import PackageResult
    from tpsgd_edge.reports.forgetting import Forgetting
    from tpsgd_edge.spec import Spec
    from tpsgd_edge.stages.costs import Costs
    from tpsgd_edge.toolchain.board import Board
    from tpsgd_edge.toolchain.doctor import Tool
from tpsgd_edge.toolchain.platforms import Platform

_PIPED_WIDTH = 120
_CURVE_ROWS = 20
_CURVE_WIDTH = 40


def show_report(result: ReportResult) -> str:
    """The key numbers of a whole run, and where the HTML is."""
    title = f"{result.spec.name} on {result.build.platform}"
    items: list[RenderableType] = [_lines(title, summary(result))]
    items += _mismatch(result.verify)
    if result.html is not None:
        live = not isinstance(result.widget, str)
        note = " (the model in it is live: open it in a browser)" if live else ""
        items.append(f"report: {result.html}{note}")
    return render(*items)


def show_build(result: BuildResult) -> str:
    """Sizes against the budget, the cost of each layer, and where the project is."""
    items: list[RenderableType] = []
    if result.sizes is not None:
        items.append(_sizes(result))
    items.append(_layers(result))
    if result.costs is not None:
        items.append(_costs(result.spec.name, result.costs))
    if result.folder is not None:
        compiler = f", compiled with {result.compiler}" if result.compiled else ", not compiled"
        items.append(f"project: {result.folder} ({len(result.files)} files{compiler})")
        if result.board is not None and result.compiled:
            items.append(_next_on(result.board, result.folder, result.spec))
    return render(*items)


def _next_on(board: "Board", folder: Path, spec: "Spec") -> str:
    """Advice on how the firmware of a board runs, or that there is none."""
    from tpsgd_edge.toolchain.board import BootingBoard

    if not isinstance(board, BootingBoard):
        return (
            f"board: no start-up code and drivers for {board.name} here, so the program is for an "
            f"emulated {board.platform.name}; your firmware takes the C files, or a library of "
            "tpsgd-edge package"
        )
    program = folder / "build" / f"{spec.name}.elf"
    return f"run: {' '.join(board.emulator.words(program, has_wire=spec.firmware.wire))}"


def show_verify(result: VerifyResult) -> str:
    """The verdict, and the work that was counted."""
    title = f"{result.spec.name} on {result.platform}"
    lines = (verdict_line(result), *instruction_lines(result))
    return render(_lines(title, lines), *_mismatch(result))


def show_simulate(result: SimulateResult) -> str:
    """The metric before and after, and the learning curve as bars."""
    lines = [accuracy_line(result), *detection_lines(result)]
    if result.samples_per_second is not None:
        speed = f"{result.samples_per_second:,.0f} samples a second"
        lines.append(Line("Speed", speed, "on this computer, training"))
    lines += planned_ram_line(result)
    tables = [_lines(f"{result.spec.name} on {result.platform}", lines), _curve(result)]
    if result.forgetting is not None:
        tables.append(_forgetting(result, result.forgetting))
    return render(*tables)


def _forgetting(result: SimulateResult, forgetting: "Forgetting") -> Table:
    table = make_table("class", "when it was learned", "at the end")
    table.columns[1].justify = table.columns[2].justify = "right"
    rows = zip(forgetting.classes, forgetting.learned, forgetting.left, strict=True)
    for place, learned, left in rows:
        shares = (metric_text("accuracy", share) for share in (learned, left))
        table.add_row(result.class_names[place], *shares)
    table.add_section()
    table.add_row("forgotten, in the mean", "", metric_text("accuracy", forgetting.mean))
    return table


def show_export(result: ExportResult) -> str:
    """Describe the file that was written, and the samples that it reads."""
    shape = ", ".join(str(length) for length in ("n", *result.input_shape))
    lines = [
        Line("Training", f"{count_text(result.steps)} steps", f"digest 0x{result.crc:08x}"),
        Line("Input", f"({shape})", "samples, channels last"),
        Line(
            "ONNX" if result.kind == "onnx" else "TFLite",
            bytes_text(result.bytes),
            str(result.path),
        ),
    ]
    if not result.knows_model:
        note = "the dump does not say; --model-id takes MODEL_ID of the firmware's header"
        lines.append(Line("Model id", "not checked", note))
    return render(_lines(f"{result.spec.name} on {result.platform}", lines))


def show_platforms(platforms: Iterable["Platform"], boards: Iterable["Board"]) -> str:
    """One row for each platform, then one for each board."""
    table = make_table("name", "core", "compilers", "runs on", "notes")
    for platform in platforms:
        runs_on = ", ".join(platform.emulators) or ("itself" if platform.is_host else UNKNOWN)
        compilers = ", ".join(platform.flags)
        table.add_row(platform.name, platform.title, compilers, runs_on, platform.notes)
    return render(table, _boards(boards))


def _boards(boards: Iterable["Board"]) -> Table:
    table = make_table("board", "of", "platform", "flash", "RAM", "clock", "boots in", "notes")
    for column in table.columns[3:6]:
        column.justify = "right"
        column.no_wrap = True
    for board in boards:
        flash, ram = (short_bytes(region.size) for region in (board.memory.flash, board.memory.ram))
        clock, boots = clock_text(board.clock), "QEMU" if board.boots else UNKNOWN
        kind = (board.name, board.title, board.platform.name)
        table.add_row(*kind, flash, ram, clock, boots, board.notes)
    return table


def show_doctor(tools: Iterable["Tool"]) -> str:
    """One row for each tool; what is missing says how to get it."""
    table = make_table("", "tool", "version", "for", "where, or how to get it")
    for tool in tools:
        found = tool.path is not None or tool.version is not None
        mark = Text("✓", "green") if found else Text("✗", "red")
        place = str(tool.path or "") if found else tool.help
        table.add_row(mark, tool.name, tool.version or "", tool.purpose, place)
    return render(table)


def show_package(result: "PackageResult") -> str:
    """Say where the package is, and what takes it."""
    place = result.folder if result.archive is None else result.archive
    return render(
        f"{result.title} {result.name} {result.version}: {place} ({len(result.files)} files)",
        f"next: {result.next}",
    )


def show_new(files: Sequence[Path]) -> str:
    """List the files that were made, and the commands to continue with."""
    made = [f"made {path}" for path in files]
    spec = next((path for path in files if path.suffix == ".toml"), None)
    if spec is None:
        return render(*made)
    return render(
        *made,
        f"next: tpsgd-edge report {spec}",
        f"      tpsgd-edge example {spec}, for a C program of your own",
    )


def _lines(title: str, lines: Iterable[Line]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    table.show_header = False
    for style in ("", "bold", "dim"):
        table.add_column(style=style)
    for line in lines:
        table.add_row(line.name, Text(line.value, _COLOURS.get(line.value, "")), line.detail)
    return table


_COLOURS = {"equal": "bold green", "mismatch": "bold red"}


def _mismatch(result: VerifyResult) -> list[RenderableType]:
    return [] if result.mismatch is None else [Text(result.mismatch, "red")]


def _sizes(result: BuildResult) -> Table:
    sizes, budget = result.sizes, result.budget
    assert sizes is not None
    table = make_table(f"{result.spec.name} on {result.platform}", "bytes", "of the budget")
    table.columns[1].justify = table.columns[2].justify = "right"
    for name, part in (
        ("RAM: weights", sizes.ram.weights - result.kept_bytes),
        *((("RAM: kept samples", result.kept_bytes),) if result.kept_bytes else ()),
        ("RAM: arena", sizes.ram.arena),
        *((("RAM: signal", sizes.ram.signal),) if sizes.ram.signal else ()),
        ("RAM: stack", sizes.ram.stack or None),
    ):
        table.add_row(name, count_text(part), "")
    table.add_row("RAM", *_against(sizes.ram.total, budget.ram), style="bold", end_section=True)
    for name, part in (
        ("flash: code", sizes.flash.code),
        ("flash: constants", sizes.flash.constants),
    ):
        table.add_row(name, count_text(part), "")
    table.add_row("flash", *_against(sizes.flash.total, budget.flash), style="bold")
    return table


def _costs(name: str, costs: "Costs") -> str:
    step = f"a training step at most {count_text(costs.step)} instructions"
    if costs.step is None:
        step = "no bound is known for the instructions of a training step"
    return f"stack: {bytes_text(costs.training.calls)} at most; {step} ({name}_costs.h)"


def _against(used: int, budget: int | None) -> tuple[str, str]:
    share = "" if budget is None else f"{percent_text(used, budget)} of {bytes_text(budget)}"
    return count_text(used), share


def _layers(result: BuildResult) -> Table:
    table = make_table("layer", "shape", "formats", "weights", "RAM", "flash", "inference", "step")
    for column in table.columns[3:]:
        column.justify = "right"
    for cost in result.layers:
        table.add_row(
            cost.layer,
            cost.shape,
            result.formats.get(cost.layer, ""),
            count_text(cost.weights),
            bytes_text(cost.ram_bytes),
            bytes_text(cost.flash_bytes),
            count_text(cost.instructions_inference),
            count_text(cost.instructions_step),
        )
    if all(cost.instructions_step is None for cost in result.layers):
        table.columns = table.columns[:6]
    return table


def _curve(result: SimulateResult) -> Table:
    table = make_table("epoch", result.metric, "")
    table.columns[0].justify = table.columns[1].justify = "right"
    for point in _thinned(result.curve):
        text = metric_text(result.metric, point.accuracy)
        table.add_row(f"{round(point.epoch, 3):g}", text, _bar(point.accuracy))
    return table


def _bar(share: float) -> Text:
    """A share from 0 to 1 as a bar; no bar for what is not a number."""
    if not math.isfinite(share):
        return Text("")
    filled = round(_CURVE_WIDTH * min(max(share, 0.0), 1.0))
    return Text("█" * filled, "blue").append("░" * (_CURVE_WIDTH - filled), "dim")


def _thinned(curve: Sequence[CurvePoint]) -> list[CurvePoint]:
    """Keep at most `_CURVE_ROWS` points: the first, the last, and evenly spaced ones between."""
    if len(curve) <= _CURVE_ROWS:
        return list(curve)
    last = len(curve) - 1
    return [curve[round(i * last / (_CURVE_ROWS - 1))] for i in range(_CURVE_ROWS)]


def make_table(*heads: str) -> Table:
    """An empty table with a column for each head."""
    table = Table(*heads, box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for column in table.columns:
        # A path that is cut short is of no use.
        column.overflow = "fold"
    return table


def render(*items: RenderableType) -> str:
    """Render the items as text that is as wide as the terminal."""
    # Neither names nor paths are markup.
    console = Console(markup=False, highlight=False, emoji=False, width=_width())
    with console.capture() as capture:
        for item in items:
            console.print(item, soft_wrap=isinstance(item, str | Text))
    # Rows are padded to the width of the table, and tables with blank lines.
    text = re.sub(r" +$", "", capture.get(), flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n") + "\n"


def _width() -> int | None:
    return None if sys.stdout.isatty() else _PIPED_WIDTH
